package webhooks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"chancery/internal/egress"
)

// reason says why there was no answer, in words of ours: an error of the network knows addresses that are nobody's business.
func reason(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	if slow, ok := errors.AsType[net.Error](err); errors.Is(err, context.DeadlineExceeded) || ok && slow.Timeout() {
		return "timeout"
	}
	for _, known := range []struct {
		err  error
		word string
	}{
		{egress.ErrAddress, "address not allowed"}, {egress.ErrPort, "port not allowed"}, {egress.ErrPublic, "not allowed without TLS"},
		{syscall.ECONNREFUSED, "connection refused"}, {syscall.EHOSTUNREACH, "no way to the address"}, {syscall.ENETUNREACH, "no way to the address"},
		{syscall.ECONNRESET, "connection broken"}, {syscall.EPIPE, "connection broken"}, {io.EOF, "connection broken"}, {io.ErrUnexpectedEOF, "connection broken"},
		{http.ErrSchemeMismatch, "no TLS spoken"},
	} {
		if errors.Is(err, known.err) {
			return known.word
		}
	}
	if unknown, ok := errors.AsType[*net.DNSError](err); ok {
		if unknown.IsNotFound {
			return "name not found"
		}
		return "name not resolved"
	}
	return distrust(err)
}

func distrust(err error) string {
	_, other := errors.AsType[x509.HostnameError](err)
	broken, invalid := errors.AsType[x509.CertificateInvalidError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	at, _ := errors.AsType[*net.OpError](err)
	switch {
	case other:
		return "certificate is for another name"
	case invalid && broken.Reason == x509.Expired:
		return "certificate expired"
	case untrusted:
		return "certificate not trusted"
	case plain:
		return "no TLS spoken"
	case at != nil && strings.HasSuffix(at.Op, " error"), strings.HasPrefix(err.Error(), "tls: "): // an alert, or what is one to us
		return "TLS failed"
	}
	return "no proper answer"
}
