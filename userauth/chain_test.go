package userauth_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
	"github.com/ostiary/auth/userauth"
)

const chainToken = "6fd1f5c6a3be4f0a9c27b8d05e13f4a2b69c7d80e1f2a3b4"

// chained is a site whose users stand in a chain with a shared token, whose holder holds everything. The token's routes
// are at /token.
func chained(t *testing.T, tokensFirst bool) (s *site, chain auth.Auth) {
	t.Helper()
	s = newSite(t)
	s.keepsSecret(chainToken)
	tokens, err := tokenauth.New(t.Context(), tokenauth.Config{Token: chainToken, Auth: auth.Config{MountPath: "/token"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tokens.Close() })
	backends := []auth.Backend{s.users, tokens}
	if tokensFirst {
		backends = []auth.Backend{tokens, s.users}
	}
	mux := s.routes(s.users) // built before the chain, and follows it
	if chain, err = auth.New(auth.Config{OnEvent: s.onEvent, Logger: slog.New(slog.NewTextHandler(s, nil))}, backends...); err != nil {
		t.Fatal(err)
	}
	mux.Handle("/who", chain.CurrentUser(nil)(s.reach(func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.IdentityFrom(r.Context())
		json.NewEncoder(w).Encode(map[string]any{
			"id": id.ID, "users": auth.IdentifiedBy(r.Context(), s.users), "tokens": auth.IdentifiedBy(r.Context(), tokens), "chain": auth.IdentifiedBy(r.Context(), chain),
		})
	})))
	mux.Handle("/token/", tokens.Routes())
	s.Handler = mux
	return s, chain
}

