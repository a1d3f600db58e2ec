package browsertest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
)

func TestTheLinkLogsInAndLeavesNoToken(t *testing.T) {
	s, b := serve(t, "/base"), newBrowser(t)
	b.logIn(s, sharedToken)
	if got := eval[string](b, `location.href`); got != s.url {
		t.Errorf("the address is %s, want %s", got, s.url)
	}
	if got := eval[string](b, `document.referrer + document.cookie`); strings.Contains(got, sharedToken) || got != "" {
		t.Errorf("a script can read %q", got)
	}
	if n := eval[int](b, `performance.getEntriesByType("resource").filter(r => r.name.includes("token")).length`); n != 0 {
		t.Errorf("%d files were loaded with the token in their address", n)
	}
	if got := eval[int](b, `history.length`); got > 2 { // about:blank and the page
		t.Errorf("the history has %d entries: the link is one of them", got)
	}
	b.clean()
}

func TestALinkThatIsWrongShowsTheLoginPage(t *testing.T) {
	s, b := serve(t, ""), newBrowser(t)
	b.open(s.url + "?token=wrong")
	b.await(`location.pathname === "/auth/login" && document.querySelector("input[type=password]") !== null`)
	if got := eval[string](b, `location.href`); strings.Contains(got, "wrong") {
		t.Errorf("the wrong token is in the address: %s", got)
	}
	b.clean()
}

// The login page lets its form name its own origin. A page that doesn't, by a policy of no-referrer, has its forms sent
// with "Origin: null", and the origin rule takes them too: the second attempt is made from such a page.
func TestTheLoginForm(t *testing.T) {
	s, b := serve(t, "/base"), newBrowser(t)
	b.open(s.url)
	b.await(`location.pathname === "/base/auth/login"`)
	screenshot(b, "login")
	b.typeInto("input[type=password]", "not the token\r")
	b.awaitText("[role=alert]", "not right")
	b.await(`document.activeElement.type === "password" && document.activeElement.value === ""`)
	screenshot(b, "login-wrong")
	eval[string](b, `document.querySelector("meta[name=referrer]").content = "no-referrer"`)
	b.typeInto("input[type=password]", sharedToken+"\r")
	b.connected()
	if got := eval[string](b, `location.href`); got != s.url {
		t.Errorf("the address is %s, want %s", got, s.url)
	}
	own := strings.TrimSuffix(s.url, "/base/")
	for i, want := range []string{own, "null"} {
		if origin := <-s.logins; origin != want {
			t.Errorf("form %d came with the origin %q, want %q: this test proves less than it says", i, origin, want)
		}
	}
	b.clean("401 (Unauthorized)") // what Chromium says of the wrong one
}

func TestTwoGuestsEditTogether(t *testing.T) {
	s := serve(t, "")
	one, two := newBrowser(t), newBrowser(t)
	one.logIn(s, sharedToken)
	two.logIn(s, sharedToken)
	one.await(`document.querySelectorAll("#people li").length === 2`)
	two.await(`document.querySelectorAll("#people li").length === 2`)
	nameOne, nameTwo := eval[string](one, `document.querySelector("#my-name").textContent`), eval[string](two, `document.querySelector("#my-name").textContent`)
	one.awaitText("#people", nameTwo)
	two.awaitText("#people", nameOne)
	if !strings.HasPrefix(nameOne, "Anonymous ") {
		t.Errorf("the name is %q", nameOne)
	}

	one.typeInto("#note", "Hello from one.")
	two.awaitNote("Hello from one.")
	two.awaitText("#last", nameOne+" edited")
	one.awaitText("#last", "You edited")
	two.typeInto("#note", " And two.")
	one.awaitNote("Hello from one. And two.")
	one.awaitText("#last", nameTwo+" edited")

	// At the two ends, with the caret in both: what one writes goes on around what the other has written. (Letters of the very
	// same moment can be lost: an edit is the whole text, and the later one counts.)
	for _, b := range []*tab{one, two} {
		eval[bool](b, `document.querySelector("#note").focus(), true`)
	}
	const insert = `(() => { const a = document.querySelector("#note"); for (const c of %q) { a.setRangeText(c, %s, %[2]s, "end"); a.dispatchEvent(new Event("input")) } return true })()`
	eval[bool](one, fmt.Sprintf(insert, "ONE", `a.value.indexOf("Hello")`))
	one.awaitNote("ONEHello from one. And two.")
	two.awaitNote("ONEHello from one. And two.")
	eval[bool](two, fmt.Sprintf(insert, "TWO", `a.value.length`))
	for _, b := range []*tab{one, two} {
		b.await(`/^ONEHello from one\. And two\.TWO$/.test(document.querySelector("#note").value)`)
	}

	one.click("#me summary")
	one.await(`document.querySelector("#new-name").value !== ""`) // the page fills it in when the browser tells it of the opening
	eval[bool](one, `document.querySelector("#new-name").select(), true`)
	one.typeInto("#new-name", "Zoë <b>Brandt</b>\r")
	one.awaitText("#my-name", "Zoë <b>Brandt</b>")
	two.awaitText("#people", "Zoë <b>Brandt</b>")
	if n := eval[int](two, `document.querySelectorAll("#people b").length`); n != 0 {
		t.Error("a name became markup")
	}
	one.clean()
	two.clean()
}

