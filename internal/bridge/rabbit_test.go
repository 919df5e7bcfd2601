package bridge

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// rabbit is a RabbitMQ of the test's own, in a folder of its own, as a process that can be killed.
type rabbit struct {
	env    []string
	script string
	cmd    *exec.Cmd
}

// startRabbit skips the test where RabbitMQ is not installed. It returns its address.
func startRabbit(t *testing.T) (*rabbit, string) {
	t.Helper()
	script, err := exec.LookPath("rabbitmq-server")
	if err != nil {
		t.Skip("AMQP is not tested: there is no rabbitmq-server here (apt-get install rabbitmq-server)")
	}
	if debian := "/usr/lib/rabbitmq/bin/rabbitmq-server"; exists(debian) {
		script = debian // the other one is a wrapper that insists on the system's user and folders
	}
	folder := t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	if err := os.WriteFile(in("none.conf"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	port, dist, epmd := freePort(t), freePort(t), freePort(t)
	r := &rabbit{script: script, env: append(os.Environ(), "HOME="+folder,
		"RABBITMQ_MNESIA_BASE="+in("data"), "RABBITMQ_LOG_BASE="+in("log"), "RABBITMQ_PID_FILE="+in("pid"), "RABBITMQ_CONFIG_FILE="+in("none.conf"), "RABBITMQ_CONF_ENV_FILE="+in("none.conf"),
		"RABBITMQ_GENERATED_CONFIG_DIR="+in("generated"), "RABBITMQ_ENABLED_PLUGINS_FILE="+in("plugins"), fmt.Sprintf("RABBITMQ_NODENAME=chancery%d@localhost", port),
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", fmt.Sprint("RABBITMQ_NODE_PORT=", port), fmt.Sprint("RABBITMQ_DIST_PORT=", dist), fmt.Sprint("ERL_EPMD_PORT=", epmd), "ERL_EPMD_ADDRESS=127.0.0.1",
	)}
	names := exec.Command("epmd") // else RabbitMQ leaves one behind
	names.Env, names.SysProcAttr = r.env, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := names.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = names.Process.Kill(); _ = names.Wait() })
	if err := r.Again(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Kill)
	return r, fmt.Sprintf("amqp://guest:guest@127.0.0.1:%d", port)
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// Again starts it on what lies in its folder, and returns when it is ready.
func (r *rabbit) Again() error {
	r.cmd = exec.Command("sh", "-c", `"$0" </dev/null & cat; kill -9 0`, r.script) // its input ends with the process that began it
	r.cmd.Env, r.cmd.Stderr, r.cmd.SysProcAttr = r.env, os.Stderr, &syscall.SysProcAttr{Setpgid: true}
	if _, err := r.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := r.cmd.Start(); err != nil {
		return err
	}
	said := bufio.NewScanner(out)
	for said.Scan() {
		if strings.Contains(said.Text(), "completed with") {
			return nil
		}
	}
	r.Kill()
	return errors.Join(errors.New("RabbitMQ does not start"), said.Err())
}

// Kill ends it as kill -9 does, and what it started.
func (r *rabbit) Kill() {
	_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	_ = r.cmd.Wait()
}
