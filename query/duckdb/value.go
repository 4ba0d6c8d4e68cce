//go:build cgo && !noduckdb

package duckdb

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"time"

	driver "github.com/duckdb/duckdb-go/v2"
)

// isNumber reports whether people want a column of this DuckDB type aligned to
// the right.
func isNumber(typeName string) bool {
	base, _, _ := strings.Cut(typeName, "(")
	switch base {
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
		"FLOAT", "DOUBLE", "DECIMAL", "BIGNUM":
		return true
	}
	return false
}

// plain turns a driver's value into one of those that query.Rows promises.
func plain(v any, typeName string) any {
	switch v := v.(type) {
	case nil, bool, int64, float64, string:
		return v
	case int8:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case uint8:
		return int64(v)
	case uint16:
		return int64(v)
	case uint32:
		return int64(v)
	case uint64:
		return wholeNumber(new(big.Int).SetUint64(v))
	case float32:
		return float64(v)
	case *big.Int: // HUGEINT: what sum(bytes) gives
		return wholeNumber(v)
	case driver.Decimal:
		return json.Number(v.String())
	case time.Time:
		return formatTime(v, typeName)
	case driver.Interval:
		return formatInterval(v)
	case driver.UUID:
		return v.String()
	case []byte:
		if typeName == "UUID" && len(v) == 16 {
			return fmt.Sprintf("%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:])
		}
		return blob(v)
	case []any:
		for i := range v {
			v[i] = plain(v[i], "")
		}
		return v
	case map[string]any: // STRUCT
		for k := range v {
			v[k] = plain(v[k], "")
		}
		return v
	case driver.Map:
		m := make(map[string]any, len(v))
		for k, value := range v {
			m[fmt.Sprint(plain(k, ""))] = plain(value, "")
		}
		return m
	case driver.OrderedMap:
		m := make(map[string]any, v.Len())
		for i, k := range v.Keys() {
			m[fmt.Sprint(plain(k, ""))] = plain(v.Values()[i], "")
		}
		return m
	}
	return fmt.Sprint(v)
}

func wholeNumber(v *big.Int) any {
	if v.IsInt64() {
		return v.Int64()
	}
	return json.Number(v.String())
}

// formatTime writes a time as DuckDB's own shell does, in UTC.
func formatTime(t time.Time, typeName string) string {
	switch typeName {
	case "DATE":
		return t.UTC().Format("2006-01-02")
	case "TIME", "TIMETZ", "TIME WITH TIME ZONE":
		return t.UTC().Format("15:04:05.999999")
	case "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE":
		return t.UTC().Format("2006-01-02 15:04:05.999999Z07:00")
	}
	return t.UTC().Format("2006-01-02 15:04:05.999999999")
}

func formatInterval(i driver.Interval) string {
	var parts []string
	if i.Months != 0 {
		parts = append(parts, fmt.Sprintf("%d months", i.Months))
	}
	if i.Days != 0 {
		parts = append(parts, fmt.Sprintf("%d days", i.Days))
	}
	if i.Micros != 0 || len(parts) == 0 {
		parts = append(parts, (time.Duration(i.Micros) * time.Microsecond).String())
	}
	return strings.Join(parts, " ")
}

// blob writes bytes as DuckDB does: \xAB where they are not printable ASCII.
func blob(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		if c < ' ' || c > '~' || c == '\\' {
			fmt.Fprintf(&s, `\x%02X`, c)
		} else {
			s.WriteByte(c)
		}
	}
	return s.String()
}
