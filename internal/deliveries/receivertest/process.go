package receivertest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// The environment of a process that is to be a receiver.
const (
	envListen  = "CHANCERY_TEST_RECEIVER"
	envJournal = "CHANCERY_TEST_RECEIVER_JOURNAL"
)

// Main makes this process a receiver for as long as it lives, if it was started as one; call it first. The process ends when
// whoever started it does.
func Main() {
	address := os.Getenv(envListen)
	if address == "" {
		return
	}
	if err := serve(address, os.Getenv(envJournal)); err != nil {
		fmt.Fprintln(os.Stderr, "receiver:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(address, journal string) error {
	r, err := newReceiver(journal, func() { os.Exit(3) })
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "receives at http://%s\n", l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return (&http.Server{Handler: r, ReadHeaderTimeout: time.Minute}).Serve(l)
}

// Process is a receiver that runs.
type Process struct {
	URL  string
	Done <-chan struct{} // closed when it has ended

	cmd   *exec.Cmd
	stdin io.Closer
}

// Start runs this program again as a receiver: at an address, or any free one of 127.0.0.1; with a journal, or without.
func Start(address, journal string) (*Process, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envListen+"="+address, envJournal+"="+journal)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	_, url, found := strings.Cut(strings.TrimSpace(line), "receives at ")
	if err != nil || !found {
		_ = stdin.Close()
		_ = cmd.Wait()
		return nil, errors.Join(fmt.Errorf("the receiver said %q", line), err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = cmd.Wait() }()
	return &Process{URL: url, Done: done, cmd: cmd, stdin: stdin}, nil
}

// PID is its number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop ends it.
func (p *Process) Stop() {
	_ = p.stdin.Close()
	<-p.Done
}

// Obey gives it rules, which it keeps beyond its death.
func (p *Process) Obey(ctx context.Context, r Rules) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return p.post(ctx, "/rules", text, nil)
}

// Report is what came since the last one.
func (p *Process) Report(ctx context.Context) (r Report, err error) {
	err = p.post(ctx, "/latencies", nil, &r)
	return r, err
}

func (p *Process) post(ctx context.Context, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the receiver answered %s: %s", resp.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
