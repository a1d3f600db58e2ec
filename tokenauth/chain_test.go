package tokenauth_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/noauth"
	"github.com/ostiary/auth/tokenauth"
)

// chainFaces is what an account page would ask: by whom the caller was identified.
type chainFaces struct {
	Tokens, Other, Chain, Stranger bool
	Username                       string
}

// A chain of tokens and another backend. Its page tells by whom the caller was identified; so do the pages of the tokens'
// own guard, built before the chain and after.
func newChain(t *testing.T, cfg auth.Config, other auth.Backend, change ...func(*tokenauth.Config)) (l *lab, chain auth.Auth) {
	t.Helper()
	l = newLab(t, append([]func(*tokenauth.Config){func(c *tokenauth.Config) { c.Auth.PublicURL = cfg.PublicURL }}, change...)...)
	stranger := newLab(t, at(cfg.PublicURL))
	faces := func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom(r.Context())
		f := chainFaces{Tokens: auth.IdentifiedBy(r.Context(), l.auth), Chain: auth.IdentifiedBy(r.Context(), chain), Stranger: auth.IdentifiedBy(r.Context(), stranger.auth), Username: user.Username}
		if a, ok := other.(auth.Auth); ok {
			f.Other = auth.IdentifiedBy(r.Context(), a)
		}
		_ = json.NewEncoder(w).Encode(f)
	}
	mux := http.NewServeMux()
	mux.Handle("/before", l.auth.CurrentUser(nil)(labReached(faces)))
	var err error
	cfg.Logger, cfg.OnEvent = slog.New(slog.NewTextHandler(l, nil)), l.onEvent
	if chain, err = auth.New(cfg, l.auth, other); err != nil {
		t.Fatal(err)
	}
	mux.Handle("/after", l.auth.CurrentUser(nil)(labReached(faces)))
	mux.Handle("/", chain.CurrentUser(nil)(labReached(faces)))
	mux.Handle("/api/me", auth.Me(chain))
	mux.Handle("/auth/", l.auth.Routes())
	l.Handler = mux
	return l, chain
}

func (a labAnswer) faces(t *testing.T) (f chainFaces) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Body), &f); err != nil {
		t.Fatalf("got %d %s: %v", a.Status, a.Body, err)
	}
	return f
}

// local makes it a request from this machine to this machine.
func local(r *http.Request) {
	r.RemoteAddr, r.Host = "127.0.0.1:50000", "127.0.0.1:8888"
	*r = *r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8888})))
}

