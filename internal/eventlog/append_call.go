package eventlog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The parameters of core.append_batch, in order, as the arrays of an encoder. now_at and requests come first, by themselves.
const (
	pReq = iota
	pID
	pPrint
	pFirst
	pLast
	aReq
	aAfter
	aTag
	aType
	bReq
	bAfter
	bTag
	bType
	bRest
	dReq
	dAfter
	dTag
	tID
	eReq
	ePart
	eTenant
	eSeq
	eID
	eApp
	eType
	ePayload
	eMetadata
	eTags
	eAt
	gEvent
	gTag
	gType
	kReq
	kTenant
	kSubject
	kWrapped
	arrays
)

func arrayOIDs() [arrays]uint32 {
	return [arrays]uint32{
		pReq: oidInt4, pID: oidUUID, pPrint: oidByte, pFirst: oidInt4, pLast: oidInt4,
		aReq: oidInt4, aAfter: oidInt8, aTag: oidInt8, aType: oidInt4,
		bReq: oidInt4, bAfter: oidInt8, bTag: oidInt8, bType: oidInt4, bRest: oidText,
		dReq: oidInt4, dAfter: oidInt8, dTag: oidInt8,
		tID:  oidUUID,
		eReq: oidInt4, ePart: oidInt4, eTenant: oidInt4, eSeq: oidInt4, eID: oidUUID, eApp: oidText, eType: oidText,
		ePayload: oidJSON, eMetadata: oidJSON, eTags: oidText, eAt: oidTime,
		gEvent: oidInt4, gTag: oidInt8, gType: oidInt4,
		kReq: oidInt4, kTenant: oidUUID, kSubject: oidUUID, kWrapped: oidByte,
	}
}

// appendSQL calls the function with every parameter by its place.
func appendSQL() string {
	var places []string
	for i := range arrays + 2 {
		places = append(places, fmt.Sprintf("$%d", i+1))
	}
	return "SELECT base, at, seqs, st, part, f, l, known_at FROM core.append_batch(" + strings.Join(places, ", ") + ")"
}

// encoder turns batches into parameters. It belongs to the appender and keeps its memory.
type encoder struct {
	a       [arrays]array
	oids    [arrays]uint32
	tenants map[uuid.UUID]int32 // place in t_id
	seqs    []int32             // events so far, by that place
	params  [arrays + 2][]byte
}

func newEncoder() *encoder {
	return &encoder{oids: arrayOIDs(), tenants: map[uuid.UUID]int32{}}
}

// encode writes a batch; what it returns is valid until the next call.
func (x *encoder) encode(calls []*call, now time.Time) [][]byte {
	for i := range x.a {
		x.a[i].reset()
	}
	clear(x.tenants)
	x.seqs = x.seqs[:0]
	events, parts, timed := int32(0), int32(0), false
	for i, c := range calls {
		req := int32(i + 1)
		x.probes(req, c.probes)
		next := 0 // event of this request
		for _, p := range c.req.Parts {
			parts++
			x.a[pReq].int4(req)
			x.a[pID].uuid(p.ID)
			x.a[pPrint].bytes(p.Fingerprint)
			x.a[pFirst].int4(events + 1)
			for range p.Events {
				events++
				x.event(req, parts, events, &c.req.Events[next], &c.events[next], c.early)
				next++
			}
			x.a[pLast].int4(events)
		}
		for _, k := range c.req.Keys {
			x.a[kReq].int4(req)
			x.a[kTenant].uuid(k.Tenant)
			x.a[kSubject].uuid(k.Subject)
			x.a[kWrapped].bytes(k.Wrapped)
		}
		timed = timed || c.timed
	}
	x.params[0] = int8Param(timeParam(now))
	x.params[1] = int4Param(int32(len(calls)))
	for i := range x.a {
		x.params[i+2] = x.a[i].param(x.oids[i])
	}
	if !timed {
		x.params[eAt+2] = nil
	}
	return x.params[:]
}

func (x *encoder) probes(req int32, probes []probe) {
	for i := range probes {
		p := &probes[i]
		if !p.anyKind && p.rest == "" {
			x.a[aReq].int4(req)
			x.a[aAfter].int8(p.after)
			x.a[aTag].int8(p.tag)
			x.a[aType].int4(p.kind)
			continue
		}
		if p.rest == "" {
			x.a[dReq].int4(req)
			x.a[dAfter].int8(p.after)
			x.a[dTag].int8(p.tag)
			continue
		}
		x.a[bReq].int4(req)
		x.a[bAfter].int8(p.after)
		x.a[bTag].int8(p.tag)
		if p.anyKind {
			x.a[bType].null()
		} else {
			x.a[bType].int4(p.kind)
		}
		x.a[bRest].text(p.rest)
	}
}

