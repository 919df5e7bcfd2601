package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"chancery/domain"
	"chancery/internal/bridge"
	"chancery/internal/bridge/natstest"
	"chancery/internal/cloudevents"
	"chancery/internal/eventlog"
	"chancery/internal/feed"
	"chancery/internal/ledger"
	"chancery/internal/masks"
)

const bridged = 50_000 // events in the log, of ten tenants

// bridge measures how fast the log gets onto a NATS server beside us, and how fast nats.go alone publishes messages of the same size.
func (b *bench) bridge(ctx context.Context) (err error) {
	url, data, err := b.cluster.database(ctx)
	if err != nil {
		return err
	}
	in, err := open(ctx, url, data, eventlog.Config{})
	if err != nil {
		return err
	}
	defer in.close(ctx)
	const insert = `INSERT INTO core.events (position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, request_id, occurred_at, created_at)
		SELECT p, gen_random_uuid(), ('00000000-0000-7000-8000-00000000000' || p % 10)::uuid, 1 + p / 10, 'shop', 'shop.order.placed',
			json_build_object('order', p, 'text', repeat('x', 400)), json_build_object('cloudevent', json_build_object('id', p::text, 'source', '/shop')),
			'{}', gen_random_uuid(), now(), now() FROM generate_series(1, $1::bigint) p`
	if _, err := in.ledger.Pool(ledger.Owner).Exec(ctx, insert, bridged); err != nil {
		return err
	}
	folder, err := os.MkdirTemp(b.cluster.folder, "nats-")
	if err != nil {
		return err
	}
	broker, err := natstest.Start(filepath.Join(folder, "store"))
	if err != nil {
		return err
	}
	defer broker.Stop()
	b.aside = strconv.Itoa(broker.PID())
	defer func() { b.aside = "" }()

	before := b.usage()
	took, size, err := bridgeAll(ctx, in, broker.URL)
	if err != nil {
		return err
	}
	rate := bridged / took.Seconds()
	b.spent(before, bridged)
	ahead, each, err := bareNATS(ctx, broker.URL, size)
	if err != nil {
		return err
	}
	b.add(row{
		what: "bridge to NATS JetStream, events (nats.go alone, 500 ahead)", measured: number(rate) + "/s", baseline: number(ahead) + "/s", ratio: rate / ahead,
	})
	b.add(row{
		what: "bridge to NATS JetStream, events (nats.go alone, each acknowledged before the next)", measured: number(rate) + "/s", baseline: number(each) + "/s", ratio: rate / each,
	})
	return nil
}

// bridgeAll tells how long the whole log takes, and how large a message is.
func bridgeAll(ctx context.Context, in *inside, url string) (time.Duration, int, error) {
	encoder, size := cloudevents.Encoder{Mask: masks.Of(domain.Catalog.Hashes()).Payload}, 0
	bridge, err := bridge.New(bridge.Config{URL: url, Type: domain.OutwardType, Encode: func(raw *eventlog.Raw) ([]byte, error) {
		body, err := encoder.Encode(raw, true)
		size = len(body)
		return body, err
	}})
	if err != nil {
		return 0, 0, err
	}
	defer bridge.Close()
	f, err := feed.New(feed.Config{Pool: in.ledger.Pool(ledger.Project), Decode: in.store.Decode, Followers: []feed.Follower{bridge}})
	if err != nil {
		return 0, 0, err
	}
	began, ended := time.Now(), make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	err = f.Wait(ctx, bridge.Name(), bridged)
	took := time.Since(began)
	f.Close()
	return took, size, errors.Join(err, <-ended)
}

// bareNATS publishes as many messages of a size as fast as nats.go does it: 500 ahead of their acknowledgements, and one by one.
func bareNATS(ctx context.Context, url string, size int) (ahead, each float64, err error) {
	conn, err := nats.Connect(url)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	js, err := jetstream.New(conn, jetstream.WithPublishAsyncMaxPending(500))
	if err != nil {
		return 0, 0, err
	}
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "bare", Subjects: []string{"bare.>"}, Storage: jetstream.FileStorage, Duplicates: 10 * time.Minute}); err != nil {
		return 0, 0, err
	}
	message := func(i int) *nats.Msg {
		m := nats.NewMsg("bare." + strconv.Itoa(i%10) + ".shop.order.placed")
		m.Data = make([]byte, size)
		m.Header.Set(nats.MsgIdHdr, uuid.NewString())
		return m
	}
	began := time.Now()
	for i := range bridged {
		if _, err := js.PublishMsgAsync(message(i), jetstream.WithStallWait(time.Minute)); err != nil {
			return 0, 0, fmt.Errorf("publish: %w", err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	ahead = bridged / time.Since(began).Seconds()
	began = time.Now()
	for i := range bridged / 5 {
		if _, err := js.PublishMsg(ctx, message(i)); err != nil {
			return 0, 0, fmt.Errorf("publish: %w", err)
		}
	}
	return ahead, bridged / 5 / time.Since(began).Seconds(), nil
}
