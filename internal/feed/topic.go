package feed

import (
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strconv"

	wsql "github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"

	"chancery/internal/eventlog"
)

// The select of a page locks the offset row for the rest of the transaction, skipping it if another process has it, and reads what
// follows it. One row without an event means that there is nothing new, no row that another process works. A lane reads of an event
// what it has to do with: a follower all there is, a projector not the payload of what apps publish, a reaction nothing but the
// envelope of what it is not told of. What is left out is NULL, as nothing that is stored ever is.
const (
	pageOf = `WITH o AS MATERIALIZED (
	SELECT position FROM core.projection_offsets WHERE projection = $1 FOR UPDATE SKIP LOCKED)
SELECT o.position, e.position, e.id, e.tenant_id, e.tenant_seq, e.source_app_id, e.type, e.payload, e.metadata,
	e.tags, e.request_id, e.occurred_at, e.created_at
FROM o LEFT JOIN LATERAL (
	SELECT `
	afterOffset = `
	FROM core.events WHERE position > o.position ORDER BY position LIMIT $2) e ON true
ORDER BY e.position`

	wholePage     = pageOf + eventlog.Columns + afterOffset
	projectedPage = pageOf + eventlog.BareColumns + afterOffset

	told         = `CASE WHEN source_app_id = 'core' AND type = ANY ($3::text[]) THEN `
	reactionPage = pageOf + `position, id, tenant_id, tenant_seq, source_app_id, type, ` + told + `payload END AS payload, ` +
		told + `metadata END AS metadata, ` + told + `tags END AS tags, request_id, occurred_at, created_at` + afterOffset
)

// updateOffset compares and sets: a checkpoint that has moved since it was read is left alone.
const updateOffset = `UPDATE core.projection_offsets SET position = $1, updated_at = now()
WHERE projection = $2 AND position = $3`

const (
	insertOffset       = `INSERT INTO core.projection_offsets (projection, position) VALUES ($1, 0) ON CONFLICT DO NOTHING`
	insertOffsetAtHead = `INSERT INTO core.projection_offsets (projection, position)
SELECT $1, coalesce(max(position), 0) FROM core.events ON CONFLICT DO NOTHING`
)

// topicSchema makes core.events a Watermill topic.
type topicSchema struct{ lane *lane }

func (topicSchema) InsertQuery(wsql.InsertQueryParams) (wsql.Query, error) {
	return wsql.Query{}, errors.New("feed: the log is written by internal/eventlog only")
}

func (topicSchema) SchemaInitializingQueries(wsql.SchemaInitializingQueriesParams) ([]wsql.Query, error) {
	return nil, nil
}

func (topicSchema) SubscribeIsolationLevel() sql.IsolationLevel { return sql.LevelReadCommitted }

func (s topicSchema) SelectQuery(p wsql.SelectQueryParams) (wsql.Query, error) {
	l := s.lane
	l.mu.Lock()
	defer l.mu.Unlock()
	q := wsql.Query{Query: projectedPage, Args: []any{pgx.QueryResultFormats{pgx.BinaryFormatCode}, p.ConsumerGroup, l.limit}}
	switch {
	case l.follow != nil:
		q.Query = wholePage
	case l.only != nil:
		q.Query, q.Args = reactionPage, append(q.Args, slices.Sorted(maps.Keys(l.only)))
	}
	return q, nil
}

// UnmarshalMessage makes an empty message: the events stay in the unit, found again by number.
func (topicSchema) UnmarshalMessage(p wsql.UnmarshalMessageParams) (wsql.Row, error) {
	r := p.Row.(*parcels)
	d := r.unit.parcels[r.next-1]
	last := d.events[len(d.events)-1].Meta
	m := message.NewMessage(last.ID.String(), nil)
	m.Metadata[parcelKey] = strconv.Itoa(r.next - 1)
	return wsql.Row{Offset: last.Position, Msg: m, ExtraData: map[string]any{unitKey: r.unit}}, nil
}

const (
	parcelKey = "parcel"
	unitKey   = "unit"
)

// offsets keeps checkpoints in core.projection_offsets.
type offsets struct{ lane *lane }

func (offsets) SchemaInitializingQueries(wsql.OffsetsSchemaInitializingQueriesParams) ([]wsql.Query, error) {
	return nil, nil
}

func (o offsets) BeforeSubscribingQueries(p wsql.BeforeSubscribingQueriesParams) ([]wsql.Query, error) {
	insert := insertOffset
	if o.lane.only != nil {
		insert = insertOffsetAtHead
	}
	return []wsql.Query{{Query: insert, Args: []any{p.ConsumerGroup}}}, nil
}

func (offsets) NextOffsetQuery(wsql.NextOffsetQueryParams) (wsql.Query, error) {
	return wsql.Query{}, errors.New("feed: unused, the offset is read with the page")
}

func (offsets) ConsumedMessageQuery(wsql.ConsumedMessageQueryParams) (wsql.Query, error) {
	return wsql.Query{}, nil
}

// AckMessageQuery fails if what was delivered failed: that, and never a nack, is how a unit is undone.
func (offsets) AckMessageQuery(p wsql.AckMessageQueryParams) (wsql.Query, error) {
	u := p.LastRow.ExtraData[unitKey].(*unit)
	upTo, err := u.settle(p.LastRow.Offset)
	if err != nil {
		return wsql.Query{}, err
	}
	return wsql.Query{Query: updateOffset, Args: []any{upTo, p.ConsumerGroup, u.from}}, nil
}
