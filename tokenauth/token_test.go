package tokenauth_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
)

// labRefused checks that b's request to a guarded route is refused with status, and its handler not reached.
func labRefused(t *testing.T, name string, got labAnswer, status int) {
	t.Helper()
	if got.Status != status || got.reached() || strings.Contains(got.Body, `"identity"`) {
		t.Errorf("%s: got %d, reached: %v, want %d\n%.300s", name, got.Status, got.reached(), status, got.Body)
	}
}

func labAdmitted(t *testing.T, name string, got labAnswer) {
	t.Helper()
	if got.Status != http.StatusOK || !got.reached() {
		t.Errorf("%s: got %d, reached: %v, want 200\n%.300s", name, got.Status, got.reached(), got.Body)
	}
}

func TestPresentedTokens(t *testing.T) {
	t.Parallel()
	t.Run("T-02 an empty token is nobody's", func(t *testing.T) {
		t.Parallel()
		for name, l := range map[string]*lab{"token mode": newLab(t), "password mode": newLab(t, cheaply, named(tokenauth.Token{Name: "ci", Token: labToken}))} {
			b := l.browser()
			labAdmitted(t, name, b.get("/", bearing(labToken)))
			for _, value := range []string{"Bearer ", "Bearer", "token ", "token", "", " ", "Bearer   "} {
				labRefused(t, name+": "+value, b.get("/", with("Authorization", value)), http.StatusUnauthorized)
			}
			labRefused(t, name+": query", b.get("/?token="), http.StatusUnauthorized)
			labRefused(t, name+": query without =", b.get("/?token"), http.StatusUnauthorized)
			labRefused(t, name+": cookie", b.get("/", with("Cookie", "ostiary-token-8888=")), http.StatusUnauthorized)
			labRefused(t, name+": form", b.post("/auth/login", url.Values{"password": {""}}), http.StatusUnauthorized)
			labRefused(t, name+": no field", b.post("/auth/login", nil), http.StatusUnauthorized)
			labRefused(t, name+": JSON", b.json(http.MethodPost, "/auth/login", `{}`), http.StatusUnauthorized)
		}
	})
	t.Run("T-03 the scheme in any case, blanks behind it, and nothing else", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		for _, value := range []string{"bearer T", "BEARER T", "Bearer  T", "Bearer T", "Token T", "token T", "TOKEN   T"} {
			labAdmitted(t, value, b.get("/", with("Authorization", spell(value))))
		}
		for _, value := range []string{"Bearer\tT", "Bearer \tT", "BearerT", "Bearer=T", "Bearer T,U", "Bearer T U", "Bearer U T", "Bearer T ", " Bearer T", "Bearer \"T\"", "Bearer token=T", "T"} {
			labRefused(t, value, b.get("/", with("Authorization", spell(value))), http.StatusUnauthorized)
		}
	})
	t.Run("T-04 Basic is another scheme", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		basic := func(user, password string) labOption {
			return func(r *http.Request) { r.SetBasicAuth(user, password) }
		}
		labAdmitted(t, "Bearer", b.get("/", bearing(labToken)))
		labRefused(t, "password", b.get("/", basic("x", labToken)), http.StatusUnauthorized)
		labRefused(t, "user", b.get("/", basic(labToken, "")), http.StatusUnauthorized)
	})
	t.Run("T-05 two Authorization headers are refused in both orders", func(t *testing.T) {
		t.Parallel()
		l := newLab(t).listen()
		b := l.browser()
		good, bad := "Bearer "+labToken, "Bearer WRONG"
		labAdmitted(t, "one", b.get("/", with("Authorization", good)))
		for _, lines := range [][]string{{good, bad}, {bad, good}, {good, good}, {good, ""}, {"Basic eDp5", good}} {
			labRefused(t, strings.Join(lines, " and "), b.get("/", with("Authorization", lines...)), http.StatusUnauthorized)
			if code := b.refused("/api/room/demo", with("Authorization", lines...)); code != 1008 || l.rooms.Load() != 0 {
				t.Errorf("handshake: got %d, want 1008 and no handler", code)
			}
		}
	})
	t.Run("T-06 where there is a header, the query isn't asked", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		labAdmitted(t, "header right, query wrong", b.get("/?token=WRONG", bearing(labToken)))
		labAdmitted(t, "header right, query twice", b.get("/?token=WRONG&token=x", bearing(labToken)))
		labRefused(t, "header wrong, query right", b.get("/?token="+labToken, bearing("WRONG")), http.StatusUnauthorized)
		labRefused(t, "header of another scheme, query right", b.get("/?token="+labToken, with("Authorization", "Basic eDp5")), http.StatusUnauthorized)
		stale := b.navigate("/?token=WRONG", bearing(labToken))
		labAdmitted(t, "navigating with a header and a stale link", stale)
		if len(stale.Cookies) != 0 {
			t.Errorf("got cookies %v, want none", stale.Cookies)
		}
	})
	t.Run("T-07 two tokens in the query are refused in both orders", func(t *testing.T) {
		t.Parallel()
		l := newLab(t).listen()
		b := l.browser()
		conn, _ := b.enter("/api/room/demo?token=" + labToken)
		conn.CloseNow()
		for _, query := range []string{"token=BAD&token=GOOD", "token=GOOD&token=BAD", "token=GOOD&token=GOOD", "token=GOOD&token=", "token=&token=GOOD", "token=GOOD&token", "token=GOOD&%74oken=BAD", "t%6Fken=BAD&x=1&token=GOOD", "token=GOOD&token=%zz"} {
			query = strings.ReplaceAll(query, "GOOD", labToken)
			labRefused(t, query, b.get("/?"+query), http.StatusUnauthorized)
			labRefused(t, "navigating: "+query, b.navigate("/?"+query), http.StatusUnauthorized)
			labRefused(t, "logged in: "+query, l.loggedIn().get("/?"+query), http.StatusUnauthorized)
			if code := b.refused("/api/room/demo?" + query); code != 1008 {
				t.Errorf("%s: handshake: got %d, want 1008", query, code)
			}
		}
		if got := l.rooms.Load(); got != 1 {
			t.Errorf("the room's handler ran %d times, want once", got)
		}
	})
	t.Run("T-08 a query with a semicolon holds no token", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		labAdmitted(t, "without", b.get("/?a=1&token="+labToken))
		for _, query := range []string{"a=1;token=", "token=", "a=1&token=", ";token="} {
			suffix := ""
			if !strings.Contains(query, ";") {
				suffix = ";b=2"
			}
			labRefused(t, query+"GOOD"+suffix, b.get("/?"+query+labToken+suffix), http.StatusUnauthorized)
		}
	})
	t.Run("T-09 so many parameters that net/http reads none", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		labAdmitted(t, "10,000", b.get("/?"+strings.Repeat("a&", 9_999)+"token="+labToken))
		labRefused(t, "10,001", b.get("/?"+strings.Repeat("a&", 10_000)+"token="+labToken), http.StatusUnauthorized)
	})
	t.Run("T-10 near misses", func(t *testing.T) {
		t.Parallel()
		const token = "Abc+def/ghi=jkl~mno_pqr-stu.vwx!yz{|}0123456789"
		b := newLab(t, func(c *tokenauth.Config) { c.Token = token }).browser()
		labAdmitted(t, "header", b.get("/", bearing(token)))
		labAdmitted(t, "query", b.get("/?token="+url.QueryEscape(token)))
		misses := []string{
			token[:len(token)-1], token[1:], token + "0", "0" + token, strings.ToUpper(token), strings.ToLower(token), token + "\n", token + "\x00",
			"\x00" + token, strings.ReplaceAll(token, "+", " "), token + "\xff", token + " ", " " + token, "Ａ" + token[1:], url.QueryEscape(token), token + token,
		}
		for _, miss := range misses {
			if !strings.HasPrefix(miss, " ") { // blanks before the token belong to the header
				labRefused(t, "header "+miss, b.get("/", bearing(miss), from(labAddress())), http.StatusUnauthorized)
			}
			labRefused(t, "query "+miss, b.get("/?token="+url.QueryEscape(miss), from(labAddress())), http.StatusUnauthorized)
			labRefused(t, "form "+miss, b.post("/auth/login", url.Values{"password": {miss}}, from(labAddress())), labStatusOf(miss))
		}
		labRefused(t, "a plus that wasn't escaped", b.get("/?token="+strings.ReplaceAll(url.QueryEscape(token), "%2B", "+")), http.StatusUnauthorized)
	})
	t.Run("T-14 an API call's token is neither traded nor stripped, and its body not lost", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b := l.browser()
		for name, o := range map[string]labOption{
			"no metadata": func(*http.Request) {},
			"fetch": func(r *http.Request) {
				r.Header.Set("Sec-Fetch-Mode", "cors")
				r.Header.Set("Sec-Fetch-Site", "same-origin")
			},
			"fetch that takes pages": func(r *http.Request) { r.Header.Set("Sec-Fetch-Mode", "cors"); r.Header.Set("Accept", "text/html") },
		} {
			got := b.get("/?token="+labToken, o)
			if labAdmitted(t, name, got); len(got.Cookies) != 0 || got.location() != "" {
				t.Errorf("%s: got cookies %v and location %q", name, got.Cookies, got.location())
			}
		}
		got := b.json(http.MethodPut, "/api/contents/demo?token="+labToken, `{"text":"kept"}`, navigating)
		if labAdmitted(t, "PUT", got); l.note("demo") != "kept" || len(got.Cookies) != 0 {
			t.Errorf("got the note %q, cookies %v", l.note("demo"), got.Cookies)
		}
	})
	t.Run("T-19 JS49 K-11 a cookie alone is ambient, a header isn't", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		b := l.loggedIn()
		put := func(text string, options ...labOption) labAnswer {
			return b.json(http.MethodPut, "/api/contents/demo", `{"text":"`+text+`"}`, options...)
		}
		labAdmitted(t, "own page", put("own", with("Sec-Fetch-Site", "same-origin")))
		foreign := []labOption{with("Sec-Fetch-Site", "cross-site"), with("Origin", "https://evil.example")}
		labRefused(t, "foreign page", put("evil", foreign...), http.StatusForbidden)
		if got := l.note("demo"); got != "own" {
			t.Errorf("got the note %q, want it unchanged", got)
		}
		labAdmitted(t, "foreign page with the header", put("header", append(foreign, bearing(labToken))...))
		for junk, status := range map[string]int{
			"Bearer WRONG": http.StatusUnauthorized, "Bearer": http.StatusUnauthorized, // ours, and wrong
			"Basic eDp5": http.StatusForbidden, "Negotiate x": http.StatusForbidden, "": http.StatusForbidden, // nobody, from a foreign page
		} {
			labRefused(t, "K-12 junk header "+junk, put("junk", append(foreign, with("Authorization", junk))...), status)
		}
		if got := l.note("demo"); got != "header" {
			t.Errorf("got the note %q, want what the header's caller wrote", got)
		}
	})
	t.Run("K-11 the identity behind the exemption is the header's", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, named(tokenauth.Token{Name: "reader", Token: labReader, Permissions: auth.Permissions{"contents": {"read"}}}))
		b := l.loggedIn() // the cookie may do everything
		labAdmitted(t, "cookie", b.json(http.MethodPut, "/api/contents/demo", `{"text":"mine"}`))
		got := b.json(http.MethodPut, "/api/contents/demo", `{"text":"x"}`, bearing(labReader), with("Sec-Fetch-Site", "cross-site"))
		if labRefused(t, "the reader's header beside it", got, http.StatusForbidden); l.note("demo") != "mine" {
			t.Errorf("got the note %q", l.note("demo"))
		}
	})
	t.Run("K-12 a bad header beside a good cookie or link", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).loggedIn()
		labAdmitted(t, "cookie", b.get("/"))
		for _, value := range []string{"Bearer WRONG", "token WRONG", "Bearer", "Basic eDp5", "", "Digest x"} {
			labRefused(t, value, b.get("/", with("Authorization", value)), http.StatusUnauthorized)
			labRefused(t, value+" and a link", b.get("/?token="+labToken, with("Authorization", value)), http.StatusUnauthorized)
		}
		labAdmitted(t, "cookie again", b.get("/"))
	})
	t.Run("T-20 a token in the query is attached by the caller", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		got := l.browser().json(http.MethodPut, "/api/contents/demo?token="+labToken, `{"text":"x"}`, with("Sec-Fetch-Site", "cross-site"), with("Origin", "https://other.example"))
		if labAdmitted(t, "PUT", got); len(got.Cookies) != 0 || got.location() != "" || l.note("demo") != "x" {
			t.Errorf("got cookies %v, location %q, note %q", got.Cookies, got.location(), l.note("demo"))
		}
	})
	t.Run("T-25 nothing echoes the header", func(t *testing.T) {
		t.Parallel()
		b := newLab(t).browser()
		for _, got := range []labAnswer{
			b.do(http.MethodTrace, "/", "", bearing("WRONG-"+labToken)), b.do(http.MethodTrace, "/auth/login", "", bearing(labToken)),
			b.get("/", bearing("WRONG-"+labToken)), b.get("/auth/nothing", bearing(labToken)), b.get("/api/me?permissions=nonsense", bearing(labToken)),
			b.navigate("/auth/login?token="+labToken, bearing(labToken)),
		} {
			if got.Status < 200 || strings.Contains(got.Body, labToken) {
				t.Errorf("got %d %s", got.Status, got.Body)
			}
			for name, values := range got.Header {
				if strings.Contains(strings.Join(values, " "), labToken) {
					t.Errorf("%s: %q", name, values)
				}
			}
		}
	})
	t.Run("T-26 W-20 a token as a subprotocol is neither taken nor echoed", bubbled(func(t *testing.T) {
		l := newLab(t).listenInBubble()
		conn, status := l.browser().dial("/api/room/demo", with("Sec-WebSocket-Protocol", "notes", "v1.token.websocket.jupyter.org."+labToken))
		if status != http.StatusSwitchingProtocols || conn.Subprotocol() != "" {
			t.Fatalf("refused: got %d and subprotocol %q, want none", status, conn.Subprotocol())
		}
		if code := labClosed(t, conn); code != 1008 || l.rooms.Load() != 0 {
			t.Errorf("got %d, want 1008 and no handler", code)
		}
		conn, _ = l.loggedIn().enter("/api/room/demo", with("Sec-WebSocket-Protocol", "v1.token.websocket.jupyter.org."+labToken, "notes"))
		if got := conn.Subprotocol(); got != "notes" {
			t.Errorf("admitted: got subprotocol %q, want notes", got)
		}
	}))
}

