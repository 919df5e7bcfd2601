package vault

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/tink-crypto/tink-go-hcvault/v2/integration/hcvault"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// KMS is a key that never leaves its service: of the transit engine of HashiCorp Vault or OpenBao. It is asked when a keyring is
// read or written, and at no other time.
type KMS struct {
	redacted
	name string
	key  tink.AEAD
}

// OpenKMS takes the key's address: hcvault://host:8200/transit/keys/NAME, which means https. Plain http is for this machine
// only. The token may be empty: then it is that of VAULT_TOKEN. So are the authorities of TLS those of VAULT_CACERT and the
// namespace that of VAULT_NAMESPACE. Nothing is asked yet.
func OpenKMS(address string, token Secret) (*KMS, error) {
	u, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, fmt.Errorf("settings of the KMS: %w", config.Error)
	}
	config.Address, config.AgentAddress = strings.Replace(u.Scheme, "hcvault", "https", 1)+"://"+u.Host, ""
	config.Timeout, config.MinRetryWait = 10*time.Second, 200*time.Millisecond
	client, err := api.NewClient(config)
	if err != nil {
		return nil, fmt.Errorf("settings of the KMS: %w", err)
	}
	if !token.IsZero() {
		client.SetToken(token.Reveal())
	}
	key, err := hcvault.NewAEAD(u.EscapedPath(), client.Logical())
	if err != nil {
		return nil, errAddress
	}
	return &KMS{name: "hcvault://" + u.Host + u.EscapedPath(), key: key}, nil
}

func parseAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errAddress
	}
	switch {
	case u.Scheme == "hcvault" || u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	case u.Scheme == "http":
		return nil, errors.New("the address of the KMS is http, which would carry keys in the clear to another machine: use https")
	}
	return nil, errAddress
}

var errAddress = errors.New("the address of the KMS is not of the form hcvault://host:8200/transit/keys/NAME")

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Name is the key's address, in one form for all.
func (k *KMS) Name() string { return k.name }

// Encrypt implements tink.AEAD.
func (k *KMS) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	sealed, err := k.key.Encrypt(plaintext, associatedData)
	return sealed, k.explain(err)
}

// Decrypt implements tink.AEAD.
func (k *KMS) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	plain, err := k.key.Decrypt(ciphertext, associatedData)
	return plain, k.explain(err)
}

// explain puts the service's answer on one line.
func (k *KMS) explain(err error) error {
	if err == nil {
		return nil
	}
	if refused, ok := errors.AsType[*api.ResponseError](err); ok && !refused.RawError {
		return fmt.Errorf("KMS %s answers %d: %s", k.name, refused.StatusCode,
			strings.Join(strings.Fields(strings.Join(refused.Errors, " ")), " "))
	} else if ok {
		return fmt.Errorf("KMS %s answers %d", k.name, refused.StatusCode)
	}
	return fmt.Errorf("KMS %s: %w", k.name, err)
}
