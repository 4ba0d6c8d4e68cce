// Package journal makes counts durable before the kernel forgets them, and keeps
// the catalogue.
//
//	count.Swap ─ Append ─▶ chunks ─▶ stream of counts ─▶ Reader ─ count.Entry
//	                       closing message ┘ │
//	                                         └▶ Survey · Bounds · Purge
//	key, value ─ Put ─▶ bucket ─▶ Get · Keys · Watch
//
// Both lie in NATS JetStream: in a server inside this process that opens no port,
// or in one that is reached by URL. What [Journal.Append] and [Catalogue.Put]
// have returned from is on disk. The encoding and the subjects are described in
// docs/journal.md, the reasons in docs/decisions/0012-the-journal.md.
//
// The journal does not decide what may be forgotten: whoever delivers does, with
// Purge. The directory's lock is its caller's.
//
// Goroutines: those of NATS, which [Open] starts and [Journal.Close] joins, and one
// for each Watch, which ends with its context.
package journal
