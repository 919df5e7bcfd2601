package app

import (
	"archive/zip"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// archive are the files of an export, in one text.
func archive(t *testing.T, r reply) string {
	t.Helper()
	if r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
	files, err := zip.NewReader(strings.NewReader(r.body), int64(len(r.body)))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files.File {
		text, err := f.Open()
		if err == nil {
			all.WriteString("\n" + f.Name + "\n")
			_, err = io.Copy(&all, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

func TestEverythingAboutOnePersonLeavesAsOneArchive(t *testing.T) {
	a, root := platform(t)
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	ann := root.user(t, "acme", "ann", true)
	una := ann.must(t, "acme", "register-user", `{"display_name":"Una Mustermann","email":"una@acme.test"}`)
	ann.must(t, "acme", "register-user", `{"display_name":"Zoe Musterfrau","email":"zoe@acme.test"}`)
	ann.must(t, "acme", "change-user-contact", `{"id":"`+una+`","phone":"+49 30 123456","address":"Musterweg 1\n12345 Berlin"}`)
	ann.must(t, "acme", "link-identity", `{"user_id":"`+una+`","issuer":"https://id.test","subject":"una-7"}`)
	group := ann.must(t, "acme", "create-group", `{"name":"Team"}`)
	ann.must(t, "acme", "add-group-member", `{"group_id":"`+group+`","user_id":"`+una+`"}`)
	self := ann.as(ann.issue(t, "acme", una))

	before := a.headForTest(t)
	text := archive(t, ann.do("POST", "/v1/tenants/acme/users/"+una+"/export", ""))
	if now := a.headForTest(t); now != before+1 {
		t.Errorf("%d events record the export", now-before)
	}
	for _, want := range []string{"Una Mustermann", "una@acme.test", "+4930123456", `Musterweg 1\n12345 Berlin`, `"subject":"una-7"`, group, `"user.exported"`, `"hash":"[hash]"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the archive lacks %s: %s", want, text)
		}
	}
	for _, other := range []string{"Zoe", "zoe@", "192.0.2.1", "sealed:"} { // from where the administrator came is theirs
		if strings.Contains(text, other) {
			t.Errorf("the archive has %s: %s", other, text)
		}
	}
	self.command("acme", "create-group", `{"name":"mine"}`) // refused, and recorded
	if r := self.do("POST", "/v1/tenants/acme/users/"+ann.do("GET", "/v1/me", "").part("user_id")+"/export", ""); r.status != http.StatusForbidden {
		t.Errorf("another's archive: %d %s", r.status, r.body)
	}
	if text := archive(t, self.do("POST", "/v1/tenants/acme/users/"+una+"/export", "")); !strings.Contains(text, "192.0.2.1") {
		t.Errorf("one's own archive does not tell from where one came: %s", text)
	}
	if r := self.command("acme", "change-user-contact", `{"id":"`+una+`","phone":""}`); r.status != http.StatusOK {
		t.Errorf("one's own number: %d %s", r.status, r.body)
	}
}

func TestTheFirstAdministratorsOriginIsSealedWithTheirFirstKey(t *testing.T) {
	a := start(t)
	token, err := readBootstrapToken(filepath.Join(a.config.Data, bootstrapFile))
	if err != nil {
		t.Fatal(err)
	}
	nobody := caller{a.handlerForTest(t), token}
	root := nobody.as(nobody.do("POST", "/v1/bootstrap", `{"email":"root@chancery.test","display_name":"Root"}`).part("token"))
	a.settled(t)
	for _, list := range []string{"audit?action=installation.bootstrapped", "events?type=installation.bootstrapped"} {
		r := root.do("GET", "/v1/tenants/root/"+list, "")
		if strings.Count(r.body, `"ip":"192.0.2.1"`) != 1 || strings.Contains(r.body, "sealed") {
			t.Errorf("%s: %d %s", list, r.status, r.body)
		}
	}
}