func TestChain(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]bool{"tokens first": true, "users first": false} {
		t.Run(name+": each caller is one backend's", func(t *testing.T) {
			t.Parallel()
			s, _ := chained(t, first)
			s.add("alice", siteReads)
			b := s.in("alice")
			bearer := with("Authorization", "Bearer "+chainToken)
			for who, want := range map[string]struct {
				got answer
				id  string
			}{
				"the cookie":                  {b.get("/who"), `"id":"user:1"`},
				"the token":                   {s.browser().get("/who", bearer), `"tokens":true,"users":false`},
				"the token beside a cookie":   {b.get("/who", bearer), `"tokens":true,"users":false`},
				"a cookie beside an old link": {b.get("/who?token=old"), `"id":"user:1"`},
			} {
				if admitted(t, who, want.got); !strings.Contains(want.got.Body, want.id) {
					t.Errorf("%s: got %s, want %s", who, want.got.Body, want.id)
				}
			}
			refused(t, "a wrong token beside a cookie", b.get("/who", with("Authorization", "Bearer WRONG")), http.StatusUnauthorized)
			refused(t, "nobody", s.browser().get("/who"), http.StatusUnauthorized)
			if got := b.get("/who"); !strings.Contains(got.Body, `"tokens":false,"users":true`) {
				t.Errorf("the cookie: got %s", got.Body)
			}
		})
		t.Run(name+": the account's routes are for the database's users", func(t *testing.T) {
			t.Parallel()
			s, _ := chained(t, first)
			s.add("alice", nil)
			b := s.in("alice")
			before := dump(t, s.db)
			bearer := with("Authorization", "Bearer "+chainToken)
			guest := s.browser()
			guest.post("/token/login", map[string][]string{"password": {chainToken}})
			for who, ask := range map[string]func(method, path, body string) answer{
				"the token":                       func(m, p, body string) answer { return s.browser().json(m, p, body, bearer) },
				"the token beside alice's cookie": func(m, p, body string) answer { return b.json(m, p, body, bearer) },
				"a guest's cookie":                func(m, p, body string) answer { return guest.json(m, p, body) },
			} {
				for _, request := range [][3]string{
					{"GET", "/auth/me"}, {"PATCH", "/auth/me", `{"name":"x"}`}, {"GET", "/auth/password"}, {"POST", "/auth/password", `{"current":"` + sitePassword + `","new":"` + nextPassword + `"}`},
					{"GET", "/auth/sessions"}, {"DELETE", "/auth/sessions"}, {"DELETE", "/auth/sessions/x"}, {"POST", "/auth/sessions/end", ""},
					{"GET", "/auth/tokens"}, {"POST", "/auth/tokens", `{"name":"x"}`}, {"DELETE", "/auth/tokens/x"}, {"POST", "/auth/tokens/x/end", ""},
					{"GET", "/auth/links"}, {"DELETE", "/auth/links/x"}, {"POST", "/auth/links/x/end", ""},
				} {
					refused(t, who+" "+request[0]+" "+request[1], ask(request[0], request[1], request[2]), http.StatusForbidden)
				}
			}
			if dump(t, s.db) != before {
				t.Error("something has changed")
			}
			if got := b.get("/auth/me"); got.Status != http.StatusOK {
				t.Errorf("alice: got %d", got.Status)
			}
		})
	}
	t.Run("API tokens where the users stand first, since the other refuses every token that it doesn't know", func(t *testing.T) {
		t.Parallel()
		s, _ := chained(t, false)
		s.add("alice", siteReads)
		text := s.everything("alice")
		got := s.browser().get("/who", bearing(text))
		if admitted(t, "the token", got); !strings.Contains(got.Body, `"id":"user:1"`) || !strings.Contains(got.Body, `"tokens":false,"users":true`) {
			t.Errorf("got %s", got.Body)
		}
		got = s.browser().get("/who", bearing(chainToken))
		if admitted(t, "the shared one", got); !strings.Contains(got.Body, `"tokens":true,"users":false`) {
			t.Errorf("got %s", got.Body)
		}
		for _, value := range []string{"Bearer " + text[:50], "Bearer WRONG"} {
			got := s.browser().get("/who", with("Authorization", value))
			if refused(t, value, got, http.StatusUnauthorized); strings.Count(strings.Join(got.Header["Www-Authenticate"], " "), "invalid_token") != 1 {
				t.Errorf("%s: got %q", value, got.Header["Www-Authenticate"])
			}
		}
		if got := s.browser().get("/who").Header["Www-Authenticate"]; len(got) != 1 {
			t.Errorf("nobody: got %q, want one challenge for both", got)
		}
		admin := s.browser().makeToken("/auth/users/alice/tokens", `{"name":"by the shared token"}`, bearing(chainToken))
		admitted(t, "made by another backend's admin", s.browser().get("/who", bearing(admin.Text)))

		other, _ := chained(t, true)
		other.add("alice", siteReads)
		refused(t, "where the users stand last", other.browser().get("/who", bearing(other.everything("alice"))), http.StatusUnauthorized)
	})
	t.Run("a token holds no more than its owner by the chain's roles", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, func(c *userauth.Config) { c.Auth.Roles = map[string]auth.Role{"reader": {Permissions: siteWrites}} })
		s.role("reader", nil)
		s.add("alice", nil, "reader")
		mux := s.routes(s.users)
		if _, err := auth.New(auth.Config{Roles: map[string]auth.Role{"reader": {Permissions: siteReads}}}, s.users); err != nil {
			t.Fatal(err)
		}
		s.Handler = mux
		b, text := s.browser(), s.token("alice", userauth.NewToken{Name: "x", Permissions: siteWrites})
		admitted(t, "what the chain's role holds", b.get("/api/contents/demo", bearing(text)))
		refused(t, "what only the backend's own does", b.do(http.MethodPut, "/api/contents/demo", `{"text":"x"}`, bearing(text)), http.StatusForbidden)
	})
	t.Run("S-24 a cookie of the one means nothing to the other", func(t *testing.T) {
		t.Parallel()
		s, _ := chained(t, false)
		s.add("alice", nil)
		b, guest := s.in("alice"), s.browser()
		guest.post("/token/login", map[string][]string{"password": {chainToken}})
		_, session := b.session()
		value := guest.cookies["ostiary-token-8888"]
		if value == "" {
			t.Fatalf("got cookies %v", guest.cookies)
		}
		s.keepsSecret(session)
		refused(t, "a session as a token's cookie", s.browser().get("/who", with("Cookie", "ostiary-token-8888="+session)), http.StatusUnauthorized)
		refused(t, "a token's cookie as a session", s.browser().get("/who", with("Cookie", "ostiary-user-8888="+value)), http.StatusUnauthorized)
		both := s.browser().get("/who", with("Cookie", "ostiary-user-8888="+session+"; ostiary-token-8888="+value))
		if admitted(t, "both", both); !strings.Contains(both.Body, `"id":"user:1"`) {
			t.Errorf("got %s, want the first backend's", both.Body)
		}
		// A logout of the one ends nothing of the other.
		twin := b.copy()
		twin.cookies["ostiary-token-8888"] = value
		twin.post("/token/logout", nil)
		admitted(t, "the session", b.get("/who"))
		b.post("/auth/logout", nil)
		refused(t, "the session", b.get("/who"), http.StatusUnauthorized)
	})
	t.Run("a navigation goes to the first login page", func(t *testing.T) {
		t.Parallel()
		for tokensFirst, want := range map[bool]string{true: "/token/login?next=%2Fwho", false: "/auth/login?next=%2Fwho"} {
			s, _ := chained(t, tokensFirst)
			if got := s.browser().navigate("/who"); got.location() != want {
				t.Errorf("tokens first %v: got %q", tokensFirst, got.location())
			}
		}
	})
	t.Run("the chain's sockets end with the session", func(t *testing.T) {
		t.Parallel()
		s, chain := chained(t, true)
		mux := s.Handler.(*http.ServeMux)
		mux.Handle("/chainroom/{name}", chain.WebSocketAuth(siteWrites)(http.HandlerFunc(s.enterRoom)))
		s.listen()
		s.add("alice", siteWrites)
		b := s.in("alice")
		conn, _ := b.dial("/chainroom/demo")
		received(t, conn)
		b.post("/auth/logout", nil)
		s.ends("logout", conn, 1008)
	})
	t.Run("while the database can't be asked nobody is served as somebody else", func(t *testing.T) {
		t.Parallel()
		s, _ := chained(t, false)
		s.add("alice", nil)
		b := s.in("alice")
		s.users.Close()
		s.faulty.Store(true)
		refused(t, "her cookie", b.get("/who"), http.StatusServiceUnavailable)
		refused(t, "her cookie beside the token's link", b.get("/who?token="+chainToken), http.StatusServiceUnavailable)
	})
}

