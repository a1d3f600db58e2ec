package main_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/ostiary/auth/userauth"
)

var invitationLink = regexp.MustCompile(`^https://app\.example/base/auth/register\?invitation=[\w-]{43}\n$`)

// FU15: what invite prints is the link and nothing else; it works beside a server where registration is closed, once.
func TestInvite(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok("", "role", "set", "editor, at large", "contents:*")
	link := d.ok("", "invite", "-url", "https://app.example/base/auth/", "-role", "editor, at large", "-note", "Ann", "-expires", "12h")
	if !invitationLink.MatchString(link) {
		t.Fatalf("got %q, want a link alone", link)
	}
	cfg := userauth.Config{DB: d.db()}
	cfg.Auth.PublicURL = "https://app.example/base"
	users, err := userauth.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer users.Close()
	register := func(link, name string) *httptest.ResponseRecorder {
		u, err := url.Parse(strings.TrimSpace(link))
		if err != nil {
			t.Fatal(err)
		}
		form := url.Values{"username": {name}, "password": {goodPassword}, "invitation": {u.Query().Get("invitation")}}
		r := httptest.NewRequest(http.MethodPost, u.Path, strings.NewReader(form.Encode()))
		r.Host = u.Host
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		users.Routes().ServeHTTP(w, r)
		return w
	}
	if w := register(strings.TrimSpace(link)[:len(link)-2]+"~", "eve"); w.Code != http.StatusBadRequest {
		t.Errorf("one character changed: got %d, want 400", w.Code)
	}
	expired := d.ok("", "invite", "-url", "https://app.example/base/auth")
	d.exec("UPDATE auth_invitations SET created_at = 0, expires_at = 1 WHERE note = ''")
	if w := register(expired, "eve"); w.Code != http.StatusBadRequest {
		t.Errorf("past its time: got %d, want 400", w.Code)
	}
	if got := d.users(); got != "" {
		t.Errorf("got users %q, want none", got)
	}
	if w := register(link, "ann"); w.Code != http.StatusSeeOther {
		t.Errorf("got %d %s, want 303", w.Code, w.Body)
	}
	d.ok(goodPassword, "verify-password", "ann", "-password-stdin")
	if got := d.ok("", "list"); !strings.Contains(got, "ann") || !strings.Contains(got, "editor, at large") {
		t.Errorf("got %q, want ann with her role", got)
	}
	if w := register(link, "bob"); w.Code != http.StatusBadRequest {
		t.Errorf("used: got %d, want 400", w.Code)
	}
}

func TestInviteListAndDelete(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok("", "migrate")
	if got := d.ok("", "invite", "list") + d.ok("", "invite", "list", "-json"); got != "[]\n" {
		t.Errorf("got %q, want nothing", got)
	}
	link := d.ok("", "invite", "-note", "Ann\u202e")
	if !strings.HasPrefix(link, "/auth/register?invitation=") || strings.Count(link, "\n") != 1 {
		t.Errorf("got %q, want the path of the link", link)
	}
	list, asJSON := d.ok("", "invite", "list"), d.ok("", "invite", "list", "-json")
	id := strings.Fields(list)[0]
	if !strings.Contains(list, `Ann\u202e`) || !strings.Contains(asJSON, `"id":"`+id+`"`) {
		t.Errorf("got %q and %q", list, asJSON)
	}
	_, token, _ := strings.Cut(strings.TrimSpace(link), "=")
	if strings.Contains(list+asJSON, token) {
		t.Error("the list shows what is in the link")
	}
	if got := d.ok("", "invite", "delete", id); got != "withdrew the invitation "+id+"\n" {
		t.Errorf("got %q", got)
	}
	d.fails(1, "", "invite", "delete", id)
	if got := d.ok("", "invite", "list"); got != "" {
		t.Errorf("got %q, want nothing left", got)
	}
}

func TestInviteThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok("", "migrate")
	d.ok("", "invite", "-expires", "1d", "-url", "http://127.0.0.1:8888/auth")
	for _, args := range [][]string{
		{"-expires", "0"}, {"-expires", "-1h"}, {"-expires", "soon"}, {"-expires", "0d"}, {"-expires", "d"}, {"-expires", "1.5d"},
		{"-url", "app.example/auth"}, {"-url", "javascript:alert(1)"}, {"-url", "https://"}, {"-url", "https://me:otter@app.example"},
		{"-url", "https://app.example/auth?x"}, {"-url", "https://app.example/#x"}, {"nobody"}, {"-json"},
	} {
		d.fails(2, "", append([]string{"invite"}, args...)...)
	}
	for _, args := range [][]string{{"-expires", "91d"}, {"-role", "nobody"}, {"-note", strings.Repeat("x", 201)}} {
		d.fails(1, "", append([]string{"invite"}, args...)...)
	}
	if got := d.text("SELECT COUNT(*) FROM auth_invitations"); got != "1" {
		t.Errorf("got %s invitations, want the good one alone", got)
	}
}
