package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// progress shows on a terminal how far work on total bytes is; total may be 0
// when nobody knows. It shows nothing elsewhere. The returned function ends it.
func progress(w io.Writer, verb string, done *atomic.Int64, total int64) (stop func()) {
	if !isTerminal(w) {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	began := time.Now()
	go func() {
		defer close(ended)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				fmt.Fprint(w, "\r\x1b[K")
				return
			case <-tick.C:
				fmt.Fprint(w, "\r\x1b[K", progressLine(verb, done.Load(), total, time.Since(began)))
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
	}
}

// progressLine is "converting 45 %, 512 MB of 1.1 GB, 80 MB/s, 7 s left".
func progressLine(verb string, done, total int64, spent time.Duration) string {
	rate := float64(done) / max(spent.Seconds(), 1e-3)
	line := fmt.Sprintf("%s %s, %s/s", verb, byteSize(done), byteSize(int64(rate)))
	if total <= 0 || done <= 0 {
		return line
	}
	done = min(done, total)
	left := time.Duration(float64(total-done) / rate * float64(time.Second))
	return fmt.Sprintf("%s %d %%, %s of %s, %s/s, %s left",
		verb, done*100/total, byteSize(done), byteSize(total), byteSize(int64(rate)), left.Round(time.Second))
}

// byteSize writes bytes as people do, in powers of ten.
func byteSize(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/1000, 0
	for v >= 999.5 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	if v < 10 {
		return fmt.Sprintf("%.1f %cB", v, units[i])
	}
	return fmt.Sprintf("%.0f %cB", v, units[i])
}