// What New refuses, with the field's name in the error and nothing made.
// Forms of the administration stay on this site, but where signing out may lead away: of a session that is another backend's.
func TestWhereFormsOfTheAdministrationLead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("boss", siteAdmins)
	fixed := auth.BackendFunc(func(r *http.Request) (*auth.Identity, error) {
		if r.Header.Get("Proxy-User") == "" {
			return nil, auth.ErrNoCredentials
		}
		return &auth.Identity{ID: "proxy:1", User: auth.User{Username: "root"}, Permissions: siteAdmins}, nil
	})
	if _, err := auth.New(auth.Config{Logger: slog.New(slog.DiscardHandler)}, fixed, s.users); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		got  answer
		form bool // to sign out
	}{
		"a session of userauth's":       {s.in("boss").navigate("/auth/users"), true},
		"a backend that has no sign-in": {s.browser().navigate("/auth/users", with("Proxy-User", "root")), false},
	} {
		policy := c.got.Header.Get("Content-Security-Policy")
		if c.got.Status != http.StatusOK || !strings.Contains(policy, "form-action 'self'") || strings.Contains(c.got.Body, "Sign out") != c.form {
			t.Errorf("%s: got %d under %q, want a form to sign out: %v, in %s", name, c.got.Status, policy, c.form, c.got.text())
		}
	}
}

func TestWrongConfig(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*userauth.Config){
		"DB":              func(c *userauth.Config) { c.DB = nil },
		"Idle":            func(c *userauth.Config) { c.Idle = 1 },
		"Lifetime":        func(c *userauth.Config) { c.Lifetime = -1 },
		"SessionsPerUser": func(c *userauth.Config) { c.SessionsPerUser = -1 },
		"CacheSessions":   func(c *userauth.Config) { c.CacheSessions = -1 },
		"CookieName":      func(c *userauth.Config) { c.CookieName = "__Host-x" },
		"Authenticators":  func(c *userauth.Config) { c.Authenticators = []userauth.Authenticator{newDirectory(), nil} },
		"DefaultRoles":    func(c *userauth.Config) { c.DefaultRoles = []string{""} },
		"MinPassword":     func(c *userauth.Config) { c.Policy.MinPassword = 7 }, // P-01
		"BlockedWords":    func(c *userauth.Config) { c.Policy.BlockedWords = []string{""} },
		"PublicURL":       func(c *userauth.Config) { c.Auth.PublicURL = "http://app.example" }, // C-02
		"MountPath":       func(c *userauth.Config) { c.Auth.MountPath = "auth" },
		"TrustedOrigins":  func(c *userauth.Config) { c.Auth.TrustedOrigins = []string{"https://*.example"} },
		"TrustedProxies":  func(c *userauth.Config) { c.Auth.TrustedProxies = []string{"proxy"} },
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			cfg := userauth.Config{DB: s.db}
			change(&cfg)
			a, err := userauth.New(t.Context(), cfg)
			if err == nil || a != nil || !strings.HasPrefix(err.Error(), "userauth: Config: ") || !strings.Contains(err.Error(), field) {
				t.Errorf("got %v and %v, want an error that names %s", a, err, field)
			}
		})
	}
	t.Run("V-07 what changes after New has no effect", func(t *testing.T) {
		t.Parallel()
		dir := newDirectory(lena())
		all := []userauth.Authenticator{dir}
		roles := []string{"reader"}
		s := newSite(t, func(c *userauth.Config) { c.Authenticators, c.DefaultRoles = all, roles })
		s.role("reader", siteReads)
		all[0], roles[0] = newDirectory(), "other"
		admitted(t, "reads", s.in("lena").get("/api/contents/demo"))
	})
}
