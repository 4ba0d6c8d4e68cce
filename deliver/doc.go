// Package deliver brings the journal's counts to the destinations of flow logs,
// each record once.
//
//	journal ─▶ pass: aggregate ─▶ line: batch of whole intervals ─▶ sender ─▶ Destination
//	             one per interval     one per flow log     │
//	             length, or more                           └─ catalogue: manifest, progress, position
//
// A [Dispatcher] owns it all. Docs: docs/decisions/0014-delivery.md. The
// destinations stand in subfolders: deliver/s3, deliver/logs, deliver/firehose.
package deliver
