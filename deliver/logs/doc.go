// Package logs delivers a flow log to a log group of CloudWatch Logs: AWS's, or
// a compatible service's.
//
//	Add ─ line ─▶ events of each log stream, in memory
//	Finish ─ sort, cut ─▶ parts: one PutLogEvents call each
//	Send ─▶ events in <interface>-all; group and stream are made when absent
//
// The protocol cannot tell a call that is repeated from a new one: when an answer
// gets lost, the call's events may stand there twice. Such errors are marked
// doubtful, and nothing else is ever sent twice.
package logs
