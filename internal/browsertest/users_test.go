package browsertest_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// The users of these tests, and the password of all of them.
const (
	password    = "seven-grey-lanterns-91"
	newPassword = "nine-copper-kettles-52"
)

// serveUsers starts a site with the users ada and ben, who may edit, and cleo, who may read. accounts manages them as
// useradmin does, past the server.
func serveUsers(t *testing.T, base string) (s site, accounts *userauth.Accounts) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.db")
	s = start(t, base, func(cfg auth.Config) (auth.Plugin, string) {
		db, err := userauth.OpenSQLite(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		a, err := userauth.New(t.Context(), userauth.Config{Auth: cfg, DB: db})
		if err != nil {
			t.Fatal(err)
		}
		return a, "/auth/me"
	})
	db, err := userauth.OpenSQLite(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	accounts, err = userauth.OpenAccounts(t.Context(), db, userauth.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accounts.Close() })
	for name, actions := range map[string][]string{"ada": {"read", "write"}, "ben": {"read", "write"}, "cleo": {"read"}} {
		display := strings.ToUpper(name[:1]) + name[1:]
		_, err := accounts.Add(t.Context(), userauth.NewAccount{
			Username: name, Password: password, Permissions: auth.Permissions{"contents": actions}, Profile: auth.UserUpdate{DisplayName: &display},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s, accounts
}

func change(t *testing.T, accounts *userauth.Accounts, name string, c userauth.AccountChange) {
	t.Helper()
	if _, err := accounts.Change(t.Context(), name, c); err != nil {
		t.Fatal(err)
	}
}

// signIn comes to the page as a visitor does, and fills in the form that is there instead.
func (b *tab) signIn(s site, name, password string) {
	b.t.Helper()
	b.open(s.url)
	b.atLogin()
	b.typeInto("input[name=username]", name)
	b.typeInto("input[name=password]", password+"\r")
	b.connected()
}

func (b *tab) atLogin() {
	b.t.Helper()
	b.await(`location.pathname.endsWith("/auth/login") && document.querySelector("input[name=password]") !== null`)
}

// watchSocket opens a socket of the test's own in the page, whose end awaitClose waits for.
func (b *tab) watchSocket() {
	b.t.Helper()
	eval[bool](b, `(() => {
		const w = new WebSocket(location.origin.replace("http", "ws") + document.body.dataset.base + "/api/room/demo");
		w.onclose = (e) => { window.closed1 = e.code + " " + e.reason };
		return new Promise((done) => { w.onmessage = () => done(true) });
	})()`)
}

func (b *tab) awaitClose(code string) {
	b.t.Helper()
	b.await(`(window.closed1 || "").startsWith("` + code + `")`)
}

func TestTheFirstVisitLeadsThroughTheLoginPage(t *testing.T) {
	s, _ := serveUsers(t, "/base")
	b := newBrowser(t)
	b.open(s.url + "?x=1#plans") // "#plans" is another note
	b.atLogin()
	if focus := eval[string](b, `document.activeElement.name`); focus != "username" {
		t.Errorf("the focus is in %q, want the username", focus)
	}
	b.typeInto("input[name=username]", "Ada")
	b.typeInto("input[name=password]", "not the password\r")
	b.awaitText("[role=alert]", "not right")
	b.await(`document.activeElement.name === "password" && document.activeElement.value === ""`)
	if name := eval[string](b, `document.querySelector("input[name=username]").value`); name != "Ada" {
		t.Errorf("the username is now %q, want what was typed", name)
	}
	if text := eval[string](b, `location.href + document.documentElement.outerHTML`); strings.Contains(text, "not the password") {
		t.Errorf("the wrong password is in the page")
	}
	b.press(password + "\r")
	b.connected()
	if got := eval[string](b, `location.pathname + location.search`); got != "/base/?x=1" {
		t.Errorf("the address is %s, want the one that was asked for", got)
	}
	b.awaitText("#my-name", "Ada")
	b.awaitText("#people", "Ada (you)")
	if got := eval[string](b, `document.cookie`); got != "" {
		t.Errorf("a script can read the cookie %q", got)
	}
	b.clean("401 (Unauthorized)")
}

func TestTwoUsersEditAndAThirdReads(t *testing.T) {
	s, _ := serveUsers(t, "")
	ada := newBrowser(t)
	ben, cleo := ada.newPerson(), ada.newPerson()
	ada.signIn(s, "ada", password)
	ben.signIn(s, "ben", password)
	cleo.signIn(s, "cleo", password)
	for _, b := range []*tab{ada, ben, cleo} {
		b.await(`document.querySelectorAll("#people li").length === 3`)
	}
	ada.typeInto("#note", "Hello from Ada.")
	ben.awaitNote("Hello from Ada.")
	ben.awaitText("#last", "Ada edited")
	ben.typeInto("#note", " And Ben.")
	for _, b := range []*tab{ada, cleo} {
		b.awaitNote("Hello from Ada. And Ben.")
		b.awaitText("#last", "Ben edited")
	}
	cleo.await(`document.querySelector("#note").readOnly && !document.querySelector("#read-only").hidden`)
	cleo.awaitText("#hint", "You can read this note")
	cleo.typeInto("#note", "not me")
	const save = `fetch("/api/contents/demo", {method: "PUT", headers: {"Content-Type": "application/json"}, body: '{"text":"x"}'}).then(r => r.status)`
	if status := eval[int](cleo, save); status != 403 {
		t.Errorf("PUT: got %d, want 403", status)
	}
	const send = `new Promise((done) => { const w = new WebSocket(location.origin.replace("http", "ws") + "/api/room/demo");
		w.onmessage = () => { w.send('{"type":"edit","text":"x"}'); w.close(1000); }; w.onclose = () => done(true) })`
	eval[bool](cleo, send)
	ada.typeInto("#note", "!")
	cleo.awaitNote("Hello from Ada.! And Ben.")
	screenshot(cleo, "users-reader")
	ada.clean()
	ben.clean()
	cleo.clean("403 (Forbidden)")
}

// What may be done is read from the database within a second: the page follows without being loaded again.
func TestThePageFollowsWhatItsUserMayDo(t *testing.T) {
	s, accounts := serveUsers(t, "")
	b := newBrowser(t)
	b.signIn(s, "ada", password)
	b.typeInto("#note", "mine")
	write := auth.Permissions{"contents": {"write"}}
	change(t, accounts, "ada", userauth.AccountChange{Revoke: write})
	b.await(`document.querySelector("#note").readOnly && !document.querySelector("#read-only").hidden`)
	b.connected()
	change(t, accounts, "ada", userauth.AccountChange{Grant: write})
	b.await(`!document.querySelector("#note").readOnly && document.querySelector("#read-only").hidden`)
	b.typeInto("#note", "!")
	b.awaitText("#last", "You edited")
	change(t, accounts, "ada", userauth.AccountChange{Revoke: auth.Permissions{"contents": {"read", "write"}}})
	b.awaitText("#notice", "not permitted")
	b.awaitText("#state", "Not permitted")
	if locked := eval[bool](b, `document.querySelector("#note").readOnly`); !locked {
		t.Error("the note can still be edited")
	}
	b.clean()
}

func TestLoggingOutEndsTheUsersOtherTab(t *testing.T) {
	s, _ := serveUsers(t, "/base")
	b := newBrowser(t)
	b.signIn(s, "ada", password)
	other, elsewhere := b.newTab(), b.newPerson()
	other.open(s.url)
	other.connected()
	other.watchSocket()
	elsewhere.signIn(s, "ada", password) // a session of its own
	b.click("#me summary")
	b.click("#logout")
	b.atLogin()
	other.awaitClose("1008 session ended")
	other.awaitText("#notice", "session has ended")
	other.awaitText("#state", "Signed out")
	elsewhere.connected()
	if locked := eval[bool](other, `document.querySelector("#note").readOnly`); !locked {
		t.Error("the note can still be edited")
	}
	other.click("#notice-link")
	other.atLogin()
	other.typeInto("input[name=username]", "ada")
	other.typeInto("input[name=password]", password+"\r")
	other.connected()
	b.clean("401 (Unauthorized)")
	other.clean("401 (Unauthorized)")
	elsewhere.clean()
}

func TestDisablingAUserEndsTheOpenTab(t *testing.T) {
	s, accounts := serveUsers(t, "")
	b := newBrowser(t)
	ben := b.newPerson()
	b.signIn(s, "ada", password)
	ben.signIn(s, "ben", password)
	b.watchSocket()
	ben.awaitText("#people", "Ada")
	disabled := true
	change(t, accounts, "ada", userauth.AccountChange{Disabled: &disabled})
	b.awaitClose("1008 session ended")
	b.awaitText("#notice", "session has ended")
	ben.await(`!document.querySelector("#people").textContent.includes("Ada")`)
	ben.connected()
	screenshot(b, "users-ended")
	b.click("#notice-link")
	b.atLogin()
	b.typeInto("input[name=username]", "ada")
	b.typeInto("input[name=password]", password+"\r")
	b.awaitText("[role=alert]", "not right") // the same words as for a wrong password
	b.clean("401 (Unauthorized)")
	ben.clean()
}
