package userauth_test

import (
	"net/http"
	"testing"

	"github.com/ostiary/auth"
)

func TestLogout(t *testing.T) { onEngines(t, testLogout) }

func testLogout(t *testing.T) {
	t.Run("JV15 FU05 S-05 S-06 by JSON: once, again, and by nobody", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		b, other := s.in("alice"), s.in("alice")
		old := b.copy()
		for name, who := range map[string]*browser{"nobody": s.browser(), "the cookie's holder": b} {
			if got := who.json(http.MethodPost, "/auth/logout", ""); got.Status != http.StatusNoContent {
				t.Errorf("%s: got %d %s, want 204", name, got.Status, got.text())
			}
		}
		if _, value := b.session(); value != "" {
			t.Error("the browser still has its cookie")
		}
		refused(t, "the old cookie", old.copy().get("/api/me"), http.StatusUnauthorized)
		if got := old.json(http.MethodPost, "/auth/logout", ""); got.Status != http.StatusNoContent {
			t.Errorf("again: got %d, want 204", got.Status)
		}
		admitted(t, "another browser of hers", other.get("/"))
		if n := s.count("sessions"); n != 1 {
			t.Errorf("got %d sessions, want the other browser's", n)
		}
		if events := s.eventsOf(auth.EventLogout); len(events) != 1 || events[0].Username != "alice" || events[0].UserID != "user:1" {
			t.Errorf("G-05: got events %+v, want one", events)
		}
	})
	t.Run("S-06 by a form: once, again, and by nobody", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		b := s.in("alice")
		old := b.copy()
		for _, who := range []*browser{s.browser(), b, old} {
			if got := who.post("/auth/logout", nil); got.Status != http.StatusSeeOther || got.location() != "/auth/login" {
				t.Errorf("got %d to %q, want 303 to /auth/login", got.Status, got.location())
			}
		}
		if n := s.count("sessions"); n != 0 {
			t.Errorf("got %d sessions, want none", n)
		}
	})
	t.Run("L-12 L-13 L-14 only by a POST of our own page", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		b := s.in("alice")
		for _, method := range []string{"GET", "HEAD", "get", "PUT", "DELETE", "post"} {
			if got := b.do(method, "/auth/logout", "", with("X-HTTP-Method-Override", "POST"), with("Sec-Fetch-Site", "same-origin")); got.Status != http.StatusMethodNotAllowed || len(got.Cookies) != 0 {
				t.Errorf("%s: got %d and cookies %v, want 405 and none", method, got.Status, got.Cookies)
			}
		}
		for name, o := range foreign() {
			if got := b.do(http.MethodPost, "/auth/logout", "", o); got.Status != http.StatusForbidden || len(got.Cookies) != 0 {
				t.Errorf("%s: got %d and cookies %v, want 403 and none", name, got.Status, got.Cookies)
			}
		}
		admitted(t, "afterwards", b.get("/"))
	})
	t.Run("one of two session cookies is nobody's to end", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("alice", nil)
		b := s.in("alice")
		name, value := b.session()
		got := b.copy().json(http.MethodPost, "/auth/logout", "", with("Cookie", name+"="+value+"; "+name+"=planted"))
		if c := got.sessionCookie(); got.Status != http.StatusNoContent || c == nil || c.MaxAge >= 0 {
			t.Errorf("got %d and cookies %v, want 204, and the browser to forget it", got.Status, got.Cookies)
		}
		admitted(t, "afterwards", b.get("/"))
	})
}

// foreign are requests that a page of another site makes its visitor's browser send.
func foreign() map[string]option {
	both := func(o ...option) option {
		return func(r *http.Request) {
			for _, f := range o {
				f(r)
			}
		}
	}
	return map[string]option{
		"L-03 another site":               with("Sec-Fetch-Site", "cross-site"),
		"L-04 a sibling of the host":      both(with("Sec-Fetch-Site", "same-site"), with("Origin", "https://other.app.example")),
		"L-05 an old browser":             with("Origin", "https://evil.example"),
		"L-05 a sandboxed frame":          with("Origin", "null"),
		"L-06 another port":               with("Origin", "http://127.0.0.1:9999"),
		"L-06 another scheme":             with("Origin", "ftp://127.0.0.1:8888"),
		"L-07 a longer host":              with("Origin", "http://127.0.0.1:8888.evil.example"),
		"L-07 a user in it":               with("Origin", "http://127.0.0.1:8888@evil.example"),
		"L-07 a path in it":               with("Origin", "https://evil.example/http://127.0.0.1:8888"),
		"L-07 two origins":                with("Origin", "http://127.0.0.1:8888", "https://evil.example"),
		"empty origin":                    both(with("Origin", ""), with("Sec-Fetch-Site", "cross-site")),
		"its own claim to be of the site": both(with("Origin", "https://evil.example"), with("Sec-Fetch-Site", "same-origin")),
	}
}
