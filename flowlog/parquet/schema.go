package parquet

import "weir/flowlog"

// Numbers of parquet.thrift.
const (
	magic = "PAR1"

	physicalInt32     = 1
	physicalInt64     = 2
	physicalByteArray = 6

	required = 0
	optional = 1

	convertedUTF8   = 0
	convertedUint8  = 11
	convertedUint64 = 14
	convertedInt8   = 15
	convertedInt64  = 18

	encodingPlain            = 0
	encodingPlainDictionary  = 2
	encodingRLE              = 3
	encodingDelta            = 5
	encodingDeltaLengthBytes = 6
	encodingDeltaBytes       = 7
	encodingRLEDictionary    = 8

	pageData       = 0
	pageIndex      = 1
	pageDictionary = 2
	pageDataV2     = 3
)

// physicals names the physical types for errors.
var physicals = [...]string{"BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"}

func physicalOf(t flowlog.Type) int {
	switch t {
	case flowlog.Int32:
		return physicalInt32
	case flowlog.Int64:
		return physicalInt64
	}
	return physicalByteArray
}

// slot is one column of a format: which field, in what type.
type slot struct {
	field *flowlog.Field
	kind  flowlog.Type
}

func slotsOf(f flowlog.Format) []slot {
	slots := make([]slot, len(f.Fields()))
	for i, field := range f.Fields() {
		slots[i] = slot{field, f.ColumnType(i)}
	}
	return slots
}

// fieldsByColumn maps the column names of all fields to them.
func fieldsByColumn() map[string]*flowlog.Field {
	fields := flowlog.Fields()
	byColumn := make(map[string]*flowlog.Field, len(fields))
	for i := range fields {
		byColumn[fields[i].Column()] = &fields[i]
	}
	return byColumn
}
