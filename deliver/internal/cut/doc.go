// Package cut compares the parts of a batch that is made again after a crash with
// the notes of those that it was cut into before.
package cut
