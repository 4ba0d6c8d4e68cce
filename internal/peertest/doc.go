// Package peertest delivers flow logs to implementations of AWS's services that
// nobody here wrote, and reads them back.
//
//	records ─ deliver/… ─▶ moto's server ─ AWS's SDK ─▶ records again
//
// The tests need servers that "make test-peers" starts; without them they are
// skipped. A peer is no proof of how AWS refuses and throttles: moto accepts
// nearly everything and looks at no signature.
package peertest
