package browsertest_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestTheProfilePageChangesWhatOthersSee(t *testing.T) {
	s, _ := serveUsers(t, "/base")
	ada := newBrowser(t)
	ben := ada.newPerson()
	ada.signIn(s, "ada", password)
	ben.signIn(s, "ben", password)
	ben.awaitText("#people", "Ada")
	open := ada.newTab() // the room, while another tab shows the account
	open.open(s.url)
	open.connected()
	ada.click("#me summary")
	ada.awaitText(".account", "Signed in as ada.")
	ada.leave(func() { ada.click("#account") })
	ada.await(`location.pathname === "/base/auth/me"`)
	for name, value := range map[string]string{"display_name": "Lady Ada <b>", "initials": "LA", "color": "#008080"} {
		ada.fill("input[name="+name+"]", value)
	}
	ada.leave(func() { ada.click("main button") })
	ada.await(`location.pathname === "/base/auth/me" && document.querySelector("input[name=initials]").value === "LA"`)
	ben.awaitText("#people", "Lady Ada <b>")
	ben.await(`[...document.querySelectorAll("#people .avatar")].some(e => e.textContent === "LA" && getComputedStyle(e).backgroundColor === "rgb(0, 128, 128)")`)
	open.awaitText("#people", "Lady Ada <b> (you)")
	if n := eval[int](ada, `document.querySelectorAll("main b, header b").length`); n != 0 {
		t.Error("a name became markup")
	}
	ada.fill("input[name=color]", "url(/evil)")
	ada.fill("input[name=avatar_url]", "javascript:alert(1)")
	ada.click("main button")
	ada.awaitText("[role=alert]", "Picture: ")
	if typed := eval[string](ada, `document.querySelector("input[name=avatar_url]").value`); typed != "javascript:alert(1)" {
		t.Errorf("what was typed is now %q", typed)
	}
	ada.clickText("a", "Back")
	ada.await(`location.pathname === "/base/" || location.pathname === "/base"`)
	ada.connected()
	ada.awaitText("#my-name", "Lady Ada <b>")
	ada.clean("400 (Bad Request)")
	ben.clean()
	open.clean()
}

func TestTheSessionsPageSignsOutEverywhereElse(t *testing.T) {
	s, accounts := serveUsers(t, "")
	here := newBrowser(t)
	phone, library, ben := here.newPerson(), here.newPerson(), here.newPerson()
	for _, b := range []*tab{here, phone, library} {
		b.signIn(s, "ada", password)
		b.watchSocket()
	}
	ben.signIn(s, "ben", password)
	sessions := here.newTab()
	sessions.open(s.url + "auth/sessions")
	sessions.await(`document.querySelectorAll("tbody tr").length === 3`)
	if marked := eval[string](sessions, `[...document.querySelectorAll("tbody tr")].filter(r => r.textContent.includes("this browser")).map(r => r.querySelector("th").textContent).join()`); !strings.Contains(marked, "on Linux") {
		t.Errorf("this browser is %q", marked)
	}
	// The library's, told by what the page there says of it: two that began in the same second have no order.
	there := library.newTab()
	there.open(s.url + "auth/sessions")
	action := eval[string](there, `document.querySelector("tbody tr:has(.badge) form").getAttribute("action")`)
	eval[bool](sessions, fmt.Sprintf(`document.querySelector("form[action='%s'] button").click(), true`, action))
	sessions.await(`document.querySelectorAll("tbody tr").length === 2`)
	library.awaitClose("1008 session ended")
	library.awaitText("#notice", "session has ended")
	phone.connected()
	sessions.clickText("main button", "Sign out everywhere else")
	sessions.await(`document.querySelectorAll("tbody tr").length === 1`)
	phone.awaitClose("1008 session ended")
	phone.awaitText("#notice", "session has ended")
	here.connected()
	ben.connected()
	if open := eval[bool](here, `window.closed1 === undefined`); !open {
		t.Error("the browser that asked is signed out as well")
	}
	if left, err := accounts.Sessions(t.Context(), "ada"); err != nil || len(left) != 1 {
		t.Errorf("there are %d sessions, %v", len(left), err)
	}
	// The last one is this one.
	sessions.clickText("tbody button", "Sign out")
	sessions.atLogin()
	here.awaitText("#notice", "session has ended")
	ben.connected()
	ben.clean()
}

