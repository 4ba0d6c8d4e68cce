package declare

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/vpc"
	"weir/vpc/flowlogs"
	"weir/vpc/vpctest"
)

func seeds(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(Append(nil, vpctest.New(1, vpctest.Size{Subnets: 2, Interfaces: 3, Groups: 2, ACLs: 1, PrefixLists: 1, GroupRules: 2, ACLRules: 2})))
	for _, s := range []string{
		"", "a", "- a\n- b: c\n  d:\n  - e\n", "a: [b, {c: 'd''e', f: \"g\"}]\n", "a: &x {b: c}\nd: *x\ne: {<<: *x}\n",
		"a: |\n  text\n", "a: {b: [2001:6, c, d:e::f, 'x':y]}\n", "? a\n: b\n", "---\na: b\n---\nc: d\n", "a: b # c\n#d\n", "- - - a\n", "a:\n- b\nc:\n  - d\n", "a: ::/0\n",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "{a: {a: {a: {a: ", "a: 1:2\n", "a: -\n", "a: - b\n", "a: b: c\n", "a: b\n  c\n", "a: 'b\n  c'\n",
	} {
		f.Add([]byte(s))
	}
}

// tree is a node without its place, for people.
func (n *node) tree(b *strings.Builder, depth int) {
	b.WriteString(strings.Repeat(" ", depth) + n.kind.String() + " " + n.text + "\n")
	for i, item := range n.items {
		if n.kind == mappingNode {
			b.WriteString(strings.Repeat(" ", depth) + n.keys[i].name + ":\n")
		}
		item.tree(b, depth+1)
	}
}

func treeOf(n *node) string {
	var b strings.Builder
	n.tree(&b, 0)
	return b.String()
}

// sameLines compares where values and keys stand. Columns are not compared: the
// library's are off by the spaces at a line's end. A value that is not there has
// no place of its own.
func sameLines(t *testing.T, a, b *node) {
	if a.kind != nullNode && a.line != b.line {
		t.Errorf("%s: plain says line %d, the library %d", a.path(), a.line, b.line)
	}
	for i := range a.keys {
		if a.keys[i].line != b.keys[i].line {
			t.Errorf("%s: key %s: plain says line %d, the library %d", a.path(), a.keys[i].name, a.keys[i].line, b.keys[i].line)
		}
	}
	for i := range a.items {
		sameLines(t, a.items[i], b.items[i])
	}
}

// FuzzPlain: what the plain reader reads, the library reads as the same.
func FuzzPlain(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		plain, fault := parsePlain(string(data))
		if fault != nil {
			return
		}
		full, fault := parseYAML(data)
		if fault != nil && strings.HasSuffix(fault.msg, invalidKey) {
			return // a word that begins with a colon; YAML takes it, the library not always
		}
		if fault != nil {
			t.Fatalf("plain reads it, the library says %d:%d: %v", fault.line, fault.column, fault)
		}
		if diff := cmp.Diff(treeOf(full), treeOf(plain)); diff != "" {
			t.Fatalf("(-library +plain):\n%s", diff)
		}
		sameLines(t, plain, full)
	})
}

// FuzzParse: no file ends the process; what has no problem is written and read
// back as the same; each problem lies in the file.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		top, problems := Parse(data, options)
		lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 2
		for _, p := range problems {
			if p.Line < 0 || p.Line > lines || p.Cause == "" {
				t.Errorf("%d lines, and a problem at %+v", lines, p)
			}
		}
		if len(problems.Errors()) > 0 {
			return
		}
		if errs := vpc.Errors(top.Check()); len(errs) > 0 {
			t.Fatalf("no problem, but Check says %v", errs)
		}
		again, problems := Parse(Append(nil, top), Options{})
		if errs := problems.Errors(); len(errs) > 0 {
			t.Fatalf("written and read: %v\n%s", errs, Append(nil, top))
		}
		if diff := cmp.Diff(top, again, same()); diff != "" {
			t.Errorf("written and read (-want +got):\n%s", diff)
		}
	})
}

// FuzzParseFile: no file ends the process; what has no problem is written and
// read back as the same, and its flow logs are in good order.
func FuzzParseFile(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		whole, problems := ParseFile(data, options)
		if whole == nil && len(problems.Errors()) == 0 {
			t.Fatal("no file and no problem")
		}
		if len(problems.Errors()) > 0 {
			return
		}
		ids := map[string]bool{}
		for _, l := range whole.FlowLogs {
			if ids[l.ID] || !flowlogs.IsID(l.ID) {
				t.Fatalf("flow log %+v is here twice, or has no id", l)
			}
			ids[l.ID] = true
			if _, err := flowlogs.PlaceOf(l); err != nil {
				t.Fatal(err)
			}
		}
		sameFile(t, whole)
	})
}
