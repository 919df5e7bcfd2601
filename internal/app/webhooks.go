package app

import (
	"chancery/domain"
	"chancery/internal/cloudevents"
	"chancery/internal/masks"
	"chancery/internal/webhooks"
)

// mask hides what nobody sees of Chancery's own events, neither receivers nor filters.
var mask = masks.Of(domain.Catalog.Hashes())

// encoder writes events for whoever takes them out of Chancery, as the query shows them.
func encoder() cloudevents.Encoder { return cloudevents.Encoder{Mask: mask.Payload} }

// sender sends to receivers of webhooks, in public networks and those that the operator allows. Whoever asks for one closes it.
func (a *App) sender() *webhooks.Sender {
	return webhooks.New(webhooks.Config{
		Encode: encoder().Encode, ContentType: cloudevents.ContentType, UserAgent: "Chancery/" + release(),
		Allow: a.config.WebhookNetworks, Timeout: a.config.WebhookTimeout, Now: a.config.Now,
	})
}
