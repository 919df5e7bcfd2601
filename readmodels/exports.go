package readmodels

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/eventlog"
	"chancery/internal/masks"
	"chancery/readmodels/internal/rows"
)

// exportPage is how many rows of an export are in memory at a time.
const exportPage = 500

// manifest is the last file of an archive.
type manifest struct {
	TenantID uuid.UUID    `json:"tenant_id"`
	UserID   uuid.UUID    `json:"user_id"`
	Position Position     `json:"position"` // everything up to here is in it
	MadeAt   time.Time    `json:"made_at"`
	Files    []manifested `json:"files"`
}

type manifested struct {
	Name     string   `json:"name"`
	SHA256   string   `json:"sha256"`
	Bytes    int64    `json:"bytes"`
	Position Position `json:"position"` // what its source had seen when it was read
}

// export is an archive on its way out.
type export struct {
	View
	zip  *zip.Writer
	user domain.UserID
	made manifest
}

// Export writes everything about a user as a ZIP archive, page by page. It holds what was recorded up to the position, which the
// tables MUST have seen, and is made at the given time. Errors: ErrNotFound, before anything is written; faults.
func (v View) Export(ctx context.Context, user domain.UserID, position int64, at time.Time, out io.Writer) error {
	e := export{v, zip.NewWriter(out), user, manifest{v.tenant.UUID, user.UUID, Position(position), at.UTC(), nil}}
	who, err := v.One(ctx, users, user.String())
	if err != nil {
		return err
	}
	about := collectionsAbout()
	readme := func(w io.Writer) (Position, error) {
		_, err := io.WriteString(w, e.readme(about))
		return Position(position), err
	}
	self := func(w io.Writer) (Position, error) { return who.Position, writeJSON(w, who.Value) }
	if err := e.files(ctx, about, readme, self); err != nil {
		return fmt.Errorf("export a user: %w", err)
	}
	return nil
}

func (e *export) files(ctx context.Context, about []Collection, readme, self func(io.Writer) (Position, error)) error {
	if err := e.file("README.txt", readme); err != nil {
		return err
	}
	if err := e.file("user.json", self); err != nil {
		return err
	}
	for _, c := range about {
		if err := e.file(c.Name+".json", func(w io.Writer) (Position, error) { return e.array(ctx, c, w) }); err != nil {
			return err
		}
	}
	for _, c := range []Collection{e.audit(), e.events()} {
		if err := e.file(c.Name+".ndjson", func(w io.Writer) (Position, error) { return e.lines(ctx, c, w) }); err != nil {
			return err
		}
	}
	made := e.made
	if err := e.file("manifest.json", func(w io.Writer) (Position, error) { return made.Position, writeJSON(w, made) }); err != nil {
		return err
	}
	return e.zip.Close()
}

// collectionsAbout are those that tell things of one user from others: what is new and has the filter is exported, too.
func collectionsAbout() []Collection {
	return slices.DeleteFunc(slices.Clone(Collections), func(c Collection) bool {
		_, ok := c.filter("user_id")
		return !ok
	})
}

// file writes one file and notes it for the manifest.
func (e *export) file(name string, write func(io.Writer) (Position, error)) error {
	w, err := e.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: e.made.MadeAt})
	if err != nil {
		return err
	}
	sum := summed{to: w, hash: sha256.New()}
	seen, err := write(&sum)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	e.made.Files = append(e.made.Files, manifested{name, hex.EncodeToString(sum.hash.Sum(nil)), sum.bytes, seen})
	return nil
}

// summed counts and hashes what goes through it.
type summed struct {
	to    io.Writer
	hash  hash.Hash
	bytes int64
}

func (s *summed) Write(p []byte) (int, error) {
	n, err := s.to.Write(p)
	s.hash.Write(p[:n])
	s.bytes += int64(n)
	return n, err
}

// array writes the user's things of a collection.
func (e *export) array(ctx context.Context, c Collection, w io.Writer) (Position, error) {
	before := "["
	seen, err := e.each(ctx, c, map[string]string{"user_id": e.user.String()}, func(line []byte) error {
		_, err := io.WriteString(w, before+"\n")
		before = ","
		if err == nil {
			_, err = w.Write(line)
		}
		return err
	})
	if err != nil {
		return seen, err
	}
	_, err = io.WriteString(w, strings.TrimPrefix(before, ",")+"\n]\n")
	return seen, err
}

