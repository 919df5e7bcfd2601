package replay

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"
)

// A cell is nil for NULL, or of the one Go type of its column's kind: uuid.UUID, string, int64, float64,
// bool, time.Time (UTC, whole microseconds), json.RawMessage, []byte, []string, []uuid.UUID, []int64.

// values turns statement arguments into cells the way pgx would send them. Not for concurrent use.
type values struct{ types *pgtype.Map }

func newValues() values {
	m := pgtype.NewMap()
	pgxuuid.Register(m)
	return values{m}
}

// cell keeps what already is a cell, because it was boxed by the caller; the rest goes the long way,
// through pgx's own encoder.
func (v values) cell(c *Column, arg any) (any, error) { //nolint:cyclop,gocognit // one short case for each type
	switch a := arg.(type) {
	case nil:
		return nil, nil
	case uuid.UUID:
		if c.kind == kindUUID {
			return arg, nil
		}
	case string:
		if c.kind == kindText {
			return arg, nil
		}
	case int64:
		if c.kind == kindInt {
			return arg, nil
		}
	case int32:
		if c.kind == kindInt {
			return int64(a), nil
		}
	case bool:
		if c.kind == kindBool {
			return arg, nil
		}
	case time.Time:
		if c.kind == kindTime {
			if a.Location() == time.UTC && a.Nanosecond()%1000 == 0 {
				return arg, nil
			}
			return a.UTC().Truncate(time.Microsecond), nil
		}
	case *string:
		if a == nil {
			return nil, nil
		}
		if c.kind == kindText {
			return *a, nil
		}
	case *uuid.UUID:
		if a == nil {
			return nil, nil
		}
		if c.kind == kindUUID {
			return *a, nil
		}
	case *time.Time:
		if a == nil {
			return nil, nil
		}
		return v.cell(c, *a)
	case json.RawMessage:
		if a == nil {
			return nil, nil
		}
		if c.kind == kindJSON || c.kind == kindJSONB {
			return arg, nil
		}
	case []byte:
		if a == nil {
			return nil, nil
		}
		switch c.kind {
		case kindBytes:
			return arg, nil
		case kindJSON, kindJSONB:
			return json.RawMessage(a), nil
		default: // the long way
		}
	case []string:
		if a == nil {
			return nil, nil
		}
		if c.kind == kindTexts {
			return arg, nil
		}
	}
	return v.encoded(c, arg)
}

func (v values) encoded(c *Column, arg any) (any, error) {
	t, ok := v.types.TypeForName(c.Type)
	if !ok {
		return nil, fmt.Errorf("column %s: pgx does not know type %s", c.Name, c.Type)
	}
	buf, err := v.types.Encode(t.OID, pgtype.BinaryFormatCode, arg, []byte{})
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", c.Name, err)
	}
	if buf == nil {
		return nil, nil
	}
	d := newDest(c)
	if err := v.types.Scan(t.OID, pgtype.BinaryFormatCode, buf, d); err != nil {
		return nil, fmt.Errorf("column %s: %w", c.Name, err)
	}
	return cellOf(c, d)
}

// newDest is something to scan a column into; cellOf turns it into a cell.
func newDest(c *Column) any {
	switch c.kind {
	case kindUUID:
		return new(pgtype.UUID)
	case kindText:
		return new(pgtype.Text)
	case kindInt:
		return new(pgtype.Int8)
	case kindFloat:
		return new(pgtype.Float8)
	case kindBool:
		return new(pgtype.Bool)
	case kindTime:
		return new(pgtype.Timestamptz)
	case kindTexts:
		return new([]string)
	case kindUUIDs:
		return new([]uuid.UUID)
	case kindInts:
		return new([]int64)
	default:
		return new([]byte)
	}
}

func cellOf(c *Column, dest any) (any, error) { //nolint:cyclop // one short case for each type
	switch d := dest.(type) {
	case *pgtype.UUID:
		if d.Valid {
			return uuid.UUID(d.Bytes), nil
		}
	case *pgtype.Text:
		if d.Valid {
			return d.String, nil
		}
	case *pgtype.Int8:
		if d.Valid {
			return d.Int64, nil
		}
	case *pgtype.Float8:
		if d.Valid {
			return d.Float64, nil
		}
	case *pgtype.Bool:
		if d.Valid {
			return d.Bool, nil
		}
	case *pgtype.Timestamptz:
		if d.InfinityModifier != pgtype.Finite {
			return nil, fmt.Errorf("column %s: infinite time", c.Name)
		}
		if d.Valid {
			return d.Time.UTC(), nil
		}
	case *[]string:
		if *d != nil {
			return *d, nil
		}
	case *[]uuid.UUID:
		if *d != nil {
			return *d, nil
		}
	case *[]int64:
		if *d != nil {
			return *d, nil
		}
	case *[]byte:
		switch {
		case *d == nil:
		case c.kind == kindBytes:
			return *d, nil
		default:
			return json.RawMessage(*d), nil
		}
	}
	return nil, nil
}

