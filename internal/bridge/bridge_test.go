package bridge

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"chancery/internal/eventlog"
)

// page is n events of acme.
func page(n int) []eventlog.Raw {
	out := make([]eventlog.Raw, n)
	for i := range out {
		seq := int64(i) + 1
		out[i] = eventlog.Raw{Position: seq, ID: uuid.New(), Tenant: acme, TenantSeq: seq, SourceApp: "core", Type: "user.registered", Payload: fmt.Appendf(nil, `{"p":%d}`, seq)}
	}
	return out
}

func TestAnAddressIsReadOrRefusedWithoutBeingRepeated(t *testing.T) {
	for text, want := range map[string]struct {
		said, urls string
		hosts      []string
		vhost      string
	}{
		"nats://broker":                           {"nats at broker:4222", "nats://broker:4222", []string{"broker:4222"}, ""},
		"nats://ann:p%40w@a,b:5,[::1]":            {"nats at a:4222,b:5,[::1]:4222", "nats://ann:p%40w@a:4222 nats://ann:p%40w@b:5 nats://ann:p%40w@[::1]:4222", []string{"a:4222", "b:5", "[::1]:4222"}, ""},
		"tls://token@[2001:db8::1]:44?creds=/k/c": {"nats at [2001:db8::1]:44", "nats://token@[2001:db8::1]:44", []string{"[2001:db8::1]:44"}, ""},
		"kafka://a:1,b":                           {"kafka at a:1,b:9092", "nats://a:1 nats://b:9092", []string{"a:1", "b:9092"}, ""},
		"amqps://u:p@h/v%2Fh":                     {"amqp at h:5671", "nats://u:p@h:5671/v/h", []string{"h:5671"}, "v/h"},
	} {
		got, err := parse(text)
		if err != nil || got.String() != want.said || !slices.Equal(got.hosts, want.hosts) || got.vhost != want.vhost {
			t.Errorf("%s: %+v, %v", text, got, err)
			continue
		}
		if urls := strings.Join(got.urls("nats"), " "); urls != want.urls && got.vhost == "" {
			t.Errorf("%s: %s", text, urls)
		}
	}
	for _, text := range []string{
		"", "broker:4222", "http://s3cret@h", "nats://", "nats://u:s3cret@", "nats://u:s3cret@a,,b", "nats://u:s3%cret@a", "nats://u:s3cret@a b", "nats://a:0", "nats://a:70000", "nats://a:b:c",
		"nats://u:s3cret@a/path", "kafka://u:s3cret@a?creds=x", "nats://u:s3cret@a?x=s3cret%zz", "amqp://u:s3cret@a/%zz", "nats://a?reconnect=s3",
	} {
		if got, err := parse(text); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestNoCredentialStaysInAnError(t *testing.T) {
	for _, text := range []string{"nats://ann:s3%2Fcret@a", "nats://s3%2Fcret@a"} {
		to, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, said := range []string{"dial " + strings.TrimPrefix(text, "nats://"), "user s3/cret is unknown"} {
			if got := to.secretless(errors.New(said)).Error(); strings.Contains(got, "s3") {
				t.Errorf("%s became %s", said, got)
			}
		}
		if e := errors.New("harmless"); !errors.Is(to.secretless(e), e) {
			t.Error("a harmless error was replaced")
		}
	}
}

func TestSubjectsHaveNoCharacterThatABrokerReads(t *testing.T) {
	for typ, want := range map[string]string{
		"core.user.registered": "core.user.registered", "shop.order-placed.2": "shop.order-placed.2", "shop.a b\tc": "shop.a_b_c",
		"shop.*.>": "shop._._", "shop..x.": "shop._.x._", "shop.größe": "shop.gr__e", "": "_",
	} {
		if got := words(typ); got != want {
			t.Errorf("%q became %q", typ, got)
		}
	}
}

func TestABridgeIsNotMadeOfWrongSettings(t *testing.T) {
	good := Config{URL: "nats://h", Encode: func(*eventlog.Raw) ([]byte, error) { return nil, nil }, Type: outward}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"no encoding": func(c *Config) { c.Encode = nil }, "no types": func(c *Config) { c.Type = nil }, "no address": func(c *Config) { c.URL = "" },
		"a star": func(c *Config) { c.Prefix = "a.*" }, "a space": func(c *Config) { c.Prefix = "a b" }, "a dot": func(c *Config) { c.Prefix = ".a" },
		"too long": func(c *Config) { c.Prefix = strings.Repeat("a", 101) }, "dollar": func(c *Config) { c.Prefix = "$JS" },
	} {
		c := good
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestAnEventThatCannotBeEncodedIsNamed(t *testing.T) {
	b, err := New(Config{URL: "nats://h", Encode: func(*eventlog.Raw) ([]byte, error) { return nil, errors.New("odd") }, Type: outward})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Follow(t.Context(), page(1)); err == nil || err.Error() != "encode event 1 (user.registered): odd" {
		t.Error(err)
	}
}
