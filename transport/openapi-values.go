package transport

import (
	"reflect"

	"github.com/swaggest/openapi-go"
	"github.com/swaggest/openapi-go/openapi31"

	"chancery/domain"
	"chancery/readmodels"
)

// closed are the properties that hold one of a few words, beside those that a collection may be asked for.
var closed = map[string]map[string][]string{
	"Endpoint": {
		"body":         {string(domain.Thin), string(domain.Full)},
		"disabled_why": {string(domain.DisabledByHand), string(domain.DisabledGone), string(domain.DisabledFailed)},
	},
	"DeliveryAttempt": {
		"status": {string(domain.DeliveryRetrying), string(domain.DeliveryLeased), string(domain.DeliveryDelivered), string(domain.DeliveryDead)},
	},
}

// words says which words a property may hold, where there are but a few.
func (d *describer) words() {
	for _, c := range readmodels.Collections {
		name := plainName(reflect.TypeOf(c.Item), "")
		for _, f := range c.Filters {
			d.oneOf(name, f.Name, f.OneOf)
		}
	}
	d.orNull("EndpointStats", "latency_ms")
	for name, properties := range closed {
		for property, values := range properties {
			d.oneOf(name, property, values)
		}
	}
}

func (d *describer) oneOf(schema, property string, values []string) {
	properties, _ := d.r.Spec.Components.Schemas[schema]["properties"].(map[string]any)
	of, ok := properties[property].(map[string]any)
	if !ok || len(values) == 0 {
		return
	}
	enum := make([]any, 0, len(values)+1)
	for _, v := range values {
		enum = append(enum, v)
	}
	if _, nullable := of["type"].([]any); nullable {
		enum = append(enum, nil)
	}
	of["enum"] = enum
}

// orNull lets a property that is described elsewhere be null.
func (d *describer) orNull(schema, property string) {
	properties, _ := d.r.Spec.Components.Schemas[schema]["properties"].(map[string]any)
	properties[property] = map[string]any{"anyOf": []any{map[string]any{"type": "null"}, properties[property]}}
}

// threeModes are the bodies that CloudEvents come in, made of the description of one.
func threeModes(of openapi.ContentOrReference) {
	body, ok := of.(*openapi31.RequestBodyOrReference)
	if !ok || body.RequestBody == nil {
		return
	}
	one := body.RequestBody.Content["application/json"]
	body.RequestBody.WithRequired(true).WithContent(map[string]openapi31.MediaType{
		structuredMedia:    one,
		batchedMedia:       {Schema: map[string]any{"type": "array", "maxItems": domain.MaxEventBatch, "items": one.Schema}},
		"application/json": {Schema: map[string]any{"description": "the data of an event whose attributes are headers; null where there is nothing to say. Any media type of JSON will do."}},
	})
}
