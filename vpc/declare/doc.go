// Package declare reads what people wrote down in YAML, the topology of a network,
// its flow logs and the settings of their destinations and of the journal, and
// writes it back.
//
//	bytes ─▶ tree ─▶ decoder ─▶ *vpc.Topology ─▶ Check ─▶ Problems by line
//	         plain.go, yaml.go  file.go, rules.go  locate.go
//	              whole.go └───▶ flow logs ─▶ flowlogs.New ─▶ the same
//	                             flowlogs.go
//
// It is strict: what it does not know is a problem, never passed over, and all
// problems of a file are told at once, each with its line and a way out.
// docs/topology.md and docs/flow-logs.md are the references of the format. The
// package reads no file and watches nothing; vpc/watch does.
package declare
