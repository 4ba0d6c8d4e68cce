package soak

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"weir/internal/faults"
)

// Target is what a fault befalls.
type Target string

// The targets.
const (
	S3       Target = "s3"
	Logs     Target = "logs"
	Firehose Target = "firehose"
	Weir     Target = "weir"  // kill -9, and restart
	Disk     Target = "disk"  // full
	Steps    Target = "clock" // a step there, and back
	NATS     Target = "nats"  // kill -9, and restart
)

// Fault is something that goes wrong, and ends by itself.
type Fault struct {
	At, For time.Duration // since the beginning of the leg
	Target  Target
	Name    string
	Mode    faults.Mode   // of the services
	Partial Partial       // of Firehose
	Step    time.Duration // of the clock
	// Together says that Weir is killed at the same moment.
	Together bool
}

// Partial is what Firehose does to some records of a call. The zero value takes
// all.
type Partial struct {
	Every int    // of so many records one fails; 0: none
	Code  string // and how
	// Taken says that every other one of those is taken all the same, as an
	// InternalFailure may be.
	Taken bool
}

func (f *Fault) String() string {
	s := fmt.Sprintf("%6.2fs  %-8s %s", f.At.Seconds(), f.Target, f.Name)
	if f.For > 0 {
		s += fmt.Sprintf(" for %.1fs", f.For.Seconds())
	}
	if f.Together {
		s += ", and weir"
	}
	return s
}

// Leg says what there is to go wrong in a part of a soak.
type Leg struct {
	Length time.Duration
	S3     bool // buckets are behind the S3 server
	NATS   bool // the journal is on a server of its own, and not on the disk
	Kills  int
}

// Script is the faults of a leg, in the order of their beginnings. Equal seeds
// give equal scripts. All end before the leg does.
func (l Leg) Script(seed uint64) []Fault {
	d := dice{rand.New(rand.NewPCG(seed, 0x50a4))}
	longest := min(10*time.Second, l.Length/5)
	end := l.Length - time.Second
	var list []Fault
	services := []Target{Logs, Firehose}
	if l.S3 {
		services = append(services, S3)
	}
	for _, target := range services {
		for at := d.between(longest/8, longest); ; at += d.between(longest/4, longest) {
			f := d.service(target)
			f.At, f.For = at, d.between(longest/6, longest)
			if f.At+f.For > end {
				break
			}
			at += f.For
			list = append(list, f)
		}
	}
	for i := range l.Kills { // one in each part of the leg, whenever in it
		part := (end - time.Second) / time.Duration(l.Kills)
		list = append(list, Fault{At: time.Second + time.Duration(i)*part + d.between(0, part*9/10), Target: Weir, Name: "kill -9"})
	}
	times := max(1, int(l.Length/(75*time.Second)))
	if !l.NATS || !l.S3 {
		list = append(list, d.spread(times, end, longest, Fault{Target: Disk, Name: "full"})...)
	}
	if l.NATS {
		list = append(list, d.spread(times+1, end, longest/3, Fault{Target: NATS, Name: "kill -9"})...)
	}
	steps := d.spread(times, end, 2*longest, Fault{Target: Steps})
	for i := range steps {
		steps[i].Step = time.Hour
		if d.IntN(2) == 0 {
			steps[i].Step = -time.Hour
		}
		steps[i].Name = fmt.Sprintf("%+v, and back", steps[i].Step)
	}
	list = append(list, steps...)
	for i := range list {
		if list[i].Target == NATS {
			list[i].Together = d.IntN(2) == 0
		}
	}
	slices.SortStableFunc(list, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return list
}

type dice struct{ *rand.Rand }

func (d dice) between(from, to time.Duration) time.Duration {
	return from + time.Duration(d.Int64N(int64(max(1, to-from))))
}

// spread puts a fault so many times into as many parts.
func (d dice) spread(times int, end, longest time.Duration, f Fault) (list []Fault) {
	part := end / time.Duration(times)
	for i := range times {
		f.For = d.between(longest/4, min(longest, part*2/3))
		f.At = time.Duration(i)*part + d.between(0, part-f.For)
		list = append(list, f)
	}
	return list
}

// service is a fault of a service, without its time.
func (d dice) service(t Target) Fault {
	list := []Fault{
		{Name: "hangs", Mode: faults.Hang()},
		{Name: "withholds answers", Mode: faults.Withhold()},
		{Name: "refuses connections", Mode: faults.Refuse()},
		{Name: "cuts requests", Mode: faults.CutRequest(int64(d.IntN(2000)))},
		{Name: "cuts requests behind their end", Mode: faults.CutRequest(1 << 30)},
		{Name: "cuts answers", Mode: faults.CutResponse(0)},
	}
	switch t {
	case S3:
		list = append(list,
			Fault{Name: "503", Mode: faults.S3Error(http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")},
			Fault{Name: "500", Mode: faults.S3Error(http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again.")},
			Fault{Name: "403", Mode: faults.S3Error(http.StatusForbidden, "AccessDenied", "Access Denied")},
		)
	case Logs, Firehose:
		list = append(list,
			Fault{Name: "throttles", Mode: faults.JSONError(http.StatusBadRequest, "ThrottlingException", "Rate exceeded")},
			Fault{Name: "throttles, for a second", Mode: faults.JSONError(http.StatusTooManyRequests, "ThrottlingException", "Rate exceeded").RetryAfter(time.Second)},
			Fault{Name: "503", Mode: faults.JSONError(http.StatusServiceUnavailable, "ServiceUnavailableException", "try again")},
			Fault{Name: "500", Mode: faults.JSONError(http.StatusInternalServerError, "InternalFailure", "try again")},
			Fault{Name: "403", Mode: faults.JSONError(http.StatusBadRequest, "AccessDeniedException", "not allowed")},
		)
	}
	if t == Firehose {
		for _, taken := range []bool{false, true} {
			p := Partial{Every: 2 + d.IntN(5), Code: "ServiceUnavailableException", Taken: taken}
			name := "takes some records"
			if taken {
				p.Code, name = "InternalFailure", "is not sure about some records"
			}
			list = append(list, Fault{Name: name, Partial: p}, Fault{Name: name, Partial: p})
		}
	}
	f := list[d.IntN(len(list))]
	f.Target = t
	return f
}
