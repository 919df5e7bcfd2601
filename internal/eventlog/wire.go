package eventlog

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// array builds a one-dimensional array in PostgreSQL's binary format. The hot statements take some thirty arrays each, so
// that they are written without reflection and into memory that is used again.
type array struct {
	buf   []byte
	n     int
	nulls bool
}

const arrayHeader = 20

func (a *array) reset() {
	if cap(a.buf) > 4<<20 { // one huge batch must not pin its memory
		a.buf = nil
	}
	a.buf = append(a.buf[:0], make([]byte, arrayHeader)...)
	a.n, a.nulls = 0, false
}

func (a *array) int4(v int32) {
	a.n++
	a.buf = binary.BigEndian.AppendUint32(append(a.buf, 0, 0, 0, 4), uint32(v))
}

func (a *array) int8(v int64) {
	a.n++
	a.buf = binary.BigEndian.AppendUint64(append(a.buf, 0, 0, 0, 8), uint64(v))
}

func (a *array) uuid(v uuid.UUID) {
	a.n++
	a.buf = append(append(a.buf, 0, 0, 0, 16), v[:]...)
}

func (a *array) bytes(v []byte) {
	a.n++
	a.buf = append(binary.BigEndian.AppendUint32(a.buf, uint32(len(v))), v...)
}

func (a *array) text(v string) {
	a.n++
	a.buf = append(binary.BigEndian.AppendUint32(a.buf, uint32(len(v))), v...)
}

func (a *array) null() {
	a.n++
	a.nulls = true
	a.buf = append(a.buf, 0xff, 0xff, 0xff, 0xff)
}

// param is the finished parameter; an empty array is NULL, of which unnest makes no rows either.
func (a *array) param(oid uint32) []byte {
	if a.n == 0 {
		return nil
	}
	b := a.buf
	binary.BigEndian.PutUint32(b[0:], 1)
	binary.BigEndian.PutUint32(b[4:], 0)
	if a.nulls {
		binary.BigEndian.PutUint32(b[4:], 1)
	}
	binary.BigEndian.PutUint32(b[8:], oid)
	binary.BigEndian.PutUint32(b[12:], uint32(a.n))
	binary.BigEndian.PutUint32(b[16:], 1)
	return b
}

// elements calls each for every element of an array in binary format, with nil for NULL, counted from its lower bound − 1.
func elements(b []byte, each func(i int, v []byte)) error {
	if len(b) < 12 {
		return fmt.Errorf("array of %d bytes", len(b))
	}
	if binary.BigEndian.Uint32(b) == 0 {
		return nil
	}
	if binary.BigEndian.Uint32(b) != 1 || len(b) < arrayHeader {
		return fmt.Errorf("array of %d dimensions", binary.BigEndian.Uint32(b))
	}
	n, low := int(binary.BigEndian.Uint32(b[12:])), int(int32(binary.BigEndian.Uint32(b[16:])))
	b = b[arrayHeader:]
	for i := range n {
		if len(b) < 4 {
			return fmt.Errorf("array ends at element %d of %d", i, n)
		}
		size := int(int32(binary.BigEndian.Uint32(b)))
		b = b[4:]
		if size < 0 {
			each(i+low-1, nil)
			continue
		}
		if len(b) < size {
			return fmt.Errorf("array ends in element %d of %d", i, n)
		}
		each(i+low-1, b[:size])
		b = b[size:]
	}
	return nil
}

func int8Of(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }
func int4Of(b []byte) int32 { return int32(binary.BigEndian.Uint32(b)) }

// PostgreSQL counts microseconds from the year 2000.
const epoch = 946684800 * 1_000_000

func timeOf(b []byte) time.Time      { return time.UnixMicro(int8Of(b) + epoch).UTC() }
func timeParam(t time.Time) int64    { return t.UnixMicro() - epoch }
func int8Param(v int64) []byte       { return binary.BigEndian.AppendUint64(nil, uint64(v)) }
func int4Param(v int32) []byte       { return binary.BigEndian.AppendUint32(nil, uint32(v)) }
func uuidOf(b []byte) (id uuid.UUID) { copy(id[:], b); return id }

// Columns of an event, in the order of RawOf; the bare ones are without the payload of what an app published.
const (
	Columns     = head + `payload` + tail
	BareColumns = head + `CASE WHEN source_app_id = 'core' THEN payload END AS payload` + tail

	head = `position, id, tenant_id, tenant_seq, source_app_id, type, `
	tail = `, metadata, tags, request_id, occurred_at, created_at`
)

// RawOf decodes a row of Columns in binary format; it copies what it keeps. Of payload, metadata and tags who asks may leave some
// out: what is NULL in the row is nil in the event.
func RawOf(v [][]byte) (Raw, error) {
	if len(v) != 12 {
		return Raw{}, fmt.Errorf("event of %d columns", len(v))
	}
	body := make([]byte, len(v[6])+len(v[7]))
	copy(body, v[6])
	copy(body[len(v[6]):], v[7])
	e := Raw{
		Position: int8Of(v[0]), ID: uuidOf(v[1]), Tenant: uuidOf(v[2]), TenantSeq: int8Of(v[3]),
		SourceApp: "core", Type: string(v[5]),
		RequestID: uuidOf(v[9]), OccurredAt: timeOf(v[10]), CreatedAt: timeOf(v[11]),
	}
	if string(v[4]) != "core" {
		e.SourceApp = string(v[4])
	}
	if v[6] != nil {
		e.Payload = body[:len(v[6]):len(v[6])]
	}
	if v[7] != nil {
		e.Metadata = body[len(v[6]):]
	}
	if v[8] == nil {
		return e, nil
	}
	err := elements(v[8], func(_ int, t []byte) { e.Tags = append(e.Tags, string(t)) })
	return e, err
}

// Element types of the arrays.
const (
	oidInt4 = pgtype.Int4OID
	oidInt8 = pgtype.Int8OID
	oidUUID = pgtype.UUIDOID
	oidByte = pgtype.ByteaOID
	oidText = pgtype.TextOID
	oidJSON = pgtype.JSONOID
	oidTime = pgtype.TimestamptzOID
)
