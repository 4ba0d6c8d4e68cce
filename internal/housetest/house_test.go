package housetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pkg is what the tests want of a package, as "go list -json" has it.
type pkg struct {
	ImportPath string
	Name       string
	Dir        string
	Doc        string // the package comment's first sentence
	Standard   bool
	Imports    []string
	CgoFiles   []string
	Error      *struct{ Err string }
}

const module = "weir"

// list loads every package of the module and all it imports, tests left out.
// It needs the module cache, no compiler and no network.
func list(t *testing.T, flags ...string) map[string]*pkg {
	t.Helper()
	args := append([]string{"list", "-e", "-deps", "-json=ImportPath,Name,Dir,Doc,Standard,Imports,CgoFiles,Error"}, flags...)
	cmd := exec.CommandContext(t.Context(), "go", append(args, module+"/...")...)
	// cgo on whether or not there is a compiler: the arrows are the same everywhere.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOOS=linux")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	pkgs := map[string]*pkg{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		pkgs[p.ImportPath] = &p
	}
	if own(pkgs) == nil {
		t.Fatal("go list found no package of this module")
	}
	return pkgs
}

// own is the module's packages in order, by their path below the module.
func own(pkgs map[string]*pkg) []string {
	var paths []string
	for path := range maps.Keys(pkgs) {
		if below, ok := strings.CutPrefix(path, module+"/"); ok {
			paths = append(paths, below)
		}
	}
	slices.Sort(paths)
	return paths
}

// chain is the shortest way from a package to an import that matches, through
// packages that pass; nil when there is none.
func chain(pkgs map[string]*pkg, from string, match, through func(string) bool) []string {
	seen := map[string]bool{from: true}
	for queue := [][]string{{from}}; len(queue) > 0; queue = queue[1:] {
		way := queue[0]
		p := pkgs[way[len(way)-1]]
		if p == nil {
			continue
		}
		for _, next := range p.Imports {
			if seen[next] {
				continue
			}
			seen[next] = true
			longer := append(slices.Clone(way), next)
			if match(next) {
				return longer
			}
			if through(next) {
				queue = append(queue, longer)
			}
		}
	}
	return nil
}

func TestForbiddenImports(t *testing.T) {
	pkgs := list(t)
	for _, path := range own(pkgs) {
		r, ok := roomOf(path)
		if !ok {
			t.Errorf("%s is in no room: add it to rooms_test.go and docs/architecture.md", path)
			continue
		}
		for _, rule := range rules {
			if !rule.in(r) {
				continue
			}
			way := chain(pkgs, module+"/"+path,
				func(imported string) bool { return within(imported, rule.pkg) },
				func(string) bool { return rule.through })
			if way != nil {
				t.Errorf("%s: %s", strings.Join(way, " → "), rule.why)
			}
		}
	}
}

func TestArrowsPointInward(t *testing.T) {
	pkgs := list(t)
	for _, path := range own(pkgs) {
		from, ok := roomOf(path)
		if !ok {
			continue // reported above
		}
		for _, imported := range pkgs[module+"/"+path].Imports {
			below, ours := strings.CutPrefix(imported, module+"/")
			to, ok := roomOf(below)
			if !ours || !ok {
				continue
			}
			if why := refused(from, to); why != "" {
				t.Errorf("%s imports %s: %s", path, below, why)
			}
		}
	}
}

// refused says why a room may not import another one; empty when it may.
func refused(from, to room) string {
	switch {
	case from.path == to.path:
		return ""
	case to.kind == command:
		return "nobody imports a command"
	case from.kind == ground:
		return "the ground carries the house and knows nothing of it"
	case to.kind == core, from.kind == command, from.kind == adapter && (to.kind == ground || to.kind == codec):
		return ""
	case from.kind == codec:
		return "a codec knows the core alone"
	case from.kind == core:
		return "the core imports no adapter: declare an interface and let the command wire it"
	case within(from.path, to.path):
		return "" // the parent holds the interface that its adapters fulfil
	}
	return "adapters do not import each other: share a type of the core, or let the command wire them"
}

func TestFlowlogNeedsOnlyTheStandardLibraryAndGzip(t *testing.T) {
	pkgs := list(t)
	way := chain(pkgs, module+"/flowlog",
		func(imported string) bool {
			return pkgs[imported] != nil && !pkgs[imported].Standard && !within(imported, "github.com/klauspost/compress")
		},
		func(string) bool { return false })
	if way != nil {
		t.Errorf("%s: others import flowlog, it must cost them nothing", strings.Join(way, " → "))
	}
}

func TestOnlyDuckDBUsesCgo(t *testing.T) {
	pkgs := list(t)
	cgo := func(path string) bool {
		p := pkgs[path]
		return p != nil && !p.Standard && len(p.CgoFiles) > 0
	}
	for _, path := range own(pkgs) {
		if within(path, "query/duckdb") {
			continue
		}
		if cgo(module + "/" + path) {
			t.Errorf("%s uses cgo: only query/duckdb may", path)
		}
		way := chain(pkgs, module+"/"+path, cgo,
			func(imported string) bool { return !within(imported, module) })
		if way != nil {
			t.Errorf("%s uses cgo: only query/duckdb may bring it in", strings.Join(way, " → "))
		}
	}
}

// A build with the tag noduckdb is static and captures only.
func TestTagLeavesDuckDBOut(t *testing.T) {
	for path := range list(t, "-tags", "noduckdb") {
		if within(path, "github.com/duckdb") {
			t.Errorf("%s is built with the tag noduckdb", path)
		}
	}
}

func TestEveryPackageHasADoc(t *testing.T) {
	pkgs := list(t)
	for _, path := range own(pkgs) {
		p := pkgs[module+"/"+path]
		if p.Dir == "" || p.Name == "" {
			continue // it does not load; the build says why
		}
		if _, err := os.Stat(filepath.Join(p.Dir, "doc.go")); errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s has no doc.go: say in one sentence what it is for, then what flows through it", path)
			continue
		}
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command " + filepath.Base(p.Dir) + " "
		}
		if !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s/doc.go begins with %q, want %q", path, p.Doc, want+"…")
		}
	}
}

// The plan and its explanation change together.
func TestArchitectureNamesEveryRoom(t *testing.T) {
	plan, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range own(list(t)) {
		r, ok := roomOf(path)
		if ok && r.kind != command && !bytes.Contains(plan, []byte("`"+r.path+"/`")) {
			t.Errorf("docs/architecture.md does not name the room `%s/`", r.path)
		}
	}
}

func TestRefused(t *testing.T) {
	at := func(path string) room {
		r, ok := roomOf(path)
		if !ok {
			t.Fatalf("%s is in no room", path)
		}
		return r
	}
	for _, tt := range []struct {
		from, to string
		want     bool // refused
	}{
		{"flowlog", "flowlog/parquet", true},
		{"flowlog/parquet", "flowlog", false},
		{"aggregate", "count", false},
		{"aggregate", "capture", true},
		{"capture/ebpf", "capture", false},
		{"capture", "capture/ebpf", true},
		{"capture/ebpf", "policy", false},
		{"deliver/s3", "lake", true},
		{"lab", "netns", false},
		{"capture/ebpf", "netns", false},
		{"netns", "lab", true},
		{"netns", "vpc", true},
		{"vpc", "netns", true},
		{"lab", "cmd/weir", true},
		{"cmd/weir", "capture/ebpf", false},
	} {
		if why := refused(at(tt.from), at(tt.to)); (why != "") != tt.want {
			t.Errorf("%s imports %s: refused %q, want refused %v", tt.from, tt.to, why, tt.want)
		}
	}
}