func TestChains(t *testing.T) {
	t.Parallel()
	t.Run("tokens before noauth: the token's holder is itself, the rest of this machine is the one user", func(t *testing.T) {
		t.Parallel()
		open, err := noauth.New(t.Context(), noauth.Config{User: auth.User{Username: "me"}})
		if err != nil {
			t.Fatal(err)
		}
		defer open.Close()
		l, _ := newChain(t, auth.Config{}, open)
		b := l.loggedIn()
		for _, path := range []string{"/", "/before", "/after"} {
			for name, c := range map[string]struct {
				got  labAnswer
				want chainFaces
			}{
				"header":         {l.browser().get(path, local, bearing(labToken)), chainFaces{Tokens: true, Chain: true}},
				"cookie":         {b.get(path, local), chainFaces{Tokens: true, Chain: true}},
				"nobody":         {l.browser().get(path, local), chainFaces{Other: true, Chain: true, Username: "me"}},
				"a stale cookie": {l.browser().get(path, local, with("Cookie", first(b.loginCookie())+"=x")), chainFaces{Other: true, Chain: true, Username: "me"}},
				"a stale link":   {l.browser().get(path+"?token=WRONG", local), chainFaces{Other: true, Chain: true, Username: "me"}},
				"Basic":          {l.browser().get(path, local, with("Authorization", "Basic eDp5")), chainFaces{Other: true, Chain: true, Username: "me"}},
			} {
				labAdmitted(t, path+" "+name, c.got)
				got := c.got.faces(t)
				if c.want.Username == "" {
					c.want.Username = got.Username
				}
				if got != c.want || got.Username == "" {
					t.Errorf("%s %s: got %+v, want %+v", path, name, got, c.want)
				}
			}
			// Offered on purpose and wrong: nobody else is asked, though noauth would let anybody in.
			labRefused(t, path+" wrong", l.browser().get(path, local, bearing("WRONG")), http.StatusUnauthorized)
			labRefused(t, path+" two tokens", l.browser().get(path+"?token=a&token=b", local), http.StatusUnauthorized)
			labRefused(t, path+" two cookies", l.browser().get(path, local, with("Cookie", "ostiary-token-8888=a; ostiary-token-8888=b")), http.StatusUnauthorized)
			labRefused(t, path+" not from here", l.browser().get(path), http.StatusForbidden)
		}
	})
	t.Run("tokens before a backend of one function", func(t *testing.T) {
		t.Parallel()
		proxy := auth.BackendFunc(func(r *http.Request) (*auth.Identity, error) {
			if name := r.Header.Get("Test-User"); name != "" {
				return &auth.Identity{ID: "proxy:" + name, User: auth.User{Username: name}}, nil
			}
			return nil, auth.ErrNoCredentials
		})
		l, _ := newChain(t, auth.Config{PublicURL: "https://app.example"}, proxy)
		if got := l.browser().get("/before", with("Test-User", "ann")).faces(t); got != (chainFaces{Chain: true, Username: "ann"}) {
			t.Errorf("got %+v, want ann, known to the chain alone", got)
		}
		if got := l.browser().get("/", bearing(labToken), with("Test-User", "ann")).faces(t); !got.Tokens || got.Username == "ann" {
			t.Errorf("both: got %+v, want the token's holder, which comes first", got)
		}
		labRefused(t, "a wrong token beside it", l.browser().get("/", bearing("WRONG"), with("Test-User", "ann")), http.StatusUnauthorized)
		labTraded(t, "a link works in a chain", l.browser().navigate("/?token="+labToken), "/")
		if got := l.browser().navigate("/x"); got.location() != "/auth/login?next=%2Fx" {
			t.Errorf("nobody: got %d to %q, want the tokens' login page", got.Status, got.location())
		}
		// A profile is kept by who identified the caller.
		put := func(o ...labOption) labAnswer {
			return l.browser().json(http.MethodPatch, "/api/me", `{"name":"x"}`, append(o, with("Sec-Fetch-Site", "same-origin"))...)
		}
		if got := put(bearing(labToken)); got.Status != http.StatusOK {
			t.Errorf("token: got %d %s", got.Status, got.Body)
		}
		if got := put(with("Test-User", "ann")); got.Status != http.StatusNotImplemented {
			t.Errorf("X-15: got %d %s, want 501", got.Status, got.Body)
		}
	})
	t.Run("the chain's roles, proxies and clock decide", func(t *testing.T) {
		t.Parallel()
		nobody := auth.BackendFunc(func(*http.Request) (*auth.Identity, error) { return nil, auth.ErrNoCredentials })
		roles := map[string]auth.Role{"r": {Permissions: auth.Permissions{"contents": {"read"}}}}
		l, chain := newChain(t, auth.Config{Roles: roles, TrustedProxies: []string{"10.0.0.1"}, Now: newLabClock().now}, nobody, named(tokenauth.Token{Name: "x", Token: labReader, Roles: []string{"r"}}))
		guarded := chain.CurrentUser(auth.Permissions{"contents": {"read"}})(labReached(l.page))
		l.Handler = guarded
		labAdmitted(t, "by its role", l.browser().get("/", bearing(labReader)))
		attacker := []labOption{from("10.0.0.1:1"), with("X-Forwarded-For", "192.0.2.99")}
		limitsUsedUp(t, func(int) labAnswer { return l.browser().get("/", append(attacker, bearing("WRONG"))...) })
		labAdmitted(t, "another client of that proxy", l.browser().get("/", from("10.0.0.1:1"), with("X-Forwarded-For", "192.0.2.98"), bearing(labReader)))
		labRefused(t, "the limited one", l.browser().get("/", append(attacker, bearing(labReader))...), http.StatusTooManyRequests)
	})
	t.Run("two of the kind", func(t *testing.T) {
		t.Parallel()
		other, err := tokenauth.New(t.Context(), tokenauth.Config{Token: labReader, CookieName: "second", Auth: auth.Config{MountPath: "/second"}})
		if err != nil {
			t.Fatal(err)
		}
		l, _ := newChain(t, auth.Config{}, other)
		if got := l.browser().get("/", bearing(labToken)).faces(t); !got.Tokens || got.Other {
			t.Errorf("got %+v, want the first", got)
		}
		labRefused(t, "the second's header is wrong to the first", l.browser().get("/", bearing(labReader)), http.StatusUnauthorized)
		if got := l.browser().get("/?token=" + labReader).faces(t); got.Tokens || !got.Other {
			t.Errorf("a link: got %+v, want the second", got)
		}
		b := l.browser()
		b.lab = &lab{t: t, Handler: l.Handler}
		if got := b.navigate("/?token=" + labReader); len(got.Cookies) != 1 || !strings.HasPrefix(got.Cookies[0].Name, "second-") {
			t.Errorf("a link: got cookies %v, want the second's", got.Cookies)
		}
		if got := b.get("/").faces(t); !got.Other {
			t.Errorf("its cookie: got %+v, want the second", got)
		}
	})
	t.Run("a backend is in one chain, under one PublicURL", func(t *testing.T) {
		t.Parallel()
		l, _ := newChain(t, auth.Config{}, auth.BackendFunc(func(*http.Request) (*auth.Identity, error) { return nil, auth.ErrNoCredentials }))
		if _, err := auth.New(auth.Config{}, l.auth); err == nil {
			t.Error("a second chain: no error")
		}
		if _, err := auth.New(auth.Config{PublicURL: "https://app.example"}, newLab(t).auth); err == nil || !strings.Contains(err.Error(), "PublicURL") {
			t.Errorf("another PublicURL: got %v, want an error that names it", err)
		}
	})
	t.Run("a closed backend is 503 for the whole chain", func(t *testing.T) {
		t.Parallel()
		all := auth.BackendFunc(func(*http.Request) (*auth.Identity, error) {
			return &auth.Identity{ID: "x", User: auth.User{Username: "x"}, Unrestricted: true}, nil
		})
		l, _ := newChain(t, auth.Config{}, all)
		labAdmitted(t, "open", l.browser().get("/"))
		l.auth.Close()
		labRefused(t, "closed", l.browser().get("/"), http.StatusServiceUnavailable)
	})
}
