// Package exact holds the tests that what Weir records equals what went over
// the wire: equal, not close.
//
// Known traffic runs in fresh network namespaces while maps are swapped and the
// reader is restarted. The witnesses are independent of Weir: pfifo queueing
// disciplines, which count packets after segmentation, and named nftables
// counters at the refusing rules. The package has no code of its own.
package exact
