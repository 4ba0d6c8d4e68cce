package main

import (
	"path/filepath"
	"strings"
)

// bucketsDir is where the local buckets are.
func (a *app) bucketsDir() string { return filepath.Join(a.dataDir, "buckets") }

// bucketPath is the directory or file that a --bucket means: the name of a local
// bucket, s3://NAME/PREFIX for a part of it, or a path (with a slash or a dot in
// front) to any directory or object.
func (a *app) bucketPath(bucket string) string {
	if name, ok := strings.CutPrefix(bucket, "s3://"); ok {
		return filepath.Join(a.bucketsDir(), filepath.FromSlash(name))
	}
	if strings.ContainsAny(bucket, `/\`) || strings.HasPrefix(bucket, ".") {
		return filepath.Clean(bucket)
	}
	return filepath.Join(a.bucketsDir(), bucket)
}
