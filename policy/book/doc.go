// Package book remembers every policy that was ever in force on a host: the ids
// of its rules, the topologies, and when each was applied and taken away.
//
//	<data>/policy/
//	    rules      id, key, words, time: a line for each rule that has an id
//	    log        applying, applied, failed, removed: a line for each, with its time
//	    versions/  20261121T171500Z-1a2b3c4d5e6f7890.yaml: the topologies, each once
//	    lock       held by whoever changes anything
//
// Both lists only grow. A line is on the disk before anybody acts on it, so an id
// that a packet's mark or a record may carry is never given to another rule; a
// line that a crash tore was never acted on, and the next writer cuts it off.
// What cannot be read is an error that names the file and the line: going on
// without it could give an id twice or explain a record with the wrong rule.
//
// One process writes at a time ([Book.Lock]); any number read meanwhile and see
// what is new without opening the book again.
//
// Size: a line of some 300 bytes for each rule and each change that ever was, on
// the disk and in memory; on the disk also each topology that differs from all
// former ones. Nothing is forgotten: a record may be older than any bound.
// docs/policy.md has the formats.
package book
