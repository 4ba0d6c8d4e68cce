package soak

import (
	"testing"
	"time"
)

// A script is the seed's, ends with its leg, and has what was asked for.
func TestScript(t *testing.T) {
	leg := Leg{Length: 3 * time.Minute, S3: true, NATS: true, Kills: 9}
	kills, together := 0, 0
	for seed := range uint64(50) {
		a, b := leg.Script(seed), leg.Script(seed)
		if len(a) != len(b) {
			t.Fatalf("seed %d gives %d faults, then %d", seed, len(a), len(b))
		}
		for i := range a {
			if a[i].String() != b[i].String() {
				t.Errorf("seed %d: %v, then %v", seed, &a[i], &b[i])
			}
			if a[i].At < 0 || a[i].At+a[i].For >= leg.Length {
				t.Errorf("seed %d: %v does not end with the leg", seed, &a[i])
			}
			if i > 0 && a[i].At < a[i-1].At {
				t.Errorf("seed %d: %v comes after %v", seed, &a[i], &a[i-1])
			}
			switch a[i].Target {
			case Weir:
				kills++
			case NATS:
				together++
			}
		}
	}
	if kills != 50*leg.Kills || together != 50*3 {
		t.Errorf("%d kills of weir, %d of the NATS server", kills, together)
	}
}