// lines writes one item a line.
func (e *export) lines(ctx context.Context, c Collection, w io.Writer) (Position, error) {
	return e.each(ctx, c, nil, func(line []byte) error {
		_, err := w.Write(append(line, '\n'))
		return err
	})
}

// each calls fn with every item, page by page; the position is that of the first page.
func (e *export) each(ctx context.Context, c Collection, filter map[string]string, fn func(line []byte) error) (seen Position, err error) {
	for p := (Params{Limit: exportPage, Filter: filter}); ; {
		page, err := e.List(ctx, c, p)
		if err != nil {
			return seen, err
		}
		if p.Cursor == "" {
			seen = page.Position
		}
		for _, item := range page.Items {
			line, err := json.Marshal(item)
			if err == nil {
				err = fn(line)
			}
			if err != nil {
				return seen, err
			}
		}
		if p.Cursor = page.Next; page.Next == "" {
			return seen, nil
		}
	}
}

// audit is what the user did, what was done with their rights, and what was done to them. From where others acted is theirs.
func (e *export) audit() Collection {
	return collection(Collection{Name: "audit", Projector: auditing, place: byNumber},
		func(ctx context.Context, db *rows.Queries, q query) ([]AuditEntry, error) {
			found, err := db.AuditAbout(ctx, rows.AuditAboutParams{
				TenantID: q.tenant, UserID: e.user.UUID, ObjectRef: string(e.user.Tag()),
				After: q.afterNumber(), UpTo: e.made.Position, RowLimit: q.limit,
			})
			return each(found, func(r rows.AuditLog) AuditEntry {
				if r.ActorUserID == nil || *r.ActorUserID != e.user.UUID {
					r.Ip, r.UserAgent = nil, nil
				}
				return entryOf(r)
			}), err
		})
}

// events is every event that concerns the user, with what is theirs in the clear and what is others' hidden.
func (e *export) events() Collection {
	tag := string(e.user.Tag())
	return collection(Collection{Name: "events", Projector: theLog, place: byNumber},
		func(ctx context.Context, db *rows.Queries, q query) ([]Event, error) {
			found, err := db.History(ctx, rows.HistoryParams{
				TenantID: q.tenant, Tag: tag, TagHash: eventlog.TagHash(tag), After: q.afterNumber(), UpTo: e.made.Position, RowLimit: q.limit,
			})
			return each(found, func(r rows.HistoryRow) Event {
				r.Payload, r.Metadata = masks.Others(r.Payload, e.user.UUID), masks.Others(r.Metadata, e.user.UUID)
				one := eventOf(rows.EventsRow(r), r.Type)
				one.place = one.Position
				return one
			}), err
		})
}

func (e *export) readme(about []Collection) string {
	var b strings.Builder
	width := len("manifest.json")
	for _, c := range about {
		width = max(width, len(c.Name+".json"))
	}
	line := func(name, text string) { fmt.Fprintf(&b, "%-*s  %s\n", width, name, text) }
	fmt.Fprintf(&b, `Everything that Chancery keeps about the user %s of the tenant %s,
as of position %d of its log, taken out at %s.

`, e.user, e.tenant, e.made.Position, e.made.MadeAt.Format(time.RFC3339))
	line("README.txt", "this text")
	line("user.json", "the user: name, addresses, telephone number, status")
	for _, c := range about {
		line(c.Name+".json", "a list: "+strings.ReplaceAll(c.Name, "-", " ")+" of the user")
	}
	line("audit.ndjson", "who did what, when and from where, an entry a line: where the user acted,")
	line("", "where somebody acted for them, and where they were the object")
	line("events.ndjson", "every event that concerns the user, one a line, oldest first")
	line("manifest.json", "the files with their SHA-256, their length, and what was seen of the log")
	b.WriteString(`
[sealed] stands for what is not the user's to see: passwords and other secrets, which nobody
can read, and personal data of others. [hash] stands for the hash of a token, or of what must
be unique, such as an address. [erased] stands for what was erased: it cannot be read any more,
by anybody.

Not in here: what the user did in other tenants (their logs have it), what apps keep of the
user, and the logs of web servers and proxies in front of Chancery.
`)
	return b.String()
}

// writeJSON writes a value for people to read.
func writeJSON(w io.Writer, v any) error {
	return json.MarshalWrite(w, v, jsontext.WithIndent("  "))
}
