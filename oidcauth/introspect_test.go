package oidcauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
)

// askStand is a stand whose provider makes opaque tokens, and is asked about them.
func askStand(t testing.TB, now *clock, change func(*plan)) *stand {
	t.Helper()
	return newStand(t, func(pl *plan) {
		pl.provider.API = &oidcauth.API{Introspect: true}
		pl.provider.Mapping = oidcauth.Mapping{Scopes: []string{"scope"}}
		if now != nil {
			pl.cfg.Auth.Now, pl.op.Now = now.now, now.now
		}
		if change != nil {
			change(pl)
		}
	})
}

// questions counts how often the provider was asked about a token.
func (s *stand) questions() int { return len(s.op.Calls("introspect")) }

// FP06, J-47: an answer counts for a while, for one token, and never past the token's end.
func TestIntrospection(t *testing.T) {
	t.Parallel()
	var now clock
	s := askStand(t, &now, nil)
	token := s.token(oidctest.Grant{})
	for range 2 {
		if a := s.admits("FP06 a good token", "Bearer "+token); !strings.Contains(a.body, "#alice") {
			t.Errorf("got %s", a.body)
		}
	}
	if n := s.questions(); n != 1 {
		t.Errorf("FP06: the provider was asked %d times, want 1", n)
	}
	if a := s.admits("J-47 another token", "Bearer "+s.token(oidctest.Grant{Sub: "bob"})); !strings.Contains(a.body, "#bob") || s.questions() != 2 {
		t.Errorf("J-47 another token: got %s, asked %d times", a.body, s.questions())
	}
	s.refuses("J-47 one that begins like the known one", http.StatusUnauthorized, "Bearer "+token+"x")
	s.refuses("J-47 the beginning of the known one", http.StatusUnauthorized, "Bearer "+token[:len(token)-1])
	s.op.Revoke(token)
	s.admits("revoked, within the minute", "Bearer "+token)
	now.forward(time.Minute)
	s.refuses("FP06 revoked, later", http.StatusUnauthorized, "Bearer "+token)
	// A token that ends within the minute.
	short := s.token(oidctest.Grant{Claims: map[string]any{"exp": now.now().Add(20 * time.Second).Unix()}})
	s.admits("J-47 a short one", "Bearer "+short)
	now.forward(21 * time.Second)
	s.refuses("J-47 a short one past its end", http.StatusUnauthorized, "Bearer "+short)
	if call := s.op.Calls("introspect")[0]; strings.Contains(call.URL.String(), token) || call.Method != http.MethodPost || call.Form.Get("token") != token {
		t.Errorf("the provider was asked by %s %s", call.Method, call.URL)
	}
	if strings.Contains(s.log(), token) {
		t.Error("the token is in the log")
	}
}

// J-47, J-38: what an answer must say.
func TestIntrospectionAnswers(t *testing.T) {
	t.Parallel()
	with := func(name string, value any) oidctest.Hooks {
		return oidctest.Hooks{OnIntrospection: func(a map[string]any) { set(a, name, value) }}
	}
	fault := func(f oidctest.Fault) oidctest.Hooks {
		return oidctest.Hooks{Faults: map[string]oidctest.Fault{"introspect": f}}
	}
	for _, configured := range []struct{ name, audience string }{{"without an audience", ""}, {"for an audience", audience}} {
		t.Run(configured.name, func(t *testing.T) {
			t.Parallel()
			now := time.Now().Unix() // not before: its turn may come minutes later
			s := askStand(t, nil, func(pl *plan) {
				pl.provider.API.Audience = configured.audience
			})
			mine, others := clientID, audience
			if configured.audience != "" {
				mine, others = others, mine
			}
			for _, c := range []struct {
				name  string
				hooks oidctest.Hooks
				want  int
			}{
				{"as it is", oidctest.Hooks{}, 200},
				{"J-47 active as text", with("active", "true"), 401},
				{"J-47 active as a number", with("active", 1), 401},
				{"J-47 no active", with("active", gone), 401},
				{"J-47 not active", with("active", false), 401},
				{"J-47 a page", fault(oidctest.HTML()), 503},
				{"J-47 500", fault(oidctest.Status(500)), 503},
				{"J-47 401, so that this server may not ask", fault(oidctest.Status(401)), 503},
				{"J-47 an error", fault(oidctest.OAuthError("invalid_request")), 503},
				{"J-47 a redirect", fault(oidctest.Elsewhere(307)), 503},
				{"J-47 100 MiB", fault(oidctest.Huge(100 << 20)), 503},
				{"J-47 active twice", fault(oidctest.Members(`"active":true`)), 503},
				{"J-47 this audience", with("aud", mine), 200},
				{"J-47 this audience among others", with("aud", []string{"x", mine}), 200},
				{"J-47 another audience", with("aud", others), 401},
				{"J-47 no audience in it", with("aud", []string{}), 401},
				{"J-47 null for the audience", with("aud", nil), 401},
				{"J-47 this issuer", with("iss", s.op.Issuer()), 200},
				{"J-47 another issuer", with("iss", "https://evil.example"), 401},
				{"J-47 past its end", with("exp", now-1), 401},
				{"J-47 an end as text", with("exp", "tomorrow"), 401},
				{"J-47 no end", with("exp", gone), 200},
				{"J-47 good in ten minutes", with("nbf", now+600), 401},
				{"J-47 no sub", with("sub", gone), 401},
				{"J-47 a number for sub", with("sub", 42), 401},
				{"J-47 a sub of 256 characters", with("sub", strings.Repeat("a", 256)), 401},
				{"J-38 a refresh token", with("token_type", "refresh_token"), 401},
				{"J-38 a refresh token (Keycloak)", with("typ", "Refresh"), 401},
				{"J-38 an ID token", with("token_use", "id"), 401},
				{"J-46 bound to a key", with("cnf", map[string]any{"jkt": "x"}), 401},
				{"a token type in another case", with("token_type", "bEARER"), 200},
				{"as it is, again", oidctest.Hooks{}, 200},
			} {
				s.op.SetHooks(c.hooks)
				before := s.reached.Load()
				a := s.send("Bearer " + s.token(oidctest.Grant{}))
				if reached := s.reached.Load() != before; a.StatusCode != c.want || reached != (c.want == 200) {
					t.Errorf("%s: got %d, the handler was reached: %v, want %d", c.name, a.StatusCode, reached, c.want)
				}
				if calls := s.op.Calls("introspect"); len(calls) == 0 || strings.HasPrefix(calls[len(calls)-1].Host, "localhost") {
					t.Errorf("%s: the provider wasn't asked, or somebody else was", c.name)
				}
			}
		})
	}
}

