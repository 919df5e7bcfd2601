package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"chancery/internal/ledger"
	"chancery/internal/vault"
)

// KeySettings say where the keyring lies.
type KeySettings struct {
	File     string       // none: keys.json in the data folder
	Document vault.Secret // the keyring itself, instead of a file
	KMS      string       // address of the key that seals it; none: it lies in the clear
	Token    vault.Secret // for the KMS; none: the one of VAULT_TOKEN
}

// keys takes secrets from the environment alone: a command line is open to everybody on the machine.
func (s Settings) keys() KeySettings {
	return KeySettings{
		File: s.KeysFile, KMS: s.KMS,
		Document: vault.NewSecret(os.Getenv("CHANCERY_KEYS")), Token: vault.NewSecret(os.Getenv("CHANCERY_KMS_TOKEN")),
	}
}

func (c Config) keySource() (vault.Source, error) {
	s := vault.Source{File: c.Keys.File, Document: c.Keys.Document, Now: c.Now, Log: c.Log}
	if s.File == "" {
		s.File = filepath.Join(c.Data, "keys.json")
	} else if !s.Document.IsZero() {
		return s, errors.New("CHANCERY_KEYS and CHANCERY_KEYS_FILE are both set: which one is it?")
	}
	if c.Keys.KMS == "" {
		return s, nil
	}
	var err error
	if s.KMS, err = vault.OpenKMS(c.Keys.KMS, c.Keys.Token); err != nil {
		return s, fmt.Errorf("CHANCERY_KMS: %w", err)
	}
	return s, nil
}

// openKeys opens the keyring that belongs to the database.
func (a *App) openKeys(ctx context.Context) (*vault.Keys, error) {
	source, err := a.config.keySource()
	if err != nil {
		return nil, err
	}
	keys, err := vault.OpenKeys(source)
	if err != nil {
		return nil, err
	}
	if err := a.ledger.ClaimKeys(ctx, keys.Fingerprint()); err != nil {
		return nil, err
	}
	return keys, a.ledger.CheckKEK(ctx, keys.PrimaryKEK())
}

// besideKeys opens an existing keyring, and the database that belongs to it, for work beside running servers.
func (s Settings) besideKeys(ctx context.Context, fn func(vault.Source, *vault.Keys, *ledger.Ledger) error) error {
	c := s.config()
	c.Join = true
	source, err := c.keySource()
	if err != nil {
		return err
	}
	source.Existing = true
	keys, err := vault.OpenKeys(source)
	if err != nil {
		return err
	}
	url, _, stop, err := database(ctx, c)
	if err != nil {
		return err
	}
	defer stop()
	l, err := ledger.Open(ctx, ledger.Config{URL: url, AllowUnsafe: true}) // nothing is appended
	if err != nil {
		return err
	}
	defer l.Close()
	if err := l.ClaimKeys(ctx, keys.Fingerprint()); err != nil {
		return err
	}
	return fn(source, keys, l)
}

// KeysNew prints a new keyring, for those who keep it in the environment.
func KeysNew(s Settings, out io.Writer) error {
	source, err := s.config().keySource()
	if err != nil {
		return err
	}
	text, err := source.NewDocument()
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, text.Reveal())
	return err
}

// Rotation says what KeysRotate does.
type Rotation = vault.Rotation

// KeysRotate adds keys to the keyring, or uses those that were announced.
func KeysRotate(s Settings, r Rotation, out, notes io.Writer) error {
	return s.editKeys(out, notes, func(source vault.Source) (vault.Edited, error) { return source.Rotate(r) })
}

// KeysUpgrade writes the keyring in the newest version.
func KeysUpgrade(s Settings, out, notes io.Writer) error {
	return s.editKeys(out, notes, vault.Source.Upgrade)
}

// KeysSeal seals the keyring under the KMS, or under its newest version; from is where it was sealed before, if elsewhere.
func KeysSeal(s Settings, from string, out, notes io.Writer) error {
	return s.editKeys(out, notes, func(source vault.Source) (vault.Edited, error) {
		if source.KMS == nil {
			return vault.Edited{}, errors.New("CHANCERY_KMS names the key to seal under")
		}
		before, err := s.formerKMS(from)
		if err != nil {
			return vault.Edited{}, err
		}
		return source.Seal(before)
	})
}

