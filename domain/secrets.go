package domain

import (
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// SecretCreated makes room for a secret of an app; its first value comes with a rotation.
type SecretCreated struct {
	Secret      SecretID `json:"secret"`
	App         App      `json:"app"`
	Name        string   `json:"name"`
	Description string   `json:"description,omitzero"`
	Key         Key      `json:"key"`
}

// SecretRotated gives a secret its next value, sealed under a key of the version's own.
type SecretRotated struct {
	Secret     SecretID   `json:"secret"`
	Version    VersionID  `json:"version"`
	Number     int        `json:"number"` // of the version, from 1
	Value      dcb.Sealed `json:"value"`
	Previous   VersionID  `json:"previous,omitzero"`
	GraceUntil time.Time  `json:"grace_until,omitzero"` // until when the previous version can still be read; absent: no longer
	DueAt      time.Time  `json:"due_at,omitzero"`      // when the next rotation is due; absent: never
}

// SecretDisabled keeps everybody from reading a secret.
type SecretDisabled struct {
	Secret SecretID `json:"secret"`
	Reason string   `json:"reason,omitzero"`
}

// SecretEnabled ends that.
type SecretEnabled struct {
	Secret SecretID `json:"secret"`
}

// SecretVersionDestroyed destroys the key of a version: its value is gone for good, from backups of the log too.
type SecretVersionDestroyed struct {
	Secret  SecretID  `json:"secret"`
	Version VersionID `json:"version"`
	Number  int       `json:"number"`
	Erases  VersionID `json:"erases"` // the version again, for the database, which destroys the key
}

// SecretDestroyed ends a secret whose versions were destroyed just before, and frees its name.
type SecretDestroyed struct {
	Secret   SecretID `json:"secret"`
	Released Key      `json:"released"`
}

// SecretScheduled says how often a secret is to be rotated; 0 for no schedule.
type SecretScheduled struct {
	Secret    SecretID  `json:"secret"`
	EveryDays int       `json:"every_days"`
	DueAt     time.Time `json:"due_at,omitzero"`
}

// SecretRotationDue says that a rotation was due and had not come; once for a version and a date.
type SecretRotationDue struct {
	Secret  SecretID  `json:"secret"`
	Version VersionID `json:"version"`
	DueAt   time.Time `json:"due_at"`
}

// SecretRead says that a value was about to be told to whoever the metadata name. It changes nothing, so it does not
// carry the secret's own tag: whoever reads a secret does not stand in the way of those who change it.
type SecretRead struct {
	Secret  Reading   `json:"secret"`
	Version VersionID `json:"version"`
	Number  int       `json:"number"`
	Purpose string    `json:"purpose,omitzero"` // why, in the reader's words
}

func (SecretCreated) EventType() string          { return "secret.created" }
func (SecretRotated) EventType() string          { return "secret.rotated" }
func (SecretDisabled) EventType() string         { return "secret.disabled" }
func (SecretEnabled) EventType() string          { return "secret.enabled" }
func (SecretVersionDestroyed) EventType() string { return "secret.version-destroyed" }
func (SecretDestroyed) EventType() string        { return "secret.destroyed" }
func (SecretScheduled) EventType() string        { return "secret.scheduled" }
func (SecretRotationDue) EventType() string      { return "secret.rotation-due" }
func (SecretRead) EventType() string             { return "secret.read" }

func (e SecretRotated) DataSubject() uuid.UUID { return e.Version.UUID }

// BeginsSubject says that the version's data key is made here.
func (SecretRotated) BeginsSubject() {}

// ErasesSubject is the version, whose data key is destroyed.
func (e SecretVersionDestroyed) ErasesSubject() uuid.UUID { return e.Erases.UUID }

var (
	secretEvents = dcb.Kind("secret",
		dcb.Of[SecretCreated](), dcb.Of[SecretRotated](), dcb.Of[SecretDisabled](), dcb.Of[SecretEnabled](),
		dcb.Of[SecretVersionDestroyed](), dcb.Of[SecretDestroyed](), dcb.Of[SecretScheduled](), dcb.Of[SecretRotationDue]())
	readingEvents = dcb.Kind("secret-reading", dcb.Of[SecretRead]())
)

var (
	ErrSecretUnknown   = &Refusal{Missing, "not-found", "there is no such secret here"}
	ErrSecretName      = refuse("secret-name-taken", "the app has a secret of that name already")
	ErrSecretDisabled  = refuse("secret-disabled", "the secret is disabled: nobody reads it")
	ErrSecretMoved     = &Refusal{Stale, "secret-version-moved", "the secret has another current version than the one expected"}
	ErrVersionUnknown  = &Refusal{Missing, "not-found", "the secret has no such version"}
	ErrVersionOver     = refuse("secret-version-over", "the version was replaced, and its time of grace is over")
	ErrVersionCurrent  = refuse("secret-version-current", "the current version cannot be destroyed; rotate the secret first, or destroy all of it")
	ErrVersionsTooMany = refuse("secret-versions-too-many", "so many versions cannot be kept; destroy old ones first")
)

// Privileges that decisions ask for themselves, on an app.
const (
	SecretsRead    Privilege = "core.secrets.read"             // the values
	SecretsList    Privilege = "core.secrets.list"             // which there are
	SecretsReadOld Privilege = "core.secrets.read-any-version" // values that were replaced
)

// MostVersions is how many versions of a secret are kept that were not destroyed: all of them end in one append.
const MostVersions = 1000

// Reading is the id of a secret as something that is read; see SecretRead.
type Reading SecretID

// Tag is not the secret's own.
func (r Reading) Tag() dcb.Tag { return tagged("secret-reading", r.UUID) }

// App is the short name of an application, such as core.
type App string

// CoreApp is Chancery itself.
const CoreApp App = "core"

// Check refuses what is no short name.
func (a App) Check(pointer string) error { return Slug(a).Check(pointer) }

// Scope is that of rights on the app.
func (a App) Scope() Scope { return Scope("app:" + a) }

// SecretRef names a secret in configuration, as secret://app/name.
type SecretRef struct {
	App  App
	Name string
}

func (r SecretRef) String() string { return refScheme + string(r.App) + "/" + r.Name }

const refScheme = "secret://"

// ParseSecretRef reads a reference; it refuses any other spelling.
func ParseSecretRef(pointer, text string) (SecretRef, error) {
	rest, ok := strings.CutPrefix(text, refScheme)
	app, name, found := strings.Cut(rest, "/")
	r := SecretRef{App(app), name}
	if !ok || !found || r.App.Check("") != nil || CheckSecretName("", name) != nil {
		return SecretRef{}, Invalid(pointer, "must be "+refScheme+"app/name")
	}
	return r, nil
}

var secretName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,127}$`)

// CheckSecretName refuses a name that could not stand in a reference.
func CheckSecretName(pointer, name string) error {
	if !secretName.MatchString(name) {
		return Invalid(pointer, "must be 1 to 128 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit")
	}
	return nil
}

// Key keeps the names of an app's secrets apart.
func (r SecretRef) Key(t TenantID) Key {
	return keyOf("secret-name", t.UUID, string(r.App)+"/"+r.Name)
}

// SecretText is the value of a secret on its way in. However it is printed, it prints as [sealed].
type SecretText string

// MaxSecret is the length of the longest value, in bytes.
const MaxSecret = 64 << 10

// Check refuses a value that is empty, too long or no text. It never says what the value was.
func (s SecretText) Check(pointer string) error {
	switch {
	case s == "":
		return Invalid(pointer, "must not be empty")
	case len(s) > MaxSecret:
		return Invalid(pointer, "is longer than %d bytes", MaxSecret)
	case !utf8.ValidString(string(s)) || strings.ContainsRune(string(s), 0):
		return Invalid(pointer, "must be text in UTF-8; encode anything else, as in base64")
	}
	return nil
}

func (SecretText) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(sealedText)) }
func (SecretText) String() string               { return sealedText }
func (SecretText) LogValue() slog.Value         { return slog.StringValue(sealedText) }
func (SecretText) MarshalText() ([]byte, error) { return []byte(sealedText), nil }

const sealedText = "[sealed]"

// Secret is what decisions need to know of one; never a value.
type Secret struct {
	Exists    bool // and is not destroyed
	Disabled  bool
	App       App
	Name      string
	Key       Key
	Versions  []SecretVersion // in the order of their numbers
	RotatedAt time.Time
	EveryDays int
	DueAt     time.Time // of the next rotation; zero for none
	Reminded  bool      // of that date
}

// SecretVersion is one value of a secret.
type SecretVersion struct {
	ID         VersionID
	Number     int
	GraceUntil time.Time // of one that was replaced
	Destroyed  bool
}

// Current is the newest version, none if there is no secret.
func (s Secret) Current() SecretVersion {
	if len(s.Versions) == 0 {
		return SecretVersion{}
	}
	return s.Versions[len(s.Versions)-1]
}

// Version finds a version by its number.
func (s Secret) Version(number int) (v SecretVersion, ok bool) {
	if number < 1 || number > len(s.Versions) {
		return v, false
	}
	return s.Versions[number-1], true
}

// Due is when a rotation at an instant makes the next one due.
func (s Secret) Due(rotated time.Time) time.Time {
	if s.EveryDays == 0 {
		return time.Time{}
	}
	return rotated.AddDate(0, 0, s.EveryDays)
}

// SecretOf is one secret.
func SecretOf(id SecretID) *dcb.Fact[Secret] {
	return dcb.Ask(Secret{}, tags(id),
		dcb.On(func(s *Secret, e SecretCreated) { *s = Secret{Exists: true, App: e.App, Name: e.Name, Key: e.Key} }),
		dcb.OnMeta(func(s *Secret, e SecretRotated, m dcb.Meta) { s.rotated(e, m.At) }),
		dcb.On(func(s *Secret, _ SecretDisabled) { s.Disabled = true }),
		dcb.On(func(s *Secret, _ SecretEnabled) { s.Disabled = false }),
		dcb.On(func(s *Secret, e SecretVersionDestroyed) {
			if _, ok := s.Version(e.Number); ok {
				s.Versions[e.Number-1].Destroyed = true
			}
		}),
		dcb.On(func(s *Secret, _ SecretDestroyed) { s.Exists = false }),
		dcb.On(func(s *Secret, e SecretScheduled) { s.EveryDays, s.DueAt, s.Reminded = e.EveryDays, e.DueAt, false }),
		dcb.On(func(s *Secret, e SecretRotationDue) { s.Reminded = s.Reminded || e.DueAt.Equal(s.DueAt) }),
	).Sole()
}

// rotated takes the versions anew, so that a fact that was asked before keeps its own.
func (s *Secret) rotated(e SecretRotated, at time.Time) {
	s.Versions = append([]SecretVersion(nil), s.Versions...)
	if n := len(s.Versions); n > 0 {
		s.Versions[n-1].GraceUntil = e.GraceUntil
	}
	s.Versions = append(s.Versions, SecretVersion{ID: e.Version, Number: e.Number})
	s.RotatedAt, s.DueAt, s.Reminded = at, e.DueAt, false
}

// SecretHolder is the secret that has the key, nil if it is free.
func SecretHolder(k Key) *dcb.Fact[uuid.UUID] {
	return holderOf(k.Tag(),
		dcb.On(func(h *uuid.UUID, e SecretCreated) { *h = e.Secret.UUID }),
		dcb.On(func(h *uuid.UUID, _ SecretDestroyed) { *h = uuid.Nil }),
	)
}

// SecretValue is the value of a version; nothing if it was destroyed.
func SecretValue(id VersionID) *dcb.Fact[dcb.Sealed] {
	return dcb.Ask(dcb.Sealed{}, tags(id),
		dcb.On(func(v *dcb.Sealed, e SecretRotated) {
			if e.Version == id { // it also names the version before it
				*v = e.Value
			}
		}),
		dcb.On(func(v *dcb.Sealed, _ SecretVersionDestroyed) { *v = dcb.Sealed{} }),
	)
}
