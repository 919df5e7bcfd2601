// Package natstest runs a real NATS server with JetStream as a process of its own, which can be killed. It is for tests and the bench, never
// part of the program.
package natstest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	folderEnv = "CHANCERY_NATSTEST_FOLDER"
	portEnv   = "CHANCERY_NATSTEST_PORT"
)

// Main is called first thing in main or TestMain. In a process that Start began it is the server, and never returns.
func Main() {
	folder := os.Getenv(folderEnv)
	if folder == "" {
		return
	}
	if err := serve(folder, os.Getenv(portEnv)); err != nil {
		fmt.Fprintln(os.Stderr, "natstest:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(folder, port string) error {
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: n, JetStream: true, StoreDir: folder, NoSigs: true, NoLog: true, Username: User, Password: Password})
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		return errors.New("it does not start")
	}
	fmt.Fprintln(os.Stdout, "ready")
	_, _ = io.Copy(io.Discard, os.Stdin) // ends with the process that began us
	s.Shutdown()
	return nil
}

// Who may use the server.
const (
	User     = "chancery"
	Password = "p/w@d"
)

// Server is such a process.
type Server struct {
	URL    string // with credentials
	folder string
	port   int
	cmd    *exec.Cmd
	stdin  io.Closer
}

// Start runs a server on what lies in the folder, on a port of its own.
func Start(folder string) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return nil, err
	}
	s := &Server{URL: fmt.Sprintf("nats://chancery:p%%2Fw%%40d@127.0.0.1:%d", port), folder: folder, port: port}
	return s, s.Again()
}

// Again starts it after Kill, with the same folder and port.
func (s *Server) Again() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s.cmd = exec.Command(self)
	s.cmd.Env = append(os.Environ(), folderEnv+"="+s.folder, portEnv+"="+strconv.Itoa(s.port), "GOGC=")
	s.cmd.Stderr = os.Stderr
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		s.Kill()
		return errors.Join(fmt.Errorf("the NATS server said %q", line), err)
	}
	return nil
}

// Kill ends it as kill -9 does.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// Stop ends it in order.
func (s *Server) Stop() {
	_ = s.stdin.Close()
	_ = s.cmd.Wait()
}

// PID is that of the process.
func (s *Server) PID() int { return s.cmd.Process.Pid }
