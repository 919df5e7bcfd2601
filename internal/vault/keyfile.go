package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// keyFile is the file's content: three Tink keysets in Tink's own JSON. The KEK may be rotated by adding keys to its
// keyset; the primary keys of the other two MUST stay for ever, since their outputs are stored.
type keyFile struct {
	Version int             `json:"version"`
	KEK     json.RawMessage `json:"kek"`
	Claims  json.RawMessage `json:"claims"`
	Tokens  json.RawMessage `json:"tokens"`
}

const keyFileVersion = 1

// LoadKeys reads the key file, making it (and its folder) if there is none. Whoever loads the same path, in whatever
// process, gets the same keys. It refuses a file that others may read.
//
// A new file beside an old database would be a catastrophe in slow motion: nothing opens and no claim is found taken.
// So the caller keeps Fingerprint in each database and compares it at every start.
func LoadKeys(path string) (*Keys, error) {
	content, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createKeyFile(path); err != nil {
			return nil, fmt.Errorf("make key file %s: %w", path, err)
		}
		content, err = readPrivate(path)
	}
	if err != nil {
		return nil, err
	}
	keys, err := parseKeys(content)
	if err != nil {
		return nil, fmt.Errorf("key file %s is damaged: %w", path, err)
	}
	return keys, nil
}

func readPrivate(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("key file %s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("key file %s is open to other users of this machine (mode %04o); "+
			"make it private with: chmod 600 %s", path, mode, path)
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	return content, nil
}

// createKeyFile puts a complete, durable file in place, or leaves the one that another process put there first. The
// last step is a link and not a rename: a rename would replace the file that the other process already uses.
func createKeyFile(path string) error {
	content, err := newKeyFile()
	if err != nil {
		return err
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(folder, filepath.Base(path)+".new-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(content)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(folder)
}

func syncFolder(folder string) error {
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func newKeyFile() ([]byte, error) {
	file := keyFile{Version: keyFileVersion}
	for _, part := range []struct {
		into     *json.RawMessage
		template *tinkpb.KeyTemplate
	}{
		{&file.KEK, aead.AES256GCMKeyTemplate()},
		{&file.Claims, prf.HMACSHA256PRFKeyTemplate()},
		{&file.Tokens, prf.HMACSHA256PRFKeyTemplate()},
	} {
		handle, err := keyset.NewHandle(part.template)
		if err != nil {
			return nil, err
		}
		var text bytes.Buffer
		if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
			return nil, err
		}
		*part.into = text.Bytes()
	}
	content, err := json.MarshalIndent(file, "", "  ")
	return append(content, '\n'), err
}
