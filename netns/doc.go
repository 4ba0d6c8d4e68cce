// Package netns makes named network namespaces, runs functions inside them and
// starts processes inside them.
//
// The names are those of ip-netns(8): "ip netns exec NAME …" works on them.
// A function runs on a locked operating system thread; Go's dialler may use any
// thread, so whatever opens connections must be a process of its own, see
// [Namespace.Start].
package netns
