//go:build !cgo || noduckdb

package main

const hasDuckDB = false
