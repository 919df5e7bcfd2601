package access_test

import (
	"net/url"
	"strings"
	"testing"

	"chancery/internal/access"
)

func TestWhatCouldBeReadAsAnotherPlaceIsNoTarget(t *testing.T) {
	for _, good := range []string{
		"/", "/a", "/a/", "/a/b.c", "/a?x=//..;%2e", "/.well-known/x", "/a%20b", "/caf%C3%A9", "/100%25", "/a:b@c!$&'()*+,=", "/..a", "/%41",
	} {
		if _, ok := access.ReadTarget("GET", "a.test", good); !ok {
			t.Errorf("%s is no target", good)
		}
	}
	for _, bad := range []string{
		"", "a", "*", "http://a/b", "//", "//a", "/a//b", "/a//", "/.", "/..", "/a/../b", "/a/./b", "/a/..", "/a/.", "/...", "/a.", "/a./b", "/a%20/b", "/a%2e", "/%2e%2e/a",
		"/%2E/a", "/a%2eb", "/a%2fb", "/a%2Fb", "/a%5cb", `/a\b`, "/a;b", "/a%3bb", "/..;/a", "/a%00", "/a%0a", "/a%7f", "/%252e%252e/a", "/a%252fb", "/%", "/%zz", "/%2", "/%u002e", "/%c0%ae%c0%ae/a",
		"/%ff", "/a#b", "/a%3Fb", "/a%23b", "/%2541", "?a", "/a%0d%0aX: y",
	} {
		if _, ok := access.ReadTarget("GET", "a.test", bad); ok {
			t.Errorf("%s is a target", bad)
		}
	}
	for _, bad := range []string{"", "get", "Get", "GET ", "G\x00", strings.Repeat("A", 21)} {
		if _, ok := access.ReadTarget(bad, "a.test", "/"); ok {
			t.Errorf("%q is a method", bad)
		}
	}
}

func FuzzNothingButTheWayItIsSpelledLeadsToWhatAPrivilegeGuards(f *testing.F) {
	for _, path := range []string{"/admin", "/Admin/x", "/%61dmin", "/a/../admin", "//admin", "/admin;x", "/\u212Aiosk", "/admin%2e"} {
		f.Add("GET", "a.test:80", path)
	}
	x := routing(f)
	f.Fuzz(func(t *testing.T, method, host, path string) {
		target, ok := access.ReadTarget(method, host, path)
		if !ok {
			return
		}
		found, ok := x.Route(target, "")
		if !ok || !found.Served {
			return
		}
		path, _, _ = strings.Cut(path, "?")
		decoded, err := url.PathUnescape(path)
		first, _, _ := strings.Cut(strings.TrimPrefix(decoded, "/"), "/")
		if err != nil || !strings.HasPrefix(decoded, "/") || strings.EqualFold(first, "admin") != (found.Route.Path == "/admin") {
			t.Errorf("%q leads to %q", path, found.Route.Path)
		}
	})
}
