package commands

import (
	"crypto/ed25519"
	"encoding/base64"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// endpointKeys are the keys of a webhook.
type endpointKeys struct {
	endpoint                domain.EndpointID
	secret, private, public string
}

// endpointKeys makes those of a request, the same for a repeated one. A secret that was given is taken as it is.
func (env Env) endpointKeys(id domain.EndpointID, given domain.SecretText) endpointKeys {
	seed := func(purpose string) []byte {
		made := env.Keygen(domain.SigningKeyID{UUID: uuid.NewSHA1(id.UUID, []byte(purpose))})
		return made[:]
	}
	private := seed("webhook-private")
	k := endpointKeys{
		endpoint: id, secret: string(given),
		private: domain.WebhookPrivate + base64.StdEncoding.EncodeToString(private),
		public:  domain.WebhookPublic + base64.StdEncoding.EncodeToString(ed25519.NewKeyFromSeed(private).Public().(ed25519.PublicKey)),
	}
	if given == "" {
		k.secret = domain.WebhookSecret + base64.StdEncoding.EncodeToString(seed("webhook-secret"))
	}
	return k
}

// event is what records them as the version of that number.
func (k endpointKeys) event(number int) domain.EndpointSecretRotated {
	return domain.EndpointSecretRotated{
		Endpoint: k.endpoint, Version: k.endpoint.SecretID(number), Number: number,
		Value: dcb.Hide(k.secret), Private: dcb.Hide(k.private), Public: k.public,
	}
}

// destroyedKeys is what destroys versions of an endpoint's keys.
func destroyedKeys(id domain.EndpointID, all []domain.EndpointKeys) (events []dcb.Event) {
	for _, k := range all {
		events = append(events, domain.EndpointSecretDestroyed{Endpoint: id, Version: k.Version, Number: k.Number, Erases: k.Version})
	}
	return events
}

// RotateEndpointSecret gives a webhook other keys. Those so far sign beside them for a while, each as long as was said when it was replaced.
// Those that sign no longer are destroyed.
type RotateEndpointSecret struct {
	ID     domain.EndpointID `json:"id" required:"true" description:"the endpoint"`
	Secret domain.SecretText `json:"secret,omitzero" description:"the key to sign with, whsec_ and the base64 of 24 to 64 bytes; made if absent"`
	Grace  *int              `json:"grace_hours,omitzero" minimum:"0" maximum:"168" description:"how long the keys in force sign too, 24 if absent; those before them sign as long as was said then, and with 0 none signs any longer"`
}

const mostGraceHours = int(domain.LongestOverlap / time.Hour)

func (c RotateEndpointSecret) Target() dcb.Tagger { return c.ID }

func (c RotateEndpointSecret) Decide(env Env) dcb.Decision {
	e := domain.EndpointOf(c.ID)
	d := dcb.From(e)
	if c.Secret != "" { // is it the one in force?
		d = d.Unsealing()
	}
	return d.Decide(func() ([]dcb.Event, error) {
		grace, err := c.grace()
		if err := domain.FirstError(err, c.checkSecret(), env.mayOnEndpoint(e.Value, "core.endpoints.rotate-secret")); err != nil {
			return nil, err
		}
		switch overlap := e.Value.Overlap(env.Now); {
		case e.Value.Kind != domain.Webhook:
			return nil, domain.At("/id", domain.ErrEndpointKind)
		case c.Secret != "" && string(c.Secret) == e.Value.Keys.Value.Reveal():
			return nil, nil
		case grace > 0 && len(overlap) >= domain.MostOverlap:
			return nil, domain.At("/id", domain.ErrEndpointKeys)
		}
		next := env.endpointKeys(c.ID, c.Secret).event(e.Value.Keys.Number + 1)
		next.Previous = e.Value.Keys.Version
		if grace > 0 {
			next.GraceUntil = env.Now.Add(grace)
		}
		after := e.Value
		after.Rotate(next)
		return append([]dcb.Event{next}, destroyedKeys(c.ID, after.Over(env.Now))...), nil
	})
}

func (c RotateEndpointSecret) grace() (time.Duration, error) {
	switch {
	case c.Grace == nil:
		return domain.SecretOverlap, nil
	case *c.Grace < 0 || *c.Grace > mostGraceHours:
		return 0, domain.Invalid("/grace_hours", "must be a number of hours from 0 to %d", mostGraceHours)
	}
	return time.Duration(*c.Grace) * time.Hour, nil
}

func (c RotateEndpointSecret) checkSecret() error {
	if c.Secret == "" {
		return nil
	}
	return domain.CheckWebhookSecret("/secret", c.Secret)
}

// Reveal is the new key.
func (c RotateEndpointSecret) Reveal(env Env) (name, value string) {
	return "secret", env.endpointKeys(c.ID, c.Secret).secret
}

// RevealEndpointSecret tells the key that a webhook signs with, after that is on record. Each request is a reading of its own.
type RevealEndpointSecret struct {
	ID      domain.EndpointID `json:"id" required:"true" description:"the endpoint"`
	Purpose string            `json:"purpose,omitzero" description:"why, for the record"`
}

func (c RevealEndpointSecret) Target() dcb.Tagger { return c.ID }

func (c RevealEndpointSecret) Decide(env Env) dcb.Decision {
	e := domain.EndpointOf(c.ID)
	return dcb.From(e).Decide(func() ([]dcb.Event, error) {
		err := domain.FirstError(domain.CheckText("/purpose", c.Purpose), env.mayOnEndpoint(e.Value, "core.endpoints.reveal-secret"))
		switch {
		case err != nil:
			return nil, err
		case e.Value.Kind != domain.Webhook:
			return nil, domain.At("/id", domain.ErrEndpointKind)
		}
		return dcb.Emit(domain.EndpointSecretRevealed{
			Endpoint: domain.EndpointReading(c.ID), Version: e.Value.Keys.Version, Number: e.Value.Keys.Number, Purpose: c.Purpose,
		})
	})
}

// Disclose is the secret of the version that was told.
func (c RevealEndpointSecret) Disclose(events []dcb.Event) (name string, value *dcb.Fact[dcb.Sealed]) {
	return "secret", domain.EndpointSecretValue(events[0].(domain.EndpointSecretRevealed).Version)
}
