package logs

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"weir/deliver"
	"weir/deliver/internal/awstest"
	"weir/flowlog"
)

const perInterval = 1_000_000

// fill adds a million records of as many interfaces, in the default format.
func fill(e deliver.Encoder, interfaces int) {
	enis := make([]string, interfaces)
	for i := range enis {
		enis[i] = fmt.Sprintf("eni-%017x", i)
	}
	r := flowlog.Record{
		Version: 2, AccountID: "123456789012", DstPort: 443, Protocol: 6, Packets: 12, Bytes: 4321,
		DstAddr: netip.AddrFrom4([4]byte{10, 0, 0, 1}), Action: flowlog.Accept, LogStatus: flowlog.OK,
	}
	each := perInterval / interfaces
	for _, eni := range enis {
		r.InterfaceID = eni
		for n := range each {
			r.SrcAddr = netip.AddrFrom4([4]byte{172, 31, byte(n >> 8), byte(n)})
			r.SrcPort = int64(n & 0xffff)
			r.Start = 1_700_000_000 + int64(n)*60/int64(each)
			r.End = r.Start + 5
			e.Add(&r)
		}
	}
}

// BenchmarkEncode is one interval of a million records: to parts, nothing sent.
func BenchmarkEncode(b *testing.B) {
	for _, interfaces := range []int{1, 2000} {
		b.Run(fmt.Sprint(interfaces, "-interfaces"), func(b *testing.B) {
			d := destination(b, "ALL")
			d.format = flowlog.DefaultFormat()
			var text, held, taken int64
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				before := heap()
				b.StartTimer()
				e := d.Begin(deliver.Begin{})
				fill(e, interfaces)
				b.StopTimer()
				held, taken = e.Held(), heap()-before
				b.StartTimer()
				parts, err := e.Finish()
				if err != nil {
					b.Fatal(err)
				}
				text = 0
				for _, p := range parts {
					text += p.(*part).size - perEvent*p.Note().Records
				}
				runtime.KeepAlive(e)
			}
			b.ReportMetric(perInterval*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(text)/1e6, "MB-text")
			b.ReportMetric(float64(held)/1e6, "MB-held")
			b.ReportMetric(float64(taken)/1e6, "MB-taken")
		})
	}
}

// BenchmarkSend is the calls of such an interval, to a sink that answers after a
// while: with one interface 100 calls of 10,000 events, with 2,000 as many calls
// of 500. One at a time they would take those 20 ms 2,000 times: 40 s.
func BenchmarkSend(b *testing.B) {
	for _, bench := range []struct{ interfaces, sideBySide, ms int }{{1, 1, 0}, {2000, 1, 0}, {2000, 8, 0}, {2000, 8, 20}} {
		name := fmt.Sprintf("%d-interfaces/%d-side-by-side/%d-ms", bench.interfaces, bench.sideBySide, bench.ms)
		b.Run(name, func(b *testing.B) {
			awstest.Env(b)
			sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				time.Sleep(time.Duration(bench.ms) * time.Millisecond) // the way there and back
				_, _ = io.WriteString(w, "{}")
			}))
			defer sink.Close()
			endpoint, err := OpenEndpoint(b.Context(), EndpointConfig{URL: sink.URL})
			if err != nil {
				b.Fatal(err)
			}
			defer endpoint.Close()
			d, err := New(Config{Endpoint: endpoint, Group: "g", Format: flowlog.DefaultFormat()})
			if err != nil {
				b.Fatal(err)
			}
			e := d.Begin(deliver.Begin{})
			fill(e, bench.interfaces)
			parts, err := e.Finish()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			cpu := awstest.CPU(b)
			for b.Loop() {
				sendAll(b, parts, bench.sideBySide)
			}
			cpu = awstest.CPU(b) - cpu
			b.ReportMetric(perInterval*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(perInterval*float64(b.N)/cpu.Seconds(), "records/CPU-s")
			b.ReportMetric(float64(len(parts)*b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}

func sendAll(b *testing.B, parts []deliver.Part, sideBySide int) {
	work := make(chan deliver.Part)
	var workers sync.WaitGroup
	for range sideBySide {
		workers.Go(func() {
			for p := range work {
				if _, err := p.Send(b.Context()); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for _, p := range parts {
		work <- p
	}
	close(work)
	workers.Wait()
}
