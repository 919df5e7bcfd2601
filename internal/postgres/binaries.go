package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// oldest is the oldest PostgreSQL that Chancery runs on.
const oldest = 15

// Binaries is a folder with postgres and initdb of one version.
type Binaries struct {
	Dir   string
	Major int
}

// places are where PostgreSQL may lie.
type places struct {
	path  string // a PATH
	root  string // of the file system
	cache string // where npm put one
}

// list is every folder worth a look, best first: the caller's PATH, the distribution's newest, other usual folders,
// the cache.
func (p places) list() []string {
	dirs := filepath.SplitList(p.path)
	for _, pattern := range []string{
		"usr/lib/postgresql/*/bin",
		"usr/pgsql-*/bin",
		"usr/local/pgsql/bin",
		"usr/lib/postgresql*/bin",
		"usr/libexec/postgresql*",
		"opt/homebrew/opt/postgresql@*/bin",
		"opt/homebrew/bin",
		"usr/local/opt/postgresql@*/bin",
		"Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		found, _ := filepath.Glob(filepath.Join(p.root, pattern))
		slices.SortFunc(found, func(a, b string) int { return versionIn(b) - versionIn(a) })
		dirs = append(dirs, found...)
	}
	if p.cache == "" {
		return dirs
	}
	return append(dirs, filepath.Join(p.cache, "native", "bin"))
}

// versionIn is the last number in a path, so that 17 comes before 9.
func versionIn(path string) int {
	all := regexp.MustCompile(`\d+`).FindAllString(path, -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(all[len(all)-1])
	return n
}

// search answers the first folder that works, as the account, in the version wanted (0: any that is new enough).
func (p places) search(ctx context.Context, a account, want int) (Binaries, error) {
	var seen []string
	for _, dir := range p.list() {
		b, err := probe(ctx, dir, a)
		if err != nil {
			continue // not there, or not for this account
		}
		if want == b.Major || want == 0 && b.Major >= oldest {
			return b, nil
		}
		seen = append(seen, fmt.Sprintf("%d in %s", b.Major, b.Dir))
	}
	if err := ctx.Err(); err != nil {
		return Binaries{}, err
	}
	if len(seen) > 0 {
		return Binaries{}, fmt.Errorf("%w (only %s)", errNotFound, strings.Join(seen, ", "))
	}
	return Binaries{}, errNotFound
}

var errNotFound = errors.New("not found")

// probe runs postgres and looks for the initdb beside it.
func probe(ctx context.Context, dir string, a account) (Binaries, error) {
	postgres, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
	if err != nil {
		return Binaries{}, fmt.Errorf("find postgres: %w", err)
	}
	b := Binaries{Dir: filepath.Dir(postgres)}
	if _, err := os.Stat(b.path("initdb")); err != nil {
		return Binaries{}, fmt.Errorf("find initdb: %w", err)
	}
	cmd := exec.Command(postgres, "--version") //nolint:noctx // ended by runHere
	a.prepare(cmd)
	out, err := runHere(ctx, cmd)
	if err != nil {
		return Binaries{}, fmt.Errorf("run %s --version: %w: %s", postgres, err, lastLines(out))
	}
	number := regexp.MustCompile(`\(PostgreSQL\) (\d+)`).FindStringSubmatch(out)
	if number == nil {
		return Binaries{}, fmt.Errorf("%s --version says %q", postgres, lastLines(out))
	}
	b.Major, err = strconv.Atoi(number[1])
	return b, err
}

// find answers the binaries to run: those that the caller or $CHANCERY_PG_BIN names and no other; else the first that is
// found; else it installs some. want is the version of an existing cluster, or 0.
func find(ctx context.Context, c Config, a account, want int) (Binaries, error) {
	named := c.Bin
	if named == "" {
		named = os.Getenv("CHANCERY_PG_BIN")
	}
	if named != "" {
		return findNamed(ctx, named, a, want)
	}
	cache, noCache := cacheFolder()
	p := places{path: os.Getenv("PATH"), root: "/", cache: cache}
	b, missing := p.search(ctx, a, want)
	if missing == nil {
		return b, nil
	}
	if !errors.Is(missing, errNotFound) {
		return Binaries{}, fmt.Errorf("look for PostgreSQL: %w", missing)
	}
	if want != 0 {
		return Binaries{}, fmt.Errorf("this cluster needs PostgreSQL %d: %w; install it or set CHANCERY_PG_BIN to its bin folder", want, missing)
	}
	failed := noCache
	if noCache == nil {
		failed = install(ctx, cache, c.Logger, func() bool { b, missing = p.search(ctx, a, want); return missing == nil })
	}
	if missing == nil {
		return b, nil
	}
	return Binaries{}, fmt.Errorf("PostgreSQL %d or newer was %w and could not be installed (%w): "+
		"install it (on Debian: apt-get install postgresql) or set CHANCERY_PG_BIN to the folder that holds postgres and initdb", oldest, missing, failed)
}

func findNamed(ctx context.Context, dir string, a account, want int) (Binaries, error) {
	b, err := probe(ctx, dir, a)
	if err != nil {
		return Binaries{}, fmt.Errorf("the folder given for PostgreSQL's binaries, %s, does not serve: %w", dir, err)
	}
	if b.Major < oldest || want != 0 && b.Major != want {
		return Binaries{}, fmt.Errorf("the folder given for PostgreSQL's binaries, %s, holds version %d; needed is %d", dir, b.Major, max(want, oldest))
	}
	return b, nil
}

// cacheFolder is where npm puts PostgreSQL. Root's own cache is closed to the account that runs the server.
func cacheFolder() (string, error) {
	name := fmt.Sprintf("postgres-%s-%s-%s", npmVersion, runtime.GOOS, runtime.GOARCH)
	if os.Geteuid() == 0 {
		return filepath.Join("/var/cache/chancery", name), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a cache folder: %w", err)
	}
	return filepath.Join(dir, "chancery", name), nil
}
