package userauth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// A secretsLog takes what is logged and remembers all of it.
type secretsLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *secretsLog) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *secretsLog) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// G-01, G-05: flows of every kind, right and wrong, over a real server, with the log at debug level in text and in JSON, the
// server's own error log, and every event and every denial's error printed. No secret is in there, however it is spelled.
func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	const wrong, typed, link = "wrong-5e8c1f7a90b3d264", "typed-by-mistake-77d1", "link-c0ffee-19d8"
	var logged, events secretsLog
	handler := slog.NewMultiHandler(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}), slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	clock := newSiteClock() // runs ahead, or lines would be left out: see the guard's throttle
	s := newSite(t, func(c *userauth.Config) {
		c.Auth.Logger = slog.New(handler)
		c.Auth.Now = func() time.Time { clock.advance(15 * time.Millisecond); return clock.now() }
		c.Auth.Deny = func(w http.ResponseWriter, _ *http.Request, status int, err error) {
			fmt.Fprintf(&events, "%v %+v %#v\n", err, err, err)
			w.WriteHeader(status)
		}
		c.Authenticators = []userauth.Authenticator{userauth.AuthenticatorFunc(func(_ context.Context, name, pass string) (*auth.Identity, error) {
			switch name {
			case "lena":
				id := lena()
				return &id, nil
			case "broken":
				return nil, errors.New("connection refused")
			case "panics":
				panic(name + pass)
			}
			return nil, auth.ErrNoCredentials
		})}
	})
	s.add("alice", siteReads)
	s.add("bob", nil)
	s.Handler.(*http.ServeMux).Handle("/panics", s.users.CurrentUser(nil)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("handler") })))
	s.server = httptest.NewUnstartedServer(s)
	s.server.Config.ErrorLog = log.New(&logged, "", 0)
	s.server.Start()
	t.Cleanup(s.server.Close)
	s.host = s.server.Listener.Addr().String()

	secrets := []string{sitePassword, nextPassword, wrong, typed, link, s.hashOf("alice")}
	client := s.server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	send := func(method, target, body string, header http.Header) {
		r, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = header
		res, err := client.Do(r)
		if err != nil {
			return // the handler that panics
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		for _, c := range res.Cookies() {
			secrets = append(secrets, c.Value)
		}
	}
	s.faulty.Store(true)
	for _, b := range []*browser{s.browser(), s.in("alice"), s.in("lena")} {
		for _, c := range b.cookies {
			secrets = append(secrets, c)
		}
		headers := func(name, value string) http.Header {
			return http.Header{"Cookie": {b.cookieHeader()}, "Referer": {"http://other.example/?token=" + link}, "User-Agent": {"test"}, name: {value}}
		}
		jsons, forms := headers("Content-Type", "application/json"), headers("Content-Type", "application/x-www-form-urlencoded")
		query := "?token=" + link + "&password=" + url.QueryEscape(sitePassword)
		for _, path := range []string{"/", "/api/me", "/api/contents/demo", "/api/room/demo", "/admin", "/auth/me", "/auth/sessions", "/auth/password", "/auth/none", "/panics"} {
			send("GET", path, "", headers("Authorization", "Bearer "+link))
			send("GET", path+query, "", headers("Accept", "text/html"))
			send("POST", path+query, "", headers("Origin", "https://evil.example"))
			send("PATCH", path, `{"name":"`+typed+`"}`, jsons)
			send("PATCH", path, `{"password":"`+typed+`"}`, jsons)
			send("TRACE", path, "", headers("Authorization", "Bearer "+link))
		}
		for _, name := range []string{"alice", "nobody", typed, "broken", "panics", "a/" + typed} {
			for _, pass := range []string{wrong, ""} {
				send("POST", "/auth/login"+query, url.Values{"username": {name}, "password": {pass}, "next": {"/?token=" + link}}.Encode(), forms)
				send("POST", "/auth/login", fmt.Sprintf(`{"username":%q,"password":%q}`, name, pass), headers("Content-Type", "application/json"))
				send("POST", "/auth/login", fmt.Sprintf(`{"username":%q,"pass%q`, name, pass), jsons)
			}
		}
		send("POST", "/auth/password", fmt.Sprintf(`{"current":%q,"new":%q}`, wrong, nextPassword), jsons)
		send("POST", "/auth/password", fmt.Sprintf(`{"current":%q,"new":%q}`, sitePassword, typed), jsons)
		send("DELETE", "/auth/sessions", "", headers("Accept", "application/json"))
		send("DELETE", "/auth/sessions/x", "", headers("Accept", "application/json"))
		send("POST", "/auth/logout", "", forms)
	}
	clock.advance(time.Hour) // nobody is limited any more
	b := s.in("alice")
	b.setPassword(sitePassword, nextPassword)
	_, current := b.session()
	secrets = append(secrets, current, s.hashOf("alice"))
	made := b.makeToken("/auth/tokens", `{"name":"ci","permissions":{"contents":["read"]}}`)
	secrets = append(secrets, made.Text, secretIn(made.Text))
	for _, text := range []string{made.Text, made.Text[:50], strings.ToLower(made.Text)} { // K-14
		for _, path := range []string{"/", "/api/contents/demo", "/admin", "/api/room/demo", "/auth/tokens", "/panics", "/?token=" + text} {
			send("GET", path, "", http.Header{"Authorization": {"Bearer " + text}})
			send("POST", path, text, http.Header{"Authorization": {"token " + text}})
		}
	}
	b.delete("/auth/tokens/" + made.ID)
	send("GET", "/", "", http.Header{"Authorization": {"Bearer " + made.Text}})
	conn, _ := b.enter()
	b.post("/auth/logout", nil)
	s.ends("logout", conn, 1008)
	eventually(t, "the socket's end is told", func() bool { return len(s.eventsOf(auth.EventEnded)) == 1 })

	s.mu.Lock()
	kinds := map[auth.EventKind]int{}
	for _, e := range s.events {
		fmt.Fprintf(&events, "%v %+v %#v\n", e, e, e)
		kinds[e.Kind]++
		if e.Time.IsZero() || e.Time.Location() != time.UTC || !e.Address.IsValid() || e.Method == "" || e.Path == "" {
			t.Errorf("G-05: got %+v, want when, from where and what", e)
		}
	}
	s.mu.Unlock()
	fmt.Fprintf(&events, "%v %+v %#v %v", s.users, s.users, s.users.Accounts(), s.users.Accounts()) // G-02
	for _, kind := range []auth.EventKind{
		auth.EventLogin, auth.EventLoginFailed, auth.EventLogout, auth.EventLimited, auth.EventUnknown, auth.EventDenied, auth.EventOrigin,
		auth.EventUpdated, auth.EventPassword, auth.EventRevoked, auth.EventUnavailable, auth.EventEnded, auth.EventTokenMade, auth.EventTokenEnded,
	} {
		if kinds[kind] == 0 {
			t.Errorf("no event of the kind %s: these flows miss something", kind)
		}
	}
	if strings.Contains(logged.String(), "skipped") {
		t.Error("lines were left out of the log")
	}
	for where, text := range map[string]string{"log": logged.String(), "events": events.String()} {
		if len(text) < 1000 {
			t.Errorf("the %s is nearly empty: %q", where, text)
		}
		for _, secret := range secrets {
			for _, spelling := range siteSpellings(secret) {
				if i := strings.Index(text, spelling); len(secret) > 8 && i >= 0 {
					t.Errorf("the %s holds %q as %q: %s", where, secret, spelling, text[max(0, i-200):min(len(text), i+200)])
				}
			}
		}
	}
}

// G-07: a flood of refusals is a flood neither of lines nor of work for who is let in; every event is told to the hook.
func TestAFloodOfRefusals(t *testing.T) {
	t.Parallel()
	clock := newSiteClock()
	s := newSite(t, clocked(clock))
	s.add("alice", nil)
	b := s.in("alice")
	const n = 2000
	for range n {
		s.browser().get("/")
	}
	if lines := strings.Count(s.logged(), "\n"); lines > 200 {
		t.Errorf("got %d lines in one second", lines)
	}
	if got := len(s.eventsOf(auth.EventUnknown)); got != n {
		t.Errorf("got %d events, want %d", got, n)
	}
	admitted(t, "alice", b.get("/"))
}