// A colour comes from another person. It is a colour or nothing: it loads nothing and reaches into no other rule.
func TestColoursOfOthersAreOnlyColours(t *testing.T) {
	s := serve(t, "")
	one, two := newBrowser(t), newBrowser(t)
	one.logIn(s, sharedToken)
	two.logIn(s, sharedToken)
	for _, color := range []string{"url(/evil)", "red;background:url(/evil)", "var(--x,url(/evil))", "expression(1)", "</style><script>", "transparent"} {
		status := eval[int](one, fmt.Sprintf(`fetch("/api/me", {method: "PATCH", headers: {"Content-Type": "application/json"}, body: JSON.stringify({color: %q, display_name: %[1]q})}).then(r => r.status)`, color))
		if status != 200 {
			t.Fatalf("%q: got %d: this test proves nothing", color, status)
		}
		two.awaitText("#people", color)
	}
	if n := eval[int](two, `performance.getEntriesByType("resource").filter(r => r.name.includes("evil")).length`); n != 0 {
		t.Error("a colour loaded something")
	}
	two.clean()
}

func TestAReaderSeesLiveAndCannotEdit(t *testing.T) {
	s := serve(t, "", tokenauth.Token{Name: "reader", Token: readerToken, Permissions: auth.Permissions{"contents": {"read"}}})
	writer, reader := newBrowser(t), newBrowser(t)
	writer.logIn(s, sharedToken)
	reader.logIn(s, readerToken)
	writer.typeInto("#note", "Seen live")
	reader.awaitNote("Seen live")
	reader.await(`document.querySelector("#note").readOnly && !document.querySelector("#read-only").hidden`)
	reader.typeInto("#note", "not me")
	writer.typeInto("#note", "!")
	reader.awaitNote("Seen live!")
	if status := eval[int](reader, `fetch("/api/contents/demo", {method: "PUT", headers: {"Content-Type": "application/json"}, body: '{"text":"x"}'}).then(r => r.status)`); status != 403 {
		t.Errorf("PUT: got %d, want 403", status)
	}
	screenshot(reader, "reader")
	writer.awaitNote("Seen live!")
	writer.clean()
	reader.clean("403 (Forbidden)")
}

func TestLogoutEndsTheOtherTabsSocket(t *testing.T) {
	s, b := serve(t, ""), newBrowser(t)
	b.logIn(s, sharedToken)
	other := b.newTab()
	other.open(s.url)
	other.connected()
	eval[bool](other, `(() => { const w = new WebSocket(location.origin.replace("http", "ws") + "/api/room/demo"); w.onclose = e => { document.title = "closed " + e.code + " " + e.reason }; return new Promise(r => { w.onopen = () => r(true) }) })()`)
	b.click("#me summary")
	b.click("#logout")
	b.await(`location.pathname === "/auth/login"`)
	other.await(`document.title === "closed 1008 session ended"`)
	other.awaitText("#notice", "session has ended")
	other.awaitText("#state", "Signed out")
	if href := eval[string](other, `document.querySelector("#notice-link").href`); !strings.HasPrefix(href, s.origin+"/auth/login") {
		t.Errorf("the link goes to %s", href)
	}
	if locked := eval[bool](other, `document.querySelector("#note").readOnly`); !locked {
		t.Error("the note can still be edited")
	}
	screenshot(other, "ended")
	other.click("#notice-link")
	other.await(`location.pathname === "/auth/login"`)
	b.clean("401 (Unauthorized)") // the page may ask why its socket ended, before the browser leaves it
	other.clean("401 (Unauthorized)")
}

func TestARefusedSocketSaysWhy(t *testing.T) {
	s, b := serve(t, ""), newBrowser(t)
	b.open(s.origin + "/healthz")
	const ask = `new Promise(r => { const w = new WebSocket(location.origin.replace("http", "ws") + "/api/room/demo"); w.onclose = e => r(e.code + " " + e.reason + " " + e.wasClean) })`
	const want = "1008 authentication required true"
	start := time.Now()
	got := eval[string](b, ask)
	for range 5 { // on a machine that is too busy the 250 ms for a refusal can be over before it was told: only then again
		if got == want || time.Since(start) < 250*time.Millisecond {
			break
		}
		start = time.Now()
		got = eval[string](b, ask)
	}
	if got != want {
		t.Errorf("got %q", got)
	}
}

