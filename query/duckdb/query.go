//go:build cgo && !noduckdb

package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"weir/query"
)

// Query runs sql; several statements answer with the last one's rows.
func (d *database) Query(ctx context.Context, sqlText string) (query.Rows, error) {
	open := &openReaders{readers: map[query.Reader]struct{}{}}
	sqlRows, err := d.db.QueryContext(context.WithValue(ctx, openReadersKey{}, open), sqlText)
	if err != nil {
		open.closeAll()
		return nil, queryError(ctx, sqlText, err)
	}
	r := &rows{ctx: ctx, sql: sqlRows, text: sqlText, open: open}
	if err := r.describe(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// rows is an answer. It is no longer-lived than its query, whose context it
// keeps to tell an interrupt from an error.
type rows struct {
	ctx     context.Context
	sql     *sql.Rows
	text    string
	open    *openReaders
	columns []query.ResultColumn
	values  []any
	targets []any // pointers to values
	err     error
}

func (r *rows) describe() error {
	types, err := r.sql.ColumnTypes()
	if err != nil {
		return fmt.Errorf("columns of the answer: %w", err)
	}
	r.values, r.targets = make([]any, len(types)), make([]any, len(types))
	for i, t := range types {
		name := t.DatabaseTypeName()
		r.columns = append(r.columns, query.ResultColumn{Name: t.Name(), Type: name, Number: isNumber(name)})
		r.targets[i] = &r.values[i]
	}
	return nil
}

func (r *rows) Columns() []query.ResultColumn { return r.columns }

func (r *rows) Next() bool {
	if r.err != nil || !r.sql.Next() {
		return false
	}
	if r.err = r.sql.Scan(r.targets...); r.err != nil {
		return false
	}
	for i, v := range r.values {
		r.values[i] = plain(v, r.columns[i].Type)
	}
	return true
}

func (r *rows) Values() []any { return r.values }

func (r *rows) Err() error {
	if err := errors.Join(r.err, r.sql.Err()); err != nil {
		return queryError(r.ctx, r.text, err)
	}
	return nil
}

func (r *rows) Close() error {
	err := r.sql.Close()
	r.open.closeAll()
	return err
}
