package housetest

import "strings"

// kind is how far from the outside world a room stands.
type kind string

const (
	core    kind = "core"    // types, formats, arithmetic: no I/O, no clock, no goroutine
	codec   kind = "codec"   // another form of the core's types, by somebody's library; does no I/O, adapters share it
	ground  kind = "ground"  // a thin cover of the operating system that knows nothing of Weir; adapters share it
	adapter kind = "adapter" // the kernel, a database, a network: one side effect per room
	command kind = "command" // flags and wiring, tests of the whole; imports everything, is imported by nobody
)

// room is a folder with everything below it that is not a room of its own.
type room struct {
	path string // below the module
	kind kind
}

// rooms is the one list. Rooms that are not built yet stand here already: they
// find their rules waiting.
var rooms = []room{
	{"flowlog", core},
	{"flowlog/ddl", core},
	{"flowlog/parquet", codec},
	{"vpc", core},
	{"vpc/declare", codec},
	{"vpc/discover", adapter},
	{"vpc/flowlogs", core},
	{"vpc/watch", adapter},
	{"policy", core},
	{"policy/book", adapter},
	{"policy/nft", adapter},
	{"count", core},
	{"capture", adapter},
	{"capture/ebpf", adapter},
	{"capture/pcap", adapter},
	{"journal", adapter},
	{"aggregate", core},
	{"deliver", adapter},
	{"deliver/s3", adapter},
	{"deliver/logs", adapter},
	{"deliver/firehose", adapter},
	{"iam", core},
	{"awsapi", adapter},
	{"logstore", adapter},
	{"lake", adapter},
	{"convert", adapter},
	{"query", core},
	{"query/insights", core},
	{"query/athena", core},
	{"query/duckdb", adapter},
	{"query/trino", adapter},
	{"question", core},
	{"console", adapter},
	{"control", adapter},
	{"lab", adapter},
	{"netns", ground},
	{"cmd", command},
	{"internal", command}, // tests of the whole house
}

// roomOf is the innermost room of a package, by its path below the module.
func roomOf(pkg string) (room, bool) {
	var best room
	for _, r := range rooms {
		if within(pkg, r.path) && len(r.path) > len(best.path) {
			best = r
		}
	}
	return best, best.path != ""
}

// within reports whether path is dir or lies below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}

// rule forbids an import, with everything below it, to some rooms.
type rule struct {
	pkg string
	in  func(room) bool
	// through is true when the import is forbidden at any depth, not only in
	// the room's own files.
	through bool
	why     string
}

func isCore(r room) bool { return r.kind == core }

func except(path string) func(room) bool {
	return func(r room) bool { return !within(r.path, path) }
}

var rules = []rule{
	{"net/http", isCore, true, "the core does no I/O: put it in an adapter"},
	{"log/slog", isCore, true, "the core returns errors and lets its caller log"},
	{"os/exec", isCore, true, "the core starts no processes: put it in an adapter"},
	{"database/sql", isCore, true, "the core makes plans and SQL text; query's adapters run them"},
	{"github.com/vishvananda", isCore, true, "the core knows interfaces, not links: vpc/discover finds them"},
	{"github.com/cilium/ebpf", except("capture"), false, "only the capture talks to the kernel's eBPF"},
	{"github.com/duckdb", except("query/duckdb"), false, "one room holds the cgo, so that a build without it stays possible"},
}
