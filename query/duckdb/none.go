//go:build !cgo || noduckdb

package duckdb

import (
	"context"

	"weir/query"
)

// Open always fails in this build.
func Open(context.Context, Config) (query.Engine, error) { return nil, notBuiltError{} }

// notBuiltError says how to get a Weir that can answer.
type notBuiltError struct{}

func (notBuiltError) Error() string {
	return "this build of weir holds no DuckDB, so it cannot answer SQL"
}

func (notBuiltError) Hint() string {
	return "build with CGO_ENABLED=1 and without the tag noduckdb, or copy the bucket to a machine with such a build"
}
