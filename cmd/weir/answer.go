package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"

	"weir/query"
)

// printTable prints an answer for people.
func printTable(w io.Writer, rows query.Rows) (n int64, err error) {
	var header []string
	var right []bool
	for _, c := range rows.Columns() {
		header, right = append(header, c.Name), append(right, c.Number)
	}
	t := newTable(w, header, right)
	cells := make([]string, len(header))
	for rows.Next() {
		for i, v := range rows.Values() {
			cells[i] = cellText(v)
		}
		if err := t.Row(cells); err != nil {
			return n, err
		}
		n++
	}
	if err := rows.Err(); err != nil {
		return n, err
	}
	return n, t.Close()
}

func cellText(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []any, map[string]any:
		b, err := json.Marshal(finite(v))
		if err == nil {
			return string(b)
		}
	}
	return fmt.Sprint(v)
}

// printJSON prints one object per row and line, its names in the order of the
// columns. Numbers beyond 64 bits are written in full.
func printJSON(w io.Writer, rows query.Rows) (n int64, err error) {
	out := bufio.NewWriter(w)
	var names [][]byte
	for _, c := range rows.Columns() {
		name, err := json.Marshal(c.Name)
		if err != nil {
			return 0, err
		}
		names = append(names, name)
	}
	var line []byte
	for rows.Next() {
		line = append(line[:0], '{')
		for i, v := range rows.Values() {
			if i > 0 {
				line = append(line, ',')
			}
			value, err := json.Marshal(finite(v))
			if err != nil {
				return n, fmt.Errorf("column %s: %w", rows.Columns()[i].Name, err)
			}
			line = append(append(append(line, names[i]...), ':'), value...)
		}
		if _, err := out.Write(append(line, '}', '\n')); err != nil {
			return n, err
		}
		n++
	}
	if err := rows.Err(); err != nil {
		return n, err
	}
	return n, out.Flush()
}

// finite replaces what JSON has no number for by its name.
func finite(v any) any {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
	case []any:
		for i := range v {
			v[i] = finite(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = finite(v[k])
		}
	}
	return v
}
