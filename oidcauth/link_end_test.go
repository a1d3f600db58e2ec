package oidcauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// J-22, LO-04: what a linked sign-in has begun ends when the provider says so, on every instance, and nothing else does.
func TestLinkedSessionsEndAtTheProvider(t *testing.T) {
	t.Parallel()
	other := newLinked(t, nil, nil)
	l := newLinked(t, nil, func(pl *plan) { pl.cfg.DB, pl.given = other.db, other.op })
	byPassword := l.browser().locally("ann").mustLink()
	sid := l.op.SignIn("alice")
	ended := l.browser()
	ended.login("/auth/login")
	l.op.SignIn("alice")
	stays := l.browser()
	stays.login("/auth/login")
	elsewhere := ended.at(other.stand)
	room := elsewhere.dial("/room")
	for name, b := range map[string]*browser{"password": byPassword, "first": ended, "second": stays, "first elsewhere": elsewhere} {
		if got := b.who(); got != l.idOf("ann") {
			t.Fatalf("%s: got %q", name, got)
		}
	}
	for _, d := range l.op.LogoutSession(t.Context(), sid) {
		if d.Status/100 != 2 {
			t.Fatalf("the logout was answered with %d %s", d.Status, d.Body)
		}
	}
	if code := closed(t, room, reach); code != websocket.StatusPolicyViolation {
		t.Errorf("the socket: got %d, want 1008", code)
	}
	until(t, "the session ends here", func() bool { return ended.who() == "" })
	until(t, "the session ends elsewhere", func() bool { return elsewhere.who() == "" })
	if stays.who() == "" || byPassword.who() == "" {
		t.Errorf("another session at the provider: %q; by password: %q", stays.who(), byPassword.who())
	}
	l.op.Logout(t.Context(), "alice") // all of hers
	until(t, "the second ends", func() bool { return stays.who() == "" })
	if byPassword.who() == "" {
		t.Error("the provider has ended a session that isn't its own")
	}
}

// LO-10: the logout overtakes the login.
func TestLinkedSignInAfterTheProvidersLogout(t *testing.T) {
	t.Parallel()
	l := newLinked(t, nil, nil)
	l.browser().locally("ann").mustLink()
	b := l.browser()
	back := b.back(b.leave("/auth/login"))
	for _, d := range l.op.Logout(t.Context(), "alice") {
		if d.Status/100 != 2 {
			t.Fatalf("the logout was answered with %d %s", d.Status, d.Body)
		}
	}
	sessions := l.rows("sessions")
	if a := b.open(back); a.StatusCode != http.StatusBadRequest || b.who() != "" || l.rows("sessions") != sessions {
		t.Errorf("got %d as %q, want 400 and no session", a.StatusCode, b.who())
	}
}

// Unlinking ends what began by the link, on every instance, and the sign-in opens the account no more.
func TestUnlinking(t *testing.T) {
	t.Parallel()
	other := newLinked(t, nil, nil)
	l := newLinked(t, nil, func(pl *plan) { pl.cfg.DB, pl.given = other.db, other.op })
	byPassword := l.browser().locally("ann").mustLink()
	b := l.browser()
	b.login("/auth/login")
	elsewhere := b.at(other.stand)
	room := elsewhere.dial("/room")
	id := l.links("ann")[0].ID
	bob := l.browser().locally("bob")
	if a := bob.do("DELETE", "/users/links/"+id, ""); a.StatusCode != http.StatusNotFound {
		t.Errorf("bob unlinks ann's: got %d, want 404", a.StatusCode)
	}
	if b.who() == "" || elsewhere.who() == "" {
		t.Fatal("the good case: not signed in")
	}
	page := byPassword.open("/users/links")
	if page.StatusCode != http.StatusOK || !strings.Contains(page.body, `action="/users/links/`+id+`/end"`) || !strings.Contains(page.body, l.op.Issuer()) {
		t.Errorf("the page: got %d %s", page.StatusCode, page.body)
	}
	if a := byPassword.do("POST", "/users/links/"+id+"/end", "", append(formHeaders, "Sec-Fetch-Site", "cross-site")...); a.StatusCode != http.StatusForbidden {
		t.Errorf("by a foreign page: got %d, want 403", a.StatusCode)
	}
	if a := byPassword.do("POST", "/users/links/"+id+"/end", "", formHeaders...); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/users/links" {
		t.Errorf("got %d to %q %s", a.StatusCode, a.Header.Get("Location"), a.body)
	}
	if b.who() != "" {
		t.Error("the session goes on")
	}
	if code := closed(t, room, reach); code != websocket.StatusPolicyViolation {
		t.Errorf("the socket: got %d, want 1008", code)
	}
	until(t, "it ends elsewhere", func() bool { return elsewhere.who() == "" })
	if byPassword.who() != l.idOf("ann") {
		t.Error("the session by password has ended, too")
	}
	if b.login("/auth/login"); b.who() != "oidc:"+l.op.Issuer()+"#alice" {
		t.Errorf("signed in as %q, want the provider's person", b.who())
	}
	l.nobodyLinked("afterwards")
}

// A provider's person who was here before being linked is another identity, and stays so.
func TestThePersonAndTheLinkLieApart(t *testing.T) {
	t.Parallel()
	l := newLinked(t, nil, nil)
	before := l.browser().mustLoginAs("oidc:" + l.op.Issuer() + "#alice")
	l.browser().locally("ann").mustLink()
	if got := before.who(); got != "oidc:"+l.op.Issuer()+"#alice" {
		t.Errorf("the person's session: got %q", got)
	}
	if n := l.rows("externals"); n != 2 {
		t.Errorf("%d rows, want the person's and the link's", n)
	}
	if b := l.browser(); b.login("/auth/login").StatusCode != http.StatusSeeOther || b.who() != l.idOf("ann") {
		t.Errorf("signed in as %q", b.who())
	}
	if err := l.users.Accounts().SetPassword(t.Context(), "ann", "brass-kettle-sings-77"); err != nil {
		t.Fatal(err)
	}
	l.nobodyLinked("after an admin has set another password")
	if b := l.browser(); b.login("/auth/login").StatusCode != http.StatusSeeOther || b.who() != "oidc:"+l.op.Issuer()+"#alice" {
		t.Errorf("signed in as %q, want the person", b.who())
	}
}

func (b *browser) mustLoginAs(id string) *browser {
	b.t.Helper()
	if b.login("/auth/login"); b.who() != id {
		b.t.Fatalf("signed in as %q, want %q", b.who(), id)
	}
	return b
}

// at is the browser at another instance, which lies elsewhere here: with the same cookies, under the names of there.
func (b *browser) at(s *stand) *browser {
	b.t.Helper()
	other := s.browser()
	from, _ := url.Parse(b.s.url)
	to, _ := url.Parse(s.url)
	for _, c := range b.jar.Cookies(from) {
		c.Name = strings.TrimSuffix(c.Name, from.Port()) + to.Port()
		other.jar.SetCookies(to, []*http.Cookie{c})
	}
	return other
}