func (x *encoder) event(req, part, n int32, e *Raw, h *hashed, early bool) {
	t, ok := x.tenants[e.Tenant]
	if !ok {
		t = int32(len(x.tenants) + 1)
		x.tenants[e.Tenant] = t
		x.seqs = append(x.seqs, 0)
		x.a[tID].uuid(e.Tenant)
	}
	x.seqs[t-1]++
	x.a[eReq].int4(req)
	x.a[ePart].int4(part)
	x.a[eTenant].int4(t)
	x.a[eSeq].int4(x.seqs[t-1])
	x.a[eID].uuid(e.ID)
	x.a[eApp].text(e.SourceApp)
	x.a[eType].text(e.Type)
	x.a[ePayload].bytes(e.Payload)
	x.a[eMetadata].bytes(e.Metadata)
	x.a[eTags].text(h.joined)
	switch {
	case early:
		x.a[eAt].int8(1<<63 - 1) // infinity: in the future of any clock
	case e.OccurredAt.IsZero():
		x.a[eAt].null()
	default:
		x.a[eAt].int8(timeParam(e.OccurredAt))
	}
	for _, tag := range h.tags {
		x.a[gEvent].int4(n)
		x.a[gTag].int8(tag)
		x.a[gType].int4(h.kind)
	}
}

// outcome is what the database said of a batch, one verdict per call.
type outcome struct {
	verdicts []Verdict
	seqs     []int64 // newest tenant_seq before the batch, by place in t_id
}

// call commits a batch on a connection.
func (x *encoder) call(ctx context.Context, s *session, calls []*call, now time.Time) (outcome, error) {
	var o outcome
	err := s.each(ctx, appendStatement, x.encode(calls, now), func(v [][]byte) (err error) {
		o, err = decodeOutcome(v, calls)
		return err
	})
	if err == nil && len(o.verdicts) != len(calls) {
		err = fmt.Errorf("%w: append_batch answered for %d of %d requests", errGarbled, len(o.verdicts), len(calls))
	}
	return o, err
}

func decodeOutcome(v [][]byte, calls []*call) (outcome, error) {
	if len(v) != 8 {
		return outcome{}, fmt.Errorf("append_batch answered %d columns", len(v))
	}
	base, at := int8Of(v[0]), timeOf(v[1])
	o := outcome{verdicts: make([]Verdict, len(calls))}
	var failed error
	read := func(b []byte, each func(i int, v []byte)) {
		if b == nil || failed != nil {
			return
		}
		failed = elements(b, func(i int, e []byte) {
			if e != nil {
				each(i, e)
			}
		})
	}
	read(v[2], func(_ int, e []byte) { o.seqs = append(o.seqs, int8Of(e)) })
	read(v[3], func(i int, e []byte) { o.verdicts[i].Status = statusOf(e[1]) })
	part := make([]int, len(calls))
	read(v[4], func(i int, e []byte) { part[i] = int(int4Of(e)) - 1 })
	read(v[5], func(i int, e []byte) { o.verdicts[i].First = int8Of(e) })
	read(v[6], func(i int, e []byte) { o.verdicts[i].Last = int8Of(e) })
	read(v[7], func(i int, e []byte) { o.verdicts[i].CreatedAt = timeOf(e) })
	parts := 0
	for i, c := range calls {
		d := &o.verdicts[i]
		switch d.Status {
		case Accepted:
			d.First, d.Last, d.CreatedAt = base+1, base+int64(len(c.req.Events)), at
			base = d.Last
		case Conflict:
			*d = Verdict{Status: Conflict, ConflictAt: d.First}
		case Duplicate, KeyReused:
			d.Part = part[i] - parts
		case TooEarly: // says all
		}
		if d.Status == KeyReused {
			d.First, d.Last, d.CreatedAt = 0, 0, time.Time{}
		}
		parts += len(c.req.Parts)
	}
	return o, failed
}

// statusOf reads the function's numbers, which are those of Status.
func statusOf(b byte) Status { return Status(b) }
