package duckdb

// Config bounds what a database may use. The zero value is ready for use.
type Config struct {
	// MemoryLimit is in bytes; 0 is DuckDB's own, 80 % of the machine.
	MemoryLimit int64
	// Threads is how many read and compute; 0 is one per core.
	Threads int
	// TempDir takes what does not fit into memory. DuckDB makes it when it
	// needs it and removes what it wrote. Empty: nothing spills, a query that
	// needs more than MemoryLimit fails.
	TempDir string
}