// literal reads a constant of a statement.
func literal(c *Column, text string) (any, error) {
	switch c.kind {
	case kindText:
		return text, nil
	case kindUUID:
		return uuid.Parse(text)
	case kindJSON, kindJSONB:
		return json.RawMessage(text), nil
	case kindInt:
		var n int64
		_, err := fmt.Sscanf(text+"\n", "%d\n", &n)
		return n, err
	case kindBool:
		switch strings.ToLower(text) {
		case "true", "t":
			return true, nil
		case "false", "f":
			return false, nil
		}
	case kindTexts:
		if text == "{}" {
			return []string{}, nil
		}
	case kindUUIDs:
		if text == "{}" {
			return []uuid.UUID{}, nil
		}
	case kindInts:
		if text == "{}" {
			return []int64{}, nil
		}
	default: // no statement has a constant of another kind
	}
	return nil, fmt.Errorf("constant %q for column %s of type %s", text, c.Name, c.Type)
}

// equal compares two cells as PostgreSQL would, and NULL with NULL as equal.
func equal(k kind, a, b any) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	switch k {
	case kindTime:
		return a.(time.Time).Equal(b.(time.Time))
	case kindJSON:
		return bytes.Equal(a.(json.RawMessage), b.(json.RawMessage))
	case kindJSONB:
		return sameJSON(a.(json.RawMessage), b.(json.RawMessage))
	case kindBytes:
		return bytes.Equal(a.([]byte), b.([]byte))
	case kindTexts:
		return slices.Equal(a.([]string), b.([]string))
	case kindUUIDs:
		return slices.Equal(a.([]uuid.UUID), b.([]uuid.UUID))
	case kindInts:
		return slices.Equal(a.([]int64), b.([]int64))
	default:
		return a == b
	}
}

func compare(k kind, a, b any) int {
	switch k {
	case kindInt:
		x, y := a.(int64), b.(int64)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	case kindTime:
		return a.(time.Time).Compare(b.(time.Time))
	default:
		x, y := a.(uuid.UUID), b.(uuid.UUID)
		return bytes.Compare(x[:], y[:])
	}
}

// appendKey adds a primary key cell to a key. No key is a prefix of another one of the same table.
func appendKey(key []byte, cell any) ([]byte, error) {
	switch c := cell.(type) {
	case uuid.UUID:
		return append(key, c[:]...), nil
	case string:
		return append(append(key, c...), 0), nil // PostgreSQL's text has no NUL
	case int64:
		return binary.BigEndian.AppendUint64(key, uint64(c)), nil
	case time.Time:
		return binary.BigEndian.AppendUint64(key, uint64(c.UnixMicro())), nil
	case bool:
		if c {
			return append(key, 1), nil
		}
		return append(key, 0), nil
	default:
		return nil, errors.New("NULL in the primary key")
	}
}

// sameJSON compares as jsonb does: order of keys and form of numbers do not count.
func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	if decodeJSON(a, &x) != nil || decodeJSON(b, &y) != nil {
		return false
	}
	return sameValue(x, y)
}

func decodeJSON(raw json.RawMessage, to *any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode(to)
}

func sameValue(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			if w, ok := y[k]; !ok || !sameValue(v, w) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, sameValue)
	case json.Number:
		y, ok := b.(json.Number)
		if !ok || x == y {
			return ok
		}
		p, ok1 := new(big.Rat).SetString(x.String())
		q, ok2 := new(big.Rat).SetString(y.String())
		return ok1 && ok2 && p.Cmp(q) == 0
	default:
		return a == b
	}
}

// show prints a cell for people.
func show(cell any) string {
	switch c := cell.(type) {
	case nil:
		return "NULL"
	case time.Time:
		return c.Format(time.RFC3339Nano)
	case json.RawMessage:
		return string(c)
	case []byte:
		return fmt.Sprintf("\\x%x", c)
	default:
		return fmt.Sprint(c)
	}
}
