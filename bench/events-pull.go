package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

const pullers, pulledAtOnce = 8, 100

// pulling has an app come for a backlog: it receives and acknowledges.
func (b *bench) pulling(ctx context.Context, w *wire) error {
	id, err := w.command(ctx, "create-endpoint", map[string]any{"app": "stock", "kind": "pull", "types": []string{"shop.*"}, "body": "full"})
	if err != nil {
		return err
	}
	if err := w.backlog(ctx, int(20_000*b.span.Seconds())); err != nil {
		return err
	}
	conns, closeAll, err := dial(ctx, w.address, pullers)
	if err != nil {
		return err
	}
	defer closeAll()
	at := "/v1/tenants/root/endpoints/" + id
	receive := request(at+"/receive", w.consumer, fmt.Sprintf(`{"max":%d,"wait_seconds":0}`, pulledAtOnce))
	before := b.usage()
	pulled, err := drive(pullers, b.span, func(i int) error {
		if err := conns[i].ok(receive); err != nil {
			return err
		}
		var got struct{ Items []struct{ Lease string } }
		if err := json.Unmarshal(conns[i].body, &got); err != nil {
			return err
		}
		if len(got.Items) < pulledAtOnce {
			return fmt.Errorf("received %d events: the backlog is too short", len(got.Items))
		}
		leases := make([]string, len(got.Items))
		for n, item := range got.Items {
			leases[n] = `"` + item.Lease + `"`
		}
		return conns[i].ok(request(at+"/ack", w.consumer, `{"leases":[`+strings.Join(leases, ",")+`]}`))
	})
	if err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	b.spent(before, pulled.rate*b.span.Seconds()*1.1*pulledAtOnce)
	query := request(fmt.Sprintf("/v1/tenants/root/events?limit=%d", pulledAtOnce), w.token, "")
	read, err := drive(pullers, b.span, func(i int) error { return conns[i].ok(query) })
	if err != nil {
		return err
	}
	pulled.rate, read.rate = pulled.rate*pulledAtOnce, read.rate*pulledAtOnce
	b.add(versus(fmt.Sprintf("events pulled: receive and acknowledge %d, %d connections (GET of as many events)", pulledAtOnce, pullers), pulled, read, 0))
	return nil
}
