package oidctest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ostiary/auth/internal/oidctest"
)

// A backchannel is a relying party's, which keeps what it is sent and refuses nothing.
type backchannel struct {
	*httptest.Server
	mu   sync.Mutex
	sent []*http.Request
}

func newBackchannel(t *testing.T) *backchannel {
	b := &backchannel{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // what isn't a form shows as an empty one
		b.mu.Lock()
		defer b.mu.Unlock()
		b.sent = append(b.sent, r)
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(b.Close)
	return b
}

// tokens are the logout tokens that were posted since the last time.
func (b *backchannel) tokens() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var tokens []string
	for _, r := range b.sent {
		tokens = append(tokens, r.PostForm["logout_token"]...)
	}
	b.sent = nil
	return tokens
}

func endSession(p *oidctest.Provider, params url.Values) string {
	return p.Endpoint("end_session") + "?" + params.Encode()
}

// LO-01: RP-initiated logout ends the session here, and sends the browser back with state.
func TestEndSession(t *testing.T) {
	t.Parallel()
	p := setup(t)
	hint := login(t, p).text("id_token")
	params := url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {signedOut}, "state": {"s 1"}}
	for name, changes := range map[string][]string{
		"another address":             {"post_logout_redirect_uri", "https://stranger.example/"},
		"an address with more":        {"post_logout_redirect_uri", signedOut + "x"},
		"an address without a client": {"id_token_hint", ""},
		"another client":              {"client_id", "other"},
		"a hint of somebody else":     {"id_token_hint", hint[:len(hint)-8] + "AAAAAAAA"},
		"a hint that is no token":     {"id_token_hint", "hint"},
		"another provider's hint":     {"id_token_hint", setup(t).IDToken()},
	} {
		if a := get(t, p, endSession(p, changed(params, changes))); a.status != http.StatusBadRequest ||
			a.header.Get("Location") != "" {
			t.Errorf("%s: got %d to %q, want 400", name, a.status, a.header.Get("Location"))
		}
	}
	if back := authorize(t, p, "prompt", "none"); back.Get("code") == "" {
		t.Fatalf("got %v: a refused logout has ended the session", back)
	}
	if got := get(t, p, endSession(p, params)).location(t).String(); got != signedOut+"?state=s+1" {
		t.Errorf("got sent to %s, want the registered address with state", got)
	}
	if back := authorize(t, p, "prompt", "none"); back.Get("error") != "login_required" {
		t.Errorf("afterwards: got %v, want login_required", back)
	}
}

func TestEndSessionTakesAForm(t *testing.T) {
	t.Parallel()
	p := setup(t)
	params := url.Values{"id_token_hint": {login(t, p).text("id_token")}, "post_logout_redirect_uri": {signedOut}}
	if got := post(t, p, "end_session", params).location(t).String(); got != signedOut {
		t.Errorf("got sent to %s, want %s", got, signedOut)
	}
	if a := get(t, p, endSession(p, url.Values{})); a.status != http.StatusOK || !strings.Contains(a.body, "Signed out") {
		t.Errorf("without anything: got %d, want the page", a.status)
	}
}

