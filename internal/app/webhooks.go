package app

import (
	"chancery/internal/cloudevents"
	"chancery/internal/masks"
	"chancery/internal/webhooks"
)

// encoder writes events for whoever takes them out of Chancery, as the query shows them: what is sealed in our own is masked.
func encoder() cloudevents.Encoder { return cloudevents.Encoder{Mask: masks.Payload} }

// sender sends to receivers of webhooks, in public networks and those that the operator allows. Whoever asks for one closes it.
func (a *App) sender() *webhooks.Sender {
	return webhooks.New(webhooks.Config{
		Encode: encoder().Encode, ContentType: cloudevents.ContentType, UserAgent: "Chancery/" + release(),
		Allow: a.config.WebhookNetworks, Timeout: a.config.WebhookTimeout, Now: a.config.Now,
	})
}
