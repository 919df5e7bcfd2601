package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// conn is one kept-alive HTTP/1.1 connection that sends requests made beforehand. It costs a small part of what
// net/http would, on the cores that the server needs.
type conn struct {
	net.Conn
	in   *bufio.Reader
	body []byte // of the last answer

	want, wanted string // a header by its name, colon and space; and its value in the last answer that had it
}

// dial opens n connections.
func dial(ctx context.Context, address string, n int) (conns []*conn, closeAll func(), err error) {
	closeAll = func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}
	for range n {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		conns = append(conns, &conn{Conn: c, in: bufio.NewReader(c)})
	}
	return conns, closeAll, nil
}

// request makes the bytes of a request; with a body it is a POST of JSON.
func request(path, token, body string) []byte {
	var b strings.Builder
	method := "GET"
	if body != "" {
		method = "POST"
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: bench\r\n", method, path)
	if token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", token)
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return []byte(b.String())
}

// ok sends a request and expects 200.
func (c *conn) ok(request []byte) error {
	status, err := c.send(request)
	if err == nil && status != 200 {
		err = fmt.Errorf("answered %d: %s", status, c.body)
	}
	return err
}

func (c *conn) send(request []byte) (status int, err error) {
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, fmt.Errorf("answered %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length, chunked := -1, false
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			break
		}
		if value, found := bytes.CutPrefix(line, []byte(c.want)); found && c.want != "" {
			c.wanted = string(bytes.TrimSpace(value))
		}
		chunked = chunked || bytes.HasPrefix(line, []byte("Transfer-Encoding: chunked"))
		if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		}
	}
	if chunked {
		c.body = c.body[:0]
		return status, c.chunks()
	}
	if length < 0 {
		return 0, errors.New("the answer has no length")
	}
	c.body = append(c.body[:0], make([]byte, length)...)
	_, err = io.ReadFull(c.in, c.body)
	return status, err
}

// chunks reads a body that comes in pieces (RFC 9112, section 7.1).
func (c *conn) chunks() error {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return err
		}
		from := len(c.body)
		c.body = append(c.body, make([]byte, size)...)
		if _, err := io.ReadFull(c.in, c.body[from:]); err != nil {
			return err
		}
		if _, err := c.in.Discard(2); err != nil || size == 0 {
			return err
		}
	}
}

// load is one request, sent over and over: a quick load tool.
type load struct {
	token, body string
	conns       int
}

func (l load) run(ctx context.Context, address string, span time.Duration) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	conns, closeAll, err := dial(ctx, u.Host, l.conns)
	if err != nil {
		return err
	}
	defer closeAll()
	r := request(u.RequestURI(), l.token, l.body)
	d, err := drive(l.conns, span, func(i int) error { return conns[i].ok(r) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(os.Stdout, d)
	return err
}
