// Package declare reads a topology that people wrote down in YAML, and writes
// one back.
//
//	bytes ─▶ tree ─▶ decoder ─▶ *vpc.Topology ─▶ Check ─▶ Problems by line
//	         plain.go, yaml.go  file.go, rules.go  locate.go
//
// It is strict: what it does not know is a problem, never passed over, and all
// problems of a file are told at once, each with its line and a way out.
// docs/topology.md is the reference of the format. The package reads no file
// and watches nothing; vpc/watch does.
package declare