// KeysUnseal writes the keyring in the clear.
func KeysUnseal(s Settings, out, notes io.Writer) error {
	return s.editKeys(out, notes, func(source vault.Source) (vault.Edited, error) {
		before := source.KMS
		if before == nil {
			return vault.Edited{}, errors.New("CHANCERY_KMS names the key that it is sealed under")
		}
		source.KMS = nil
		return source.Seal(before)
	})
}

func (s Settings) formerKMS(address string) (*vault.KMS, error) {
	if address == "" {
		return nil, nil //nolint:nilnil // as the keyring lies
	}
	return vault.OpenKMS(address, s.keys().Token)
}

// editKeys prints the edited keyring if there is no file to put it into.
func (s Settings) editKeys(out, notes io.Writer, edit func(vault.Source) (vault.Edited, error)) error {
	source, err := s.config().keySource()
	if err != nil {
		return err
	}
	edited, err := edit(source)
	if err != nil {
		return err
	}
	if edited.Document.IsZero() {
		_, err = fmt.Fprintf(notes, "%s is changed; running servers follow within a second\n", source)
		return err
	}
	fmt.Fprintln(notes, "put this document in the place of CHANCERY_KEYS, and restart the servers one after the other")
	_, err = io.WriteString(out, edited.Document.Reveal())
	return err
}

// KeysShow lists the keys, without showing them, and what lies under each.
func KeysShow(ctx context.Context, s Settings, out io.Writer) error {
	return s.besideKeys(ctx, func(source vault.Source, keys *vault.Keys, l *ledger.Ledger) error {
		usage, err := l.KeyUsage(ctx)
		if err != nil {
			return err
		}
		sealed := "in the clear"
		if source.KMS != nil {
			sealed = "sealed under " + source.KMS.Name()
		}
		fmt.Fprintf(out, "%s, %s\nfingerprint %s\n\n", source, sealed, keys.Fingerprint())
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "KEY\tID\tSTATE\tMADE\tDATA KEYS")
		for _, k := range keys.KEKs() {
			fmt.Fprintf(table, "kek\t%d\t%s\t%s\t%d\n", k.ID, state(k), when(k), usage.Keys[k.ID])
			delete(usage.Keys, k.ID)
		}
		for _, id := range slices.Sorted(maps.Keys(usage.Keys)) {
			fmt.Fprintf(table, "kek\t%d\tMISSING\t\t%d\n", id, usage.Keys[id])
		}
		for _, k := range keys.Peppers() {
			fmt.Fprintf(table, "pepper\t%d\t%s\t%s\t\n", k.ID, state(k), when(k))
		}
		fmt.Fprintf(table, "\t\terased\t\t%d\n", usage.Erased)
		if usage.Strange > 0 {
			fmt.Fprintf(table, "\t\tDAMAGED\t\t%d\n", usage.Strange)
		}
		return table.Flush()
	})
}

func state(k vault.KeyInfo) string {
	switch {
	case k.Primary:
		return "primary"
	case k.Announced:
		return "announced"
	}
	return "old"
}

func when(k vault.KeyInfo) string {
	if k.Made.IsZero() {
		return "unknown"
	}
	return k.Made.Format(time.RFC3339)
}

// ErrNotRewrapped says that some data keys lie under an old key-encryption key still.
var ErrNotRewrapped = errors.New("data keys could not be wrapped anew")

// KeysRewrap wraps every data key under the primary key-encryption key, beside running servers. It may be killed and run again.
func KeysRewrap(ctx context.Context, s Settings, batch int, out, progress io.Writer) error {
	if batch < 1 {
		return errors.New("a batch holds at least one data key")
	}
	return s.besideKeys(ctx, func(_ vault.Source, keys *vault.Keys, l *ledger.Ledger) error {
		if err := l.CheckKEK(ctx, keys.PrimaryKEK()); err != nil {
			return err
		}
		return l.AloneWithKeys(ctx, func() error { return rewrap(ctx, keys, l, batch, out, progress) })
	})
}

