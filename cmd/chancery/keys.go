package main

import (
	"context"
	"os"

	"chancery/internal/app"
)

type keys struct {
	Show    keysShow    `cmd:"" help:"List the keys without showing them, and how many data keys lie under each."`
	New     keysNew     `cmd:"" help:"Print a new keyring, for CHANCERY_KEYS."`
	Rotate  keysRotate  `cmd:"" help:"Add a key-encryption key and use it for what is new. Running servers follow."`
	Rewrap  keysRewrap  `cmd:"" help:"Wrap every data key under the primary key-encryption key. Servers may run; it may be killed and run again."`
	Prune   keysPrune   `cmd:"" help:"Drop old key-encryption keys, if nothing lies under them."`
	Seal    keysSeal    `cmd:"" help:"Seal the keyring under CHANCERY_KMS, or under the newest version of its key."`
	Unseal  keysUnseal  `cmd:"" help:"Write the keyring, which is sealed under CHANCERY_KMS, in the clear."`
	Upgrade keysUpgrade `cmd:"" help:"Bring a keyring of an older version up to date."`
}

type keysShow struct{}

// Run shows.
func (keysShow) Run(ctx context.Context, s *app.Settings) error {
	return app.KeysShow(ctx, *s, os.Stdout)
}

type keysNew struct{}

// Run prints.
func (keysNew) Run(s *app.Settings) error { return app.KeysNew(*s, os.Stdout) }

type keysRotate struct {
	Announce bool `help:"Do not use it yet: give it to every process first." xor:"when"`
	Promote  bool `help:"Use the key that was announced." xor:"when"`
	Pepper   bool `help:"The pepper of passwords too."`
}

// Run rotates.
func (c keysRotate) Run(s *app.Settings) error {
	return app.KeysRotate(*s, app.Rotation{Announce: c.Announce, Promote: c.Promote, Pepper: c.Pepper}, os.Stdout, os.Stderr)
}

type keysRewrap struct {
	Batch int `help:"Data keys of one transaction." default:"500" env:"CHANCERY_BATCH"`
}

// Run wraps anew.
func (c keysRewrap) Run(ctx context.Context, s *app.Settings) error {
	return app.KeysRewrap(ctx, *s, c.Batch, os.Stdout, os.Stderr)
}

type keysPrune struct{}

// Run prunes.
func (keysPrune) Run(ctx context.Context, s *app.Settings) error {
	return app.KeysPrune(ctx, *s, os.Stdout, os.Stderr)
}

type keysSeal struct {
	From string `help:"Key of a KMS under which it is sealed now, if it is another one."`
}

// Run seals.
func (c keysSeal) Run(s *app.Settings) error { return app.KeysSeal(*s, c.From, os.Stdout, os.Stderr) }

type keysUnseal struct{}

// Run unseals.
func (keysUnseal) Run(s *app.Settings) error { return app.KeysUnseal(*s, os.Stdout, os.Stderr) }

type keysUpgrade struct{}

// Run upgrades.
func (keysUpgrade) Run(s *app.Settings) error { return app.KeysUpgrade(*s, os.Stdout, os.Stderr) }