func TestThePasswordPage(t *testing.T) {
	s, accounts := serveUsers(t, "")
	b := newBrowser(t)
	elsewhere := b.newPerson()
	b.signIn(s, "ada", password)
	elsewhere.signIn(s, "ada", password)
	elsewhere.watchSocket()
	page := b.newTab()
	page.open(s.url + "auth/password")
	for _, try := range []struct{ current, next, says string }{
		{"not the password", newPassword, "current password is not right"},
		{password, "short", "The new password must be at least 15 characters."},
		{password, "aaaaaaaaaaaaaaaaaaaa", "The new password "},
	} {
		page.fill("input[name=current]", try.current)
		page.fill("input[name=new]", try.next)
		page.leave(func() { page.click("main button") })
		page.awaitText("[role=alert]", try.says)
		if kept := eval[string](page, `[...document.querySelectorAll("input[type=password]")].map(e => e.value).join("")`); kept != "" {
			t.Errorf("the page sends a password back: %q", kept)
		}
	}
	if ok, err := accounts.VerifyPassword(t.Context(), "ada", password); err != nil || !ok {
		t.Fatalf("a refused change has changed the password: %v", err)
	}
	b.connected()
	elsewhere.connected()
	page.fill("input[name=current]", password)
	page.fill("input[name=new]", newPassword)
	page.click("main button")
	page.await(`location.pathname === "/auth/sessions" && document.querySelectorAll("tbody tr").length === 1`)
	elsewhere.awaitClose("1008 session ended")
	elsewhere.awaitText("#notice", "session has ended")
	// This browser has a new session: its open tab goes on with that.
	b.connected()
	b.typeInto("#note", "still here")
	b.awaitText("#last", "You edited")
	elsewhere.click("#notice-link")
	elsewhere.atLogin()
	elsewhere.typeInto("input[name=username]", "ada")
	elsewhere.typeInto("input[name=password]", password+"\r")
	elsewhere.awaitText("[role=alert]", "not right")
	elsewhere.press(newPassword + "\r")
	elsewhere.connected()
	page.clean("400 (Bad Request)", "403 (Forbidden)")
	b.clean()
}

// What a page of another site makes a browser send to the account's routes changes nothing.
func TestAForeignPageReachesNoAccount(t *testing.T) {
	s, accounts := serveUsers(t, "")
	b := newBrowser(t)
	b.signIn(s, "ada", password)
	b.watchSocket()
	page, other := b.newTab(), b.newTab()
	other.open(foreign(t))
	for path, body := range map[string]string{
		"auth/logout": "", "auth/me": "display_name=Evil", "auth/sessions/end": "",
		"auth/password": "current=" + password + "&new=" + newPassword, "auth/login": "username=ben&password=" + password,
	} {
		page.open(foreign(t))
		eval[bool](page, fmt.Sprintf(`(() => { const f = document.createElement("form"); f.method = "post"; f.action = %q;
			for (const [name, value] of new URLSearchParams(%q)) { const i = document.createElement("input"); i.name = name; i.value = value; f.append(i) }
			document.body.append(f); f.submit(); return true })()`, s.url+path, body))
		page.await(fmt.Sprintf(`location.origin === %q && document.readyState === "complete"`, s.origin))
		fetched := eval[string](other, fmt.Sprintf(`fetch(%q, {method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams(%q)}).then(r => r.type, () => "refused")`, s.url+path, body))
		if fetched != "opaque" && fetched != "refused" {
			t.Errorf("%s: a foreign script sees %q", path, fetched)
		}
	}
	if me := eval[string](b, `fetch("/api/me").then(r => r.text())`); !strings.Contains(me, `"display_name":"Ada"`) {
		t.Errorf("the session is now %s", me)
	}
	if open := eval[bool](b, `window.closed1 === undefined`); !open {
		t.Error("a foreign page has ended the session")
	}
	if ok, err := accounts.VerifyPassword(t.Context(), "ada", password); err != nil || !ok {
		t.Errorf("a foreign page has changed the password: %v", err)
	}
	if ben, err := accounts.Sessions(t.Context(), "ben"); err != nil || len(ben) != 0 {
		t.Errorf("a foreign page has logged its visitor in: %v, %v", ben, err)
	}
}