// LO-04: the clients of the session that ended are told, in a token that says what it must.
func TestBackchannelLogout(t *testing.T) {
	t.Parallel()
	rp := newBackchannel(t)
	p := setup(t, func(c *oidctest.Config) { c.Clients[0].BackchannelLogoutURI = rp.URL + "/backchannel" })
	first := p.SignIn("alice")
	hint := login(t, p).text("id_token")
	second := p.SignIn("alice")
	login(t, p)
	unused := p.SignIn("alice")
	bobs := p.SignIn("bob")
	login(t, p)

	d := p.LogoutSession(t.Context(), second)
	if len(d) != 1 || d[0].Client != "app" || d[0].Status != http.StatusNoContent ||
		d[0].Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %+v, want one delivery that was taken", d)
	}
	sent := rp.tokens()
	header, claims := verified(t, p, sent[0])
	if header.ExtraHeaders["typ"] != "logout+jwt" || len(sent) != 1 {
		t.Errorf("got %d tokens of typ %v, want one logout+jwt", len(sent), header.ExtraHeaders["typ"])
	}
	for name, want := range map[string]any{"iss": p.Issuer(), "aud": "app", "sub": "alice", "sid": second} {
		if claims[name] != want {
			t.Errorf("%s: got %v, want %v", name, claims[name], want)
		}
	}
	for _, name := range []string{"iat", "exp", "jti", "events"} {
		if claims[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for name, sid := range map[string]string{"again": second, "unknown": "unknown", "a session without clients": unused} {
		if d := p.LogoutSession(t.Context(), sid); len(d) != 0 {
			t.Errorf("%s: got %+v, want nobody told", name, d)
		}
	}
	// The browser that signs out by the first session's ID token ends that one.
	get(t, p, endSession(p, url.Values{"id_token_hint": {hint}}))
	if sent = rp.tokens(); len(sent) != 1 {
		t.Fatalf("end_session: got %d tokens, want one", len(sent))
	}
	if _, claims := verified(t, p, sent[0]); claims["sid"] != first {
		t.Errorf("end_session: got sid %v, want the first", claims["sid"])
	}
	if d := p.Logout(t.Context(), "bob"); len(d) != 1 {
		t.Errorf("Logout: got %+v, want one delivery", d)
	}
	_, claims = verified(t, p, rp.tokens()[0])
	if _, has := claims["sid"]; has || claims["sub"] != "bob" {
		t.Errorf("Logout: got %v, want bob's sub and no sid (not %s)", claims, bobs)
	}
	rp.Close()
	p.SignIn("alice")
	login(t, p)
	if d := p.Logout(t.Context(), "alice"); len(d) != 1 || d[0].Err == nil || d[0].Status != 0 {
		t.Errorf("nobody there: got %+v, want an error", d)
	}
}

// Each behaviour of logout tokens changes the token, or how it is sent.
func TestBackchannelBehavioursShow(t *testing.T) {
	t.Parallel()
	for _, b := range oidctest.Behaviours() {
		if b.Stage != oidctest.BackChannel {
			continue
		}
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			rp := newBackchannel(t)
			c := app()
			c.IDTokenAlg, c.BackchannelLogoutURI = "RS256", rp.URL
			p := setup(t, func(cfg *oidctest.Config) { cfg.Clients[0] = c })
			client := newStrictClient(p, c, nil)
			seen := map[any]bool{}
			known := map[any]string{} // sid -> sub
			logout := func() error {
				sid := p.SignIn("alice")
				login(t, p)
				known[sid] = "alice"
				p.LogoutSession(t.Context(), sid)
				rp.mu.Lock()
				sent := rp.sent
				rp.sent = nil
				rp.mu.Unlock()
				if len(sent) != 1 {
					t.Fatalf("got %d requests, want one", len(sent))
				}
				return client.logoutToken(t.Context(), sent[0], seen, known)
			}
			if err := logout(); err != nil {
				t.Fatalf("a conforming provider: %v", err)
			}
			p.Behave(b)
			err := logout()
			if b.Name == "LO-06 a jti that was used" {
				if err != nil {
					t.Fatalf("the first of its jti: %v", err)
				}
				err = logout()
			}
			if b.Want == oidctest.Accept && err != nil || (b.Want == oidctest.Refuse || b.Want == oidctest.Ignore) && err == nil {
				t.Errorf("got %v, want to %s", err, b.Want)
			}
		})
	}
}

func TestReturnAndFrontChannelBehavioursShow(t *testing.T) {
	t.Parallel()
	for _, b := range oidctest.Behaviours() {
		if b.Stage != oidctest.RPLogout && b.Stage != oidctest.FrontChannel {
			continue
		}
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			const frame = "https://app.example/frontchannel"
			ask := func(p *oidctest.Provider) string {
				hint := login(t, p).text("id_token")
				if b.Stage == oidctest.FrontChannel {
					return strings.NewReplacer(p.Issuer(), "issuer").Replace(unescaped(p.FrontchannelURL(frame, "the-sid")))
				}
				return get(t, p, endSession(p,
					url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {signedOut},
						"state": {"s"}})).location(t).String()
			}
			want := ask(setup(t))
			p := setup(t)
			p.Behave(b)
			conforming := b.Hooks == nil
			if got := ask(p); (got == want) != conforming {
				t.Errorf("got %s, a conforming provider %s", got, want)
			}
		})
	}
}

func unescaped(s string) string {
	plain, err := url.QueryUnescape(s)
	if err != nil {
		return s
	}
	return plain
}

// LO-13: front-channel clients are told by the page, and the browser goes on from there.
func TestFrontChannelLogout(t *testing.T) {
	t.Parallel()
	p := setup(t, func(c *oidctest.Config) { c.Clients[0].FrontchannelLogoutURI = "https://app.example/frontchannel?x=1" })
	sid := p.SignIn("alice")
	hint := login(t, p).text("id_token")
	a := get(t, p, endSession(p, url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {signedOut}, "state": {"s"}}))
	frame := strings.ReplaceAll(p.FrontchannelURL("https://app.example/frontchannel?x=1", sid), "&", "&amp;")
	if a.status != http.StatusOK || !strings.Contains(a.body, `<iframe src="`+frame+`"`) ||
		!strings.Contains(a.body, signedOut+"?state=s") {
		t.Errorf("got %d %s, want the frame %s and a link back", a.status, a.body, frame)
	}
}

// The stages that are no login have behaviours too, or the tests above prove nothing.
func TestEveryStageHasBehaviours(t *testing.T) {
	t.Parallel()
	for _, stage := range []oidctest.Stage{oidctest.Login, oidctest.Refresh, oidctest.RPLogout, oidctest.BackChannel,
		oidctest.FrontChannel} {
		if !slices.ContainsFunc(oidctest.Behaviours(), func(b oidctest.Behaviour) bool { return b.Stage == stage }) {
			t.Errorf("%s has none", stage)
		}
	}
}