func rewrap(ctx context.Context, keys *vault.Keys, l *ledger.Ledger, batch int, out, progress io.Writer) error {
	usage, err := l.KeyUsage(ctx)
	if err != nil {
		return err
	}
	todo := usage.Strange
	for id, n := range usage.Keys {
		if id != keys.PrimaryKEK() {
			todo += n
		}
	}
	bar := progressOf(todo, "data keys", progress)
	began, total := time.Now(), rewrapped{}
	for {
		// Again, for what servers wrapped under an old key before they had heard of the new one, and for what was locked.
		pass, err := rewrapAll(ctx, keys, l, batch, func(n int64) { _ = bar.Add64(n) })
		total.done += pass.done
		total.failed, total.why, total.left = pass.failed, pass.why, pass.left
		if err != nil {
			fmt.Fprintln(progress)
			return err
		}
		if pass.done == 0 {
			break
		}
	}
	fmt.Fprintln(progress)
	_, err = fmt.Fprintf(out, "wrapped %d data keys under %d in %s; %d erased, %d left\n",
		total.done, keys.PrimaryKEK(), time.Since(began).Round(time.Millisecond), usage.Erased, total.left)
	switch {
	case total.failed > 0:
		return fmt.Errorf("%d %w; the first: %w", total.failed, ErrNotRewrapped, total.why)
	case total.left > 0:
		return fmt.Errorf("%d %w, being in use: run it again", total.left, ErrNotRewrapped)
	}
	return err
}

// rewrapped counts what a pass did.
type rewrapped struct {
	done, failed, left int64
	why                error
}

// rewrapAll goes once through all data keys. Where it was killed it goes on when it is run again: each row tells under which key it lies.
func rewrapAll(ctx context.Context, keys *vault.Keys, l *ledger.Ledger, batch int, progress func(int64)) (rewrapped, error) {
	var pass rewrapped
	var after ledger.SubjectKey
	for {
		found, err := l.KeysNotUnder(ctx, keys.PrimaryKEK(), after, batch)
		if err != nil || len(found) == 0 {
			return pass, err
		}
		after = found[len(found)-1].SubjectKey
		page := make([]ledger.Rewrapping, 0, len(found))
		for _, k := range found {
			renewed, err := keys.Rewrap(vault.WrappedKey{Tenant: k.Tenant, Subject: k.Subject, Wrapped: k.Old})
			if err != nil {
				pass.failed++
				pass.why = err
				continue
			}
			k.New = renewed.Wrapped
			page = append(page, k)
		}
		n, err := l.Rewrap(ctx, page)
		if err != nil {
			return pass, err
		}
		pass.done += n
		pass.left += int64(len(found)) - n
		progress(n)
	}
}

// KeysPrune drops the key-encryption keys before the primary one, if nothing lies under them any more.
func KeysPrune(ctx context.Context, s Settings, out, notes io.Writer) error {
	return s.besideKeys(ctx, func(source vault.Source, keys *vault.Keys, l *ledger.Ledger) error {
		var old []uint32
		for _, k := range keys.KEKs() {
			if !k.Primary && !k.Announced {
				old = append(old, k.ID)
			}
		}
		if len(old) == 0 {
			_, err := fmt.Fprintln(notes, "there is no old key")
			return err
		}
		err := l.AloneWithKeys(ctx, func() error { return l.RetireKEKs(ctx, old) })
		if used, ok := errors.AsType[*ledger.InUse](err); ok {
			return inUse(old, used.Usage)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(notes, "nothing lies under %s any more\n", list(old))
		return s.editKeys(out, notes, func(vault.Source) (vault.Edited, error) { return source.Drop(old) })
	})
}

func inUse(old []uint32, usage ledger.Usage) error {
	var counts []string
	for _, id := range old {
		if n := usage.Keys[id]; n > 0 {
			counts = append(counts, fmt.Sprintf("%d under %d", n, id))
		}
	}
	return fmt.Errorf("data keys lie under old keys still: %s; `chancery keys rewrap` wraps them anew", strings.Join(counts, ", "))
}

func list(ids []uint32) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.FormatUint(uint64(id), 10)
	}
	return strings.Join(texts, ", ")
}
