package declare

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a file. They stand before every step whose cost they limit.
const (
	// MaxSize is enough for vpc.MaxRules rules on a line each, twice over.
	MaxSize = 16 << 20
	// maxFullSize bounds files that need all of YAML: the library takes about
	// 100 bytes of memory for each of the file's.
	maxFullSize = 1 << 20
	maxDepth    = 32        // lists and mappings inside each other; the format needs ten
	maxNodes    = 2_000_000 // after anchors are expanded
)

type nodeKind uint8

const (
	nullNode nodeKind = iota
	scalarNode
	listNode
	mappingNode
)

func (k nodeKind) String() string {
	return [...]string{"nothing", "a word", "a list", "a mapping"}[k]
}

// node is a value of the file. Scalars stay as they are written: an account id
// is no number.
type node struct {
	kind   nodeKind
	index  int32 // in a list
	line   int32 // from 1, as the column
	column int32
	text   string
	keys   []key // of a mapping, each with the item of the same index
	items  []*node
	parent *node
}

// key is a mapping's key.
type key struct {
	name         string
	line, column int32
	merged       bool // it came from another mapping by "<<"
}

// get is the value of a key, or nil.
func (n *node) get(name string) *node {
	if n.kind != mappingNode {
		return nil
	}
	for i := range n.keys {
		if n.keys[i].name == name {
			return n.items[i]
		}
	}
	return nil
}

// path is the way to the node: vpcs[0].subnets[1].cidrs[0].
func (n *node) path() string {
	var steps []string
	for ; n.parent != nil; n = n.parent {
		p := n.parent
		if p.kind == listNode {
			steps = append(steps, "["+strconv.Itoa(int(n.index))+"]")
			continue
		}
		steps = append(steps, "."+p.keys[n.index].name)
	}
	var b strings.Builder
	for _, s := range slices.Backward(steps) {
		b.WriteString(s)
	}
	return strings.TrimPrefix(b.String(), ".")
}

// syntaxError is text that is no tree.
type syntaxError struct {
	line, column int
	msg          string
	hint         string
}

func (e *syntaxError) Error() string { return e.msg }

// parse reads the file's one document.
func parse(data []byte) (*node, *syntaxError) {
	if len(data) > MaxSize {
		return nil, &syntaxError{msg: fmt.Sprintf("the file is larger than %d MiB", MaxSize>>20)}
	}
	n, plain := parsePlain(string(data))
	if plain == nil {
		return n, nil
	}
	if len(data) > maxFullSize {
		plain.msg = fmt.Sprintf("a file of more than %d MiB must be plain, and here it is not: %s", maxFullSize>>20, plain.msg)
		plain.hint = "write it without anchors, tags, escapes and texts of several lines"
		return nil, plain
	}
	return parseYAML(data)
}

// adopt makes n the parent of its items.
func (n *node) adopt() {
	for i, item := range n.items {
		item.parent, item.index = n, int32(i)
	}
}
