package ddl

import (
	"path"
	"strings"
)

// Engine is something that can read flow logs where they lie.
type Engine struct {
	Name  string
	About string // one line for people
	Local bool   // it reads directories, not only s3://

	write func(*Table) string
	// adjust is what the engine's name decides; may be nil.
	adjust func(*Table)
	// single: the location may name a file or a pattern of files.
	single bool
}

// engines is the one list.
var engines = []*Engine{&athena, &athenaParquet, &trino, &duckDB, &clickHouse}

// Engines returns every engine. The caller must not change it.
func Engines() []*Engine { return engines }

// EngineByName finds an engine.
func EngineByName(name string) (*Engine, bool) {
	for _, e := range engines {
		if e.Name == name {
			return e, true
		}
	}
	return nil, false
}

// Define writes the definition of a table, which ends with a line feed.
func (e *Engine) Define(t Table) (string, error) {
	if e.adjust != nil {
		e.adjust(&t)
	}
	t, err := t.prepare(e)
	if err != nil {
		return "", err
	}
	return e.write(&t), nil
}

// files reports whether the location names files instead of what AWSLogs/ is in.
func (e *Engine) files(location string) bool {
	switch path.Ext(strings.TrimRight(location, "/")) {
	case ".log", ".gz", ".parquet":
		return e.single
	}
	return false
}

// Athena is Amazon Athena's table, partitions projected: no object must be
// announced to it.
func Athena(t Table) (string, error) { return athena.Define(t) }

// AthenaParquet is [Athena]'s for objects in Parquet.
func AthenaParquet(t Table) (string, error) { return athenaParquet.Define(t) }

// Trino is a table of Trino's Hive connector.
func Trino(t Table) (string, error) { return trino.Define(t) }

// DuckDB is a view.
func DuckDB(t Table) (string, error) { return duckDB.Define(t) }

// ClickHouse is a table and the statement that fills it.
func ClickHouse(t Table) (string, error) { return clickHouse.Define(t) }