// What no provider has to see isn't sent to it: other backends' tokens, what can't be a token, what it has said before.
func TestWhatIsNotAsked(t *testing.T) {
	t.Parallel()
	s := askStand(t, nil, func(pl *plan) { pl.provider.API.Audience = audience })
	jwt := s.token(oidctest.Grant{Audience: audience})
	s.admits("an opaque one", "Bearer "+s.token(oidctest.Grant{}))
	s.admits("a JWT", "Bearer "+jwt)
	s.op.Reset()
	for name, token := range map[string]string{
		"an API token of this library":       "ost_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"a JWT of a foreign issuer":          s.token(oidctest.Grant{Audience: audience}, claim("iss", "https://evil.example")),
		"a JWT that is wrong":                s.token(oidctest.Grant{Audience: audience}, claim("aud", "x")),
		"a broken JWT":                       jwt[:len(jwt)-1],
		"what looks like one":                "eyJx",
		"characters that no token has":       "ab\u00e9cd",
		"a token of 5000 characters":         strings.Repeat("x", 5000),
		"nothing but padding":                "==",
		"a token with padding in its middle": "a=b",
	} {
		s.refuses(name, http.StatusUnauthorized, "Bearer "+token)
		if n := s.asked(); n != 0 {
			t.Errorf("%s: the provider was asked %d times", name, n)
		}
	}
}

// Each wrong token costs a question: an address is slowed down. Whoever is known isn't.
func TestWrongTokensAreLimited(t *testing.T) {
	t.Parallel()
	s := askStand(t, nil, nil)
	known := s.token(oidctest.Grant{})
	s.admits("a good token", "Bearer "+known)
	b := s.browser()
	limited := 0
	for range 100 {
		a := b.do("GET", "/api/any", "", "Authorization", "Bearer wrong"+strings.Repeat("x", limited))
		switch a.StatusCode {
		case http.StatusTooManyRequests:
			if limited++; a.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		case http.StatusUnauthorized:
		default:
			t.Fatalf("got %d %s", a.StatusCode, a.body)
		}
	}
	if n := s.questions(); n > 40 || limited < 60 {
		t.Errorf("of 100 wrong tokens %d were asked about, and %d answered with 429", n, limited)
	}
	s.admits("the good token", "Bearer "+known)
}

// Many requests with one token are one question; who leaves takes the answer from nobody.
func TestOneQuestionForAll(t *testing.T) {
	t.Parallel()
	s := askStand(t, nil, nil)
	s.admits("a good token", "Bearer "+s.token(oidctest.Grant{}))
	token, release := s.token(oidctest.Grant{Sub: "bob"}), make(chan struct{})
	asked := make(chan struct{}, 100)
	s.op.Fault("introspect", func(next http.Handler) http.Handler {
		held := oidctest.Hold(release)(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked <- struct{}{}
			held.ServeHTTP(w, r)
		})
	})
	s.op.Reset()
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		r, _ := http.NewRequestWithContext(ctx, "GET", s.url+"/api/any", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := transport.RoundTrip(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		left <- err
	}()
	<-asked
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	var wg sync.WaitGroup
	var sent sync.WaitGroup
	sent.Add(20)
	for range 20 {
		wg.Go(func() {
			trace := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { sent.Done() }})
			r, _ := http.NewRequestWithContext(trace, "GET", s.url+"/api/any", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			resp, err := s.browser().client.Do(r)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("got %v, %v", resp, err)
				return
			}
			_ = resp.Body.Close()
		})
	}
	sent.Wait()
	close(release)
	wg.Wait()
	if n := s.questions(); n != 1 {
		t.Errorf("the provider was asked %d times, want 1", n)
	}
}