func TestAForeignPageReachesNothing(t *testing.T) {
	s, b := serve(t, ""), newBrowser(t)
	b.logIn(s, sharedToken)
	b.typeInto("#note", "before")
	b.awaitText("#last", "You edited")
	page := b.newTab() // the same cookies
	page.open(foreign(t))
	socket := fmt.Sprintf(`new Promise(r => { const w = new WebSocket(%q); w.onclose = e => r(e.code) })`, strings.Replace(s.origin, "http", "ws", 1)+"/api/room/demo")
	if code := eval[int](page, socket); code != 1006 {
		t.Errorf("socket: got %d, want 1006", code)
	}
	for name, options := range map[string]string{
		"PUT":          `{method: "PUT", credentials: "include", headers: {"Content-Type": "application/json"}, body: '{"text":"after"}'}`,
		"a simple one": `{method: "POST", mode: "no-cors", credentials: "include", body: '{"text":"after"}'}`,
		"a reading":    `{credentials: "include"}`,
	} {
		got := eval[string](page, fmt.Sprintf(`fetch(%q, %s).then(r => r.type === "opaque" ? "opaque" : r.text(), e => "refused")`, s.origin+"/api/contents/demo", options))
		if got != "refused" && got != "opaque" {
			t.Errorf("%s: got %q", name, got)
		}
	}
	// A form of another site can navigate with a POST. It comes without the cookie (SameSite), and with a foreign origin.
	eval[bool](page, fmt.Sprintf(`(() => { const f = document.createElement("form"); f.method = "post"; f.action = %q; document.body.append(f); f.submit(); return true })()`, s.origin+"/auth/logout"))
	page.await(`location.origin === ` + fmt.Sprintf("%q", s.origin))
	if status := eval[int](b, `fetch("/api/me").then(r => r.status)`); status != http.StatusOK {
		t.Errorf("a foreign form has logged the visitor out: %d", status)
	}
	if text := eval[string](b, `fetch("/api/contents/demo").then(r => r.text())`); !strings.Contains(text, `"before"`) {
		t.Errorf("the note is %s", text)
	}
	b.connected()
	b.clean()
}

func TestThePageComesBackAfterTheNetwork(t *testing.T) {
	s, b := serve(t, ""), newBrowser(t)
	b.logIn(s, sharedToken)
	b.do(chromedp.Evaluate[chromedp.Void](`window.RealSocket = WebSocket; window.tries = 0; window.states = []; new MutationObserver(() => states.push(document.querySelector("#state").textContent)).observe(document.querySelector("#state"), { childList: true, characterData: true, subtree: true }); window.WebSocket = class extends RealSocket { constructor(u) { super(++window.tries < 3 ? u.replace("room", "nothing") : u) } }; void 0`))
	other := b.newTab()
	other.open(s.url)
	other.connected()
	// The server cuts this page's socket: a message that is none ends it with another code than 1008.
	eval[bool](b, `(() => { const send = RealSocket.prototype.send; RealSocket.prototype.send = function() { send.call(this, "cut"); RealSocket.prototype.send = send }; return true })()`)
	b.typeInto("#note", "t")
	b.await(`states.some(s => s.includes("Reconnecting"))`) // which may be over again
	b.typeInto("#note", "yped while away")
	b.connected()
	other.awaitNote("typed while away")
	if tries := eval[int](b, `window.tries`); tries != 3 {
		t.Errorf("%d tries, want 3", tries)
	}
	b.clean("WebSocket connection to")
}

// The pages are looked at by people: AUTH_TEST_SCREENSHOTS names the folder where they stay.
func TestThePageFits(t *testing.T) {
	s := serve(t, "")
	one, two := newBrowser(t), newBrowser(t)
	one.logIn(s, sharedToken)
	two.logIn(s, sharedToken)
	one.await(`document.querySelectorAll("#people li").length === 2`)
	one.typeInto("#note", "Plan for Thursday\r\r- call the observatory about the telescope\r- bring the moons list: Io, Europa, Ganymede and Callisto\r- tea\r\rSomebody write down who brings the cake, please. This line is long enough to be broken on any screen, and longer still on a phone.")
	two.awaitText("#last", "edited")
	for name, look := range map[string]struct {
		width, height int64
		scheme        string
	}{
		"light": {1280, 860, "light"}, "dark": {1280, 860, "dark"}, "phone": {390, 844, "light"}, "phone-dark": {390, 844, "dark"}, "narrow": {320, 640, "light"},
	} {
		if _, err := chromedp.Call(two.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}}}); err != nil {
			t.Fatal(err)
		}
		two.do(chromedp.EmulateViewport(look.width, look.height))
		if wide := eval[int](two, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); wide > 0 {
			t.Errorf("%s: %d pixels too wide", name, wide)
		}
		screenshot(two, name)
		if name == "phone" || name == "light" {
			two.click("#me summary")
			if inside := eval[bool](two, `(() => { const r = document.querySelector(".panel").getBoundingClientRect(); return r.left >= 0 && r.right <= innerWidth })()`); !inside {
				t.Errorf("%s: the panel leaves the screen", name)
			}
			screenshot(two, name+"-panel")
			two.click("#me summary")
		}
	}
	// Whoever uses a keyboard or a screen reader gets everywhere, and is told what everything is.
	unnamed := eval[[]string](two, `[...document.querySelectorAll("input, textarea, button, summary, a[href]")].filter(e => !(e.labels?.length || e.textContent.trim() || e.getAttribute("aria-label") || e.hidden)).map(e => e.outerHTML)`)
	if len(unnamed) != 0 {
		t.Errorf("without a name: %v", unnamed)
	}
	one.clean()
	two.clean()
}
