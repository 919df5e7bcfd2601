package vault_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"chancery/internal/vault"

	jsonv2 "github.com/go-json-experiment/json"
)

func TestASecretIsNeverPrinted(t *testing.T) {
	const word = "hunter2"
	hex := fmt.Sprintf("%x", word)
	type inner struct{ secret vault.Secret } // unexported: fmt calls no method on it
	secret := vault.NewSecret(word)
	values := map[string]any{
		"value": secret, "pointer": &secret, "slice": []vault.Secret{secret},
		"map": map[string]vault.Secret{"k": secret}, "struct": struct{ S vault.Secret }{secret},
		"unexported": inner{secret}, "pointer to unexported": &inner{secret}, "interface": []any{secret, &secret},
	}
	for name, value := range values {
		var printed []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T", "% x", "%10s", "%U", "%c", "%t", "%e"} {
			printed = append(printed, fmt.Sprintf(verb, value))
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", value)
		v1, _ := json.Marshal(value)
		v2, _ := jsonv2.Marshal(value)
		printed = append(printed, log.String(), string(v1), string(v2), fmt.Sprint(value), errors.Join(fmt.Errorf("%v", value)).Error())
		for _, text := range printed {
			if strings.Contains(text, word) || strings.Contains(strings.ToLower(text), hex) {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(verb, secret); got != "[sealed]" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
	if got, _ := json.Marshal(secret); string(got) != `"[sealed]"` {
		t.Errorf("JSON is %s", got)
	}
}

func TestTheKeysAreNeverPrinted(t *testing.T) {
	v, _ := newVault(t)
	for _, value := range []any{v, *v, v.Keys, v.Sealer()} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			if got := fmt.Sprintf(verb, value); got != "[sealed]" {
				t.Errorf("%T %s prints %s", value, verb, got)
			}
		}
	}
}

func TestASourceOfKeysPrintsNoKeys(t *testing.T) {
	document, err := vault.Source{}.NewDocument()
	if err != nil {
		t.Fatal(err)
	}
	key, err := vault.OpenKMS("hcvault://host:8200/transit/keys/chancery", vault.NewSecret("hvs.hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	source := vault.Source{File: "keys", Document: document, KMS: key}
	edited, err := vault.Source{Document: document}.Rotate(vault.Rotation{Pepper: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []any{document, source, &source, key, edited, struct{ s vault.Source }{source}, struct{ e vault.Edited }{edited}} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", value)
		j, _ := json.Marshal(value)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(verb, value) + log.String() + string(j)
			if strings.Contains(text, "keyData") || strings.Contains(text, "hunter2") || strings.Contains(text, fmt.Sprintf("%x", "keyData")) {
				t.Errorf("%T %s prints %s", value, verb, text)
			}
		}
	}
}

func TestASecretIsReadFromJSONAndRevealed(t *testing.T) {
	var body struct {
		Password vault.Secret `json:"password"`
		Other    vault.Secret `json:"other"`
	}
	for _, unmarshal := range []func([]byte, any) error{json.Unmarshal, func(b []byte, v any) error { return jsonv2.Unmarshal(b, v) }} {
		if err := unmarshal([]byte(`{"password":"hunter2"}`), &body); err != nil || body.Password.Reveal() != "hunter2" {
			t.Errorf("%q, %v", body.Password.Reveal(), err)
		}
	}
	if !body.Other.IsZero() || body.Password.IsZero() || body.Other.Reveal() != "" {
		t.Error("IsZero is wrong")
	}
	if !body.Password.Equal(vault.NewSecret("hunter2")) || body.Password.Equal(vault.NewSecret("hunter3")) {
		t.Error("Equal is wrong")
	}
}