// An outage: what is known counts for its time, and what isn't is 503. A close in the middle of a question doesn't wait for it.
func TestIntrospectionOutage(t *testing.T) {
	t.Parallel()
	var now clock
	s := askStand(t, &now, nil)
	known, unknown := s.token(oidctest.Grant{}), s.token(oidctest.Grant{Sub: "bob"})
	s.admits("a good token", "Bearer "+known)
	s.op.Down()
	s.admits("a known token", "Bearer "+known)
	s.refuses("an unknown token", http.StatusServiceUnavailable, "Bearer "+unknown)
	now.forward(time.Minute)
	s.refuses("a known token, later", http.StatusServiceUnavailable, "Bearer "+known)
	s.op.Up()
	now.forward(time.Minute)
	s.admits("a known token, afterwards", "Bearer "+known)
	s.admits("an unknown token, afterwards", "Bearer "+unknown)

	asked := make(chan struct{}, 1)
	s.op.Fault("introspect", func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			asked <- struct{}{}
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		})
	})
	answered := make(chan int)
	go func() { answered <- s.send("Bearer " + s.token(oidctest.Grant{})).StatusCode }()
	<-asked
	began := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("Close took %s", took)
	}
	if got := <-answered; got != http.StatusServiceUnavailable {
		t.Errorf("a request during Close: got %d", got)
	}
	s.refuses("after Close", http.StatusServiceUnavailable, "Bearer "+known)
}

// transporting answers in place of a provider.
type transporting func(*http.Request) (*http.Response, error)

func (t transporting) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// O-20: an introspection endpoint that doesn't answer is left alone after a few time-outs: tokens are refused at once then.
func TestIntrospectionThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const issuer = "https://id.example"
		metadata, err := json.Marshal(map[string]string{
			"issuer": issuer, "authorization_endpoint": issuer + "/a", "token_endpoint": issuer + "/t", "jwks_uri": issuer + "/k", "introspection_endpoint": issuer + "/i",
		})
		if err != nil {
			t.Fatal(err)
		}
		hangs := false
		provider := transporting(func(r *http.Request) (*http.Response, error) {
			body := metadata
			if r.URL.Path == "/i" {
				if hangs {
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
				body = []byte(`{"active":true,"sub":"alice","aud":"app"}`)
			}
			return &http.Response{
				StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)), Request: r,
			}, nil
		})
		db, err := oidcauth.OpenSQLite(filepath.Join(t.TempDir(), "test.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		a, err := oidcauth.New(t.Context(), oidcauth.Config{
			Auth: auth.Config{PublicURL: "https://app.example", Logger: slog.New(slog.DiscardHandler)}, DB: db, HTTPClient: &http.Client{Transport: provider},
			Providers: []oidcauth.Provider{{Name: "corp", Issuer: issuer, ClientID: "app", ClientSecret: "secret", API: &oidcauth.API{Introspect: true}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = a.Close() }()
		ask := func(token string) error {
			r := httptest.NewRequest("GET", "https://app.example/", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			_, err := a.Identify(r)
			return err
		}
		if err := ask("good"); err != nil {
			t.Fatal(err)
		}
		hangs = true
		for i := range 5 {
			if err := ask("token-" + strconv.Itoa(i)); !errors.Is(err, auth.ErrUnavailable) {
				t.Fatalf("got %v", err)
			}
		}
		began := time.Now()
		if err := ask("one-more"); !errors.Is(err, auth.ErrUnavailable) || time.Since(began) != 0 {
			t.Errorf("got %v after %s, want that nobody knows, at once", err, time.Since(began))
		}
	})
}

// Mapping.Func decides for tokens, too: a no is 403 and is asked for again; a fault is 503.
func TestMappingOfTokens(t *testing.T) {
	t.Parallel()
	var answer atomic.Pointer[error]
	s := apiStand(t, func(pl *plan) {
		pl.provider.Mapping.Func = func(context.Context, oidcauth.Claims, *auth.Identity) error {
			if err := answer.Load(); err != nil {
				return *err
			}
			return nil
		}
	})
	s.admits("a good token", "Bearer "+s.token(oidctest.Grant{}))
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"one whom Func refuses":   {auth.ErrForbidden, http.StatusForbidden},
		"a fault in Func":         {errors.New("broken"), http.StatusServiceUnavailable},
		"another outcome of Func": {auth.ErrNoCredentials, http.StatusServiceUnavailable},
	} {
		answer.Store(&c.err)
		s.refuses(name, c.want, "Bearer "+s.token(oidctest.Grant{}))
	}
}
