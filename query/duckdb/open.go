//go:build cgo && !noduckdb

package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"

	driver "github.com/duckdb/duckdb-go/v2"

	"weir/flowlog"
	"weir/query"
)

// database is one in-memory DuckDB.
type database struct {
	db      *sql.DB
	threads int // 0: DuckDB's default

	mu    sync.Mutex // guards views
	views int        // table functions registered: each view reads its own
}

var _ query.Engine = (*database)(nil)

// Open starts an empty database and locks it. The caller must close it.
func Open(ctx context.Context, cfg Config) (query.Engine, error) {
	if err := checkDriver(); err != nil {
		return nil, err
	}
	connector, err := driver.NewConnector("?"+options(cfg).Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("start DuckDB: %w", err)
	}
	d := &database{db: sql.OpenDB(connector), threads: cfg.Threads}
	// The order matters: once the configuration is locked nothing can be set.
	for _, statement := range []string{"SET enable_external_access=false", "SET lock_configuration=true"} {
		if _, err := d.db.ExecContext(ctx, statement); err != nil {
			return nil, errors.Join(fmt.Errorf("lock DuckDB: %s: %w", statement, err), d.Close())
		}
	}
	return d, nil
}

func options(cfg Config) url.Values {
	o := url.Values{
		// Nothing is fetched behind the user's back; what is needed is built in.
		"autoinstall_known_extensions": {"false"},
		"autoload_known_extensions":    {"false"},
		// A view has no order of its own; keeping one costs memory.
		"preserve_insertion_order": {"false"},
		// Never empty: DuckDB would then write to .tmp in the working directory.
		"temp_directory": {cfg.TempDir},
	}
	if cfg.TempDir == "" {
		o.Set("max_temp_directory_size", "0KiB")
	}
	if cfg.MemoryLimit > 0 {
		o.Set("memory_limit", strconv.FormatInt(cfg.MemoryLimit>>10, 10)+"KiB")
	}
	if cfg.Threads > 0 {
		o.Set("threads", strconv.Itoa(cfg.Threads))
	}
	return o
}

// Close ends the database. Queries must have ended.
func (d *database) Close() error {
	if err := d.db.Close(); err != nil {
		return fmt.Errorf("close DuckDB: %w", err)
	}
	return nil
}

// FlowLogs registers src as a table function and puts the view over it.
func (d *database) FlowLogs(ctx context.Context, src query.Source, w query.Window) error {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to DuckDB: %w", err)
	}
	defer conn.Close()
	// A function cannot be replaced: a new source gets a new name.
	d.mu.Lock()
	d.views++
	name := "weir_records_" + strconv.Itoa(d.views)
	d.mu.Unlock()
	if err := driver.RegisterTableUDF(conn, name, recordsFunction(src, d.threads)); err != nil {
		return fmt.Errorf("register the records with DuckDB: %w", err)
	}
	if _, err := conn.ExecContext(ctx, viewSQL(name, w)); err != nil {
		return fmt.Errorf("make the view %s: %w", query.View, err)
	}
	return nil
}

// viewSQL holds no user's text: names come from the field table, times are numbers.
func viewSQL(function string, w query.Window) string {
	var columns []string
	for i := range flowlog.Fields() {
		columns = append(columns, quote(flowlog.Fields()[i].Column()))
	}
	s := "CREATE OR REPLACE VIEW " + quote(query.View) + " AS SELECT " + strings.Join(columns, ", ") + " FROM " + function + "()"
	var conditions []string
	if !w.From.IsZero() {
		conditions = append(conditions, quote("end")+" >= "+strconv.FormatInt(ceilSecond(w.From), 10))
	}
	if !w.To.IsZero() {
		conditions = append(conditions, quote("end")+" < "+strconv.FormatInt(ceilSecond(w.To), 10))
	}
	if len(conditions) > 0 {
		s += " WHERE " + strings.Join(conditions, " AND ")
	}
	return s
}

func quote(identifier string) string {
	return `"` + strings.ReplaceAll(identifier, `"`, `""`) + `"`
}
