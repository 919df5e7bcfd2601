package domain_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

func TestAReferenceHasOneSpelling(t *testing.T) {
	for text, ok := range map[string]bool{
		"secret://core/smtp": true, "secret://a-1/x._-9": true, "secret://core/" + strings.Repeat("x", 128): true,
		"": false, "secret://": false, "secret://core": false, "secret://core/": false, "secret:///smtp": false, "SECRET://core/smtp": false,
		"secret://Core/smtp": false, "secret://core/Smtp": false, "secret://core/a/b": false, "secret://core/smtp?": false, "secret://core/smtp#1": false,
		"\tsecret://core/smtp": false, "secret://core/smtp\n": false, "secret://core/s%6dtp": false, "secret://core:1/smtp": false,
		"secret://core/" + strings.Repeat("x", 129): false, "secret://u@core/smtp": false,
	} {
		ref, err := domain.ParseSecretRef("/ref", text)
		if (err == nil) != ok || ok && ref.String() != text || !ok && !errors.Is(err, domain.ErrInvalid) {
			t.Errorf("%q: %v %v, want allowed %v", text, ref, err, ok)
		}
	}
}

func FuzzAReferenceIsReadAsItIsWritten(f *testing.F) {
	f.Add("secret://core/smtp")
	f.Add("secret://core/../smtp")
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := domain.ParseSecretRef("", text)
		if err != nil {
			return
		}
		if ref.String() != text || strings.Count(text, "/") != 3 {
			t.Errorf("%q is read as %v", text, ref)
		}
		if key := ref.Key(domain.Root); !strings.HasSuffix(string(key), "/"+string(ref.App)+"/"+ref.Name) {
			t.Errorf("%v has the key %s", ref, key)
		}
	})
}

func TestWhoReadsASecretDoesNotStandInTheWayOfThoseWhoChangeIt(t *testing.T) {
	id := domain.SecretID{UUID: uuid.Max}
	about, read := domain.SecretOf(id).Item(), domain.SecretRead{Secret: domain.Reading(id), Version: domain.VersionID{UUID: uuid.New()}}
	if about.Matches(read.EventType(), dcb.TagsOf(read)) || (dcb.Item{Tags: about.Tags}).Matches(read.EventType(), dcb.TagsOf(read)) {
		t.Error("a reading answers the question about the secret")
	}
}

func TestVersionsAreCountedFromOne(t *testing.T) {
	one := domain.Secret{Versions: []domain.SecretVersion{{Number: 1}}}
	if v, ok := one.Version(1); !ok || v.Number != 1 {
		t.Error("there is a first version")
	}
	for _, n := range []int{-1, 0, 2} {
		if _, ok := one.Version(n); ok {
			t.Errorf("there is no version %d", n)
		}
	}
	if (domain.Secret{}).Current() != (domain.SecretVersion{}) {
		t.Error("nothing has a current version")
	}
}
