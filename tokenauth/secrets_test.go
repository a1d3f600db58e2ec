package tokenauth_test

import (
	"bytes"
	"context"
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
	"github.com/ostiary/auth/tokenauth"
)

// secretsLog takes what is logged and remembers all of it.
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

// G-01, T-24, JS108, JS109: flows of every kind, right and wrong, with the log at debug level, in text and in JSON, the
// server's own error log and every event printed. No secret is in there, however it is spelled.
func TestNoSecretIsLogged(t *testing.T) {
	const wrong, typed = "wrong-5e8c1f7a90b3d264", "typed-by-mistake-77d1"
	t.Parallel()
	for _, mode := range []struct {
		word   string
		change func(*tokenauth.Config)
	}{{labToken, at("")}, {labPassword, cheaply}} {
		var logged, events secretsLog
		handler := slog.NewMultiHandler(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}), slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		l := newLab(t, mode.change, named(tokenauth.Token{Name: "reader", Token: labReader, Permissions: auth.Permissions{"contents": {"read"}}}), func(c *tokenauth.Config) {
			c.Auth.Logger = slog.New(handler)
			c.Auth.Deny = func(w http.ResponseWriter, r *http.Request, status int, err error) {
				fmt.Fprintf(&events, "%v %+v %#v\n", err, err, err)
			}
			c.Auth.MaxRefusals = 2
			clock := newLabClock() // that runs ahead, or most lines would be left out: see the guard's throttle
			c.Auth.Now = func() time.Time { clock.advance(15 * time.Millisecond); return clock.now() }
		})
		guarded := l.Handler
		mux := http.NewServeMux()
		mux.Handle("/", guarded)
		mux.Handle("/panics", l.auth.CurrentUser(nil)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("handler") })))
		l.server = httptest.NewUnstartedServer(mux)
		l.server.Config.ErrorLog = log.New(&logged, "", 0)
		l.server.Start()
		t.Cleanup(l.server.Close)
		l.host = l.server.Listener.Addr().String()

		secrets := []string{labToken, labPassword, labReader, labCheapHash, wrong, typed}
		client := l.server.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		browsers := []*labBrowser{l.browser(), l.loggedIn(mode.word), l.loggedIn(labReader)}
		browsers[1].post("/auth/logout", nil)
		browsers = append(browsers, l.loggedIn(mode.word))
		send := func(method, target, body string, header http.Header) {
			r, err := http.NewRequestWithContext(t.Context(), method, l.server.URL+target, strings.NewReader(body))
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
		for _, b := range browsers {
			for _, c := range b.cookies {
				secrets = append(secrets, c)
			}
			for _, word := range []string{mode.word, labReader, wrong} {
				for _, path := range []string{"/", "/x", "/api/me", "/api/contents/demo", "/api/room/demo", "/auth/login", "/auth/logout", "/auth/none", "/panics"} {
					header := http.Header{"Cookie": {b.cookieHeader()}, "Referer": {"http://other.example/?token=" + word}, "User-Agent": {"test"}}
					with := func(name, value string) http.Header {
						h := header.Clone()
						h.Set(name, value)
						return h
					}
					query := "?token=" + url.QueryEscape(word) + "&password=" + url.QueryEscape(word)
					send(http.MethodGet, path, "", with("Authorization", "Bearer "+word))
					send(http.MethodGet, path+query, "", with("Accept", "text/html"))
					send(http.MethodGet, path+query+";x", "", with("Accept", "application/json"))
					send(http.MethodGet, path+"?"+labSpellings("token")[0]+"="+labSpellings(word)[0], "", header)
					send(http.MethodPost, path, url.Values{"password": {word}, "next": {"/?token=" + word}}.Encode(), with("Content-Type", "application/x-www-form-urlencoded"))
					send(http.MethodPost, path, fmt.Sprintf(`{"password":%q}`, word), with("Content-Type", "application/json"))
					send(http.MethodPost, path, fmt.Sprintf(`{"pass%q`, word), with("Content-Type", "application/json"))
					send(http.MethodPost, path+query, "", with("Origin", "https://evil.example"))
					send(http.MethodPatch, path, `{"name":"`+typed+`"}`, with("Content-Type", "application/json"))
					send(http.MethodPut, path, `{"text":"`+typed+`"}`, with("Authorization", "token "+word))
					send(http.MethodTrace, path, "", with("Authorization", "Bearer "+word))
					upgrade := with("Authorization", "Bearer "+word)
					for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "token." + word} {
						upgrade.Set(name, value)
					}
					if path == "/api/room/demo" && word == wrong {
						send(http.MethodGet, path+query, "", upgrade)
					}
				}
			}
		}
		l.mu.Lock()
		for _, e := range l.events {
			fmt.Fprintf(&events, "%v %+v %#v\n", e, e, e)
		}
		kinds := map[auth.EventKind]int{}
		for _, e := range l.events {
			kinds[e.Kind]++
		}
		l.mu.Unlock()
		for _, kind := range []auth.EventKind{auth.EventLogin, auth.EventLoginFailed, auth.EventLogout, auth.EventLimited, auth.EventUnknown, auth.EventDenied, auth.EventOrigin, auth.EventUpdated} {
			if kinds[kind] == 0 {
				t.Errorf("no event of the kind %s: these flows miss something (G-05)", kind)
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
				for _, spelling := range labSpellings(secret) {
					if len(secret) > 8 && strings.Contains(text, spelling) {
						t.Errorf("the %s holds %q as %q, near %q", where, secret, spelling, near(text, spelling))
					}
				}
			}
		}
	}
}

func near(text, s string) string {
	i := strings.Index(text, s)
	return text[max(0, i-200):min(len(text), i+200)]
}

// T-24: a backend or application that panics takes no credential into the log.
func TestPanicsTellNoSecret(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *tokenauth.Config) {
		c.Auth.Authorizer = secretsAuthorizer{}
	})
	got := l.browser().get("/api/contents/demo?token="+labToken, bearing(labToken))
	if got.Status < 500 || got.reached() {
		t.Errorf("got %d, reached: %v, want a fault", got.Status, got.reached())
	}
	if !strings.Contains(l.logged(), "panic") {
		t.Errorf("got the log %q, want the panic", l.logged())
	}
}

// secretsAuthorizer panics with all that it can get at.
type secretsAuthorizer struct{}

func (secretsAuthorizer) Authorize(ctx context.Context, id *auth.Identity, _, _ string) (bool, error) {
	panic(fmt.Sprintf("%+v %+v %#v", ctx, *id, id.Session))
}