// labReader is the token of somebody who may only read.
const labReader = "reader-7c1e5b9d3f2a48606b8e0c4d9a1f7e35"

// spell writes the shared token for the last T, and another one for U behind it.
func spell(value string) string {
	i := strings.LastIndexByte(value, 'T')
	return strings.ReplaceAll(value[:i], " U", " another") + labToken + strings.ReplaceAll(value[i+1:], "U", "another")
}

// labStatusOf is the answer to a form with such a password: what isn't UTF-8 is no text.
func labStatusOf(password string) int {
	if strings.Contains(password, "\xff") {
		return http.StatusBadRequest
	}
	return http.StatusUnauthorized
}

// T-11: tokens are looked up by their digest alone, so no comparison stops early at a byte of a token. How long the two
// kinds of wrong ones take is for BenchmarkWrongToken to tell.
func TestTokensAreFoundByTheirDigest(t *testing.T) {
	t.Parallel()
	l := newLab(t, named(tokenauth.Token{Name: "reader", Token: labReader}))
	found := tokenauth.Digests(l.auth)
	for _, token := range []string{labToken, labReader} {
		if !slices.Contains(found, tokenauth.DigestOf(token)) {
			t.Errorf("%s isn't found by its SHA-256", token)
		}
	}
	if len(found) != 2 {
		t.Errorf("got %d tokens, want 2", len(found))
	}
}
