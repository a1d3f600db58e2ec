package browsertest_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// serveAdmin is serveUsers with ada as an admin, and roles.
func serveAdmin(t *testing.T, base string) (s site, accounts *userauth.Accounts) {
	t.Helper()
	s, accounts = serveUsers(t, base)
	change(t, accounts, "ada", userauth.AccountChange{Grant: auth.Permissions{"admin": {"*"}}})
	for _, role := range []userauth.Role{
		{Name: "editor", Description: "writes and deletes", Permissions: auth.Permissions{"contents": {"read", "write", "delete"}}},
		{Name: "guest, paying", Description: "<b>sees</b> what is public", Permissions: auth.Permissions{"contents/public*": {"read"}}},
	} {
		if _, err := accounts.PutRole(t.Context(), role); err != nil {
			t.Fatal(err)
		}
	}
	return s, accounts
}

// What an admin does on the pages reaches the room of whom it is done to: the pages have no script, so it works without one.
func TestAnAdminAdministersOnPages(t *testing.T) {
	s, accounts := serveAdmin(t, "/base")
	ada := newBrowser(t)
	cleo := ada.newPerson()
	ada.signIn(s, "ada", password)
	cleo.signIn(s, "cleo", password)
	cleo.await(`document.querySelector("#note").readOnly`)
	ada.open(s.url + "auth/me")
	ada.leave(func() { ada.clickText("nav a", "Users") })
	ada.leave(func() { ada.clickText("th a", "cleo") })
	ada.await(`location.pathname === "/base/auth/users/cleo"`)
	ada.click("input[type=checkbox][value=editor]")
	ada.leave(func() { ada.clickText("main button", "Save roles and permissions") })
	ada.awaitText("[role=status]", "Saved.")
	ada.await(`document.activeElement.getAttribute("role") === "status" && document.querySelector("input[value=editor][type=checkbox]").checked`)
	cleo.await(`!document.querySelector("#note").readOnly`) // the socket was closed, and opened with what she holds now
	cleo.connected()

	ada.leave(func() { ada.clickText("main button", "Disable") })
	ada.awaitText("[role=status]", "The user was disabled")
	cleo.awaitText("#notice", "session has ended")

	ada.leave(func() { ada.clickText("main a", "Delete this user") })
	ada.awaitText("h1", "Delete cleo?")
	ada.leave(func() { ada.clickText("main button", "Delete cleo") })
	ada.awaitText("[role=status]", "The user was deleted.")
	if _, err := accounts.Get(t.Context(), "cleo"); err == nil {
		t.Error("cleo is still there")
	}

	ada.fill("main input[name=username]", "dora")
	ada.fill("main input[name=password]", "short")
	ada.clickText("main button", "Add user")
	ada.awaitText("[role=alert]", "Password: ")
	if typed := eval[string](ada, `document.querySelector("input[name=username]").value`); typed != "dora" {
		t.Errorf("the username is now %q", typed)
	}
	if typed := eval[string](ada, `document.querySelector("input[name=password]").value`); typed != "" {
		t.Errorf("a password came back: %q", typed)
	}
	ada.fill("main input[name=password]", password)
	ada.leave(func() { ada.clickText("main button", "Add user") })
	ada.awaitText("[role=status]", "The user was added.")
	if ok, err := accounts.VerifyPassword(t.Context(), "dora", password); err != nil || !ok {
		t.Errorf("dora can't log in: %v", err)
	}
	ada.clean("400 (Bad Request)")
	cleo.clean("401 (Unauthorized)")
}

func TestTheAdminPagesFit(t *testing.T) {
	s, accounts := serveAdmin(t, "")
	b := newBrowser(t)
	b.signIn(s, "ada", password)
	b.newPerson().signIn(s, "ben", password)
	long, color := "Augusta Ada King, Countess of Lovelace, <script>alert(1)</script>", "teal"
	change(t, accounts, "ben", userauth.AccountChange{
		Profile: auth.UserUpdate{Name: &long, Color: &color}, AddRoles: []string{"editor"},
		Grant: auth.Permissions{"kernels": {"execute", "interrupt"}, "contents/a-folder-with-a-long-name/and-another-one*": {"*"}},
	})
	disabled := true
	change(t, accounts, "cleo", userauth.AccountChange{Disabled: &disabled})
	for i := range 55 {
		if _, err := accounts.Add(t.Context(), userauth.NewAccount{Username: fmt.Sprintf("member%02d.of-the-institute@mathematicians.example", i)}); err != nil {
			t.Fatal(err)
		}
	}
	editor, err := accounts.Role(t.Context(), "editor")
	if err != nil {
		t.Fatal(err)
	}
	visit := func(page string, open func()) {
		for _, l := range looks {
			b.lookAt(l)
			open()
			b.fits(page + ", " + l.name)
			screenshot(b, page+"-"+l.name)
		}
	}
	at := func(path string) func() { return func() { b.open(s.url + path) } }
	visit("admin-users", at("auth/users"))
	visit("admin-users-search", at("auth/users?search=be"))
	visit("admin-user", at("auth/users/ben?done=saved"))
	visit("admin-user-wrong", func() {
		b.open(s.url + "auth/users/ben")
		b.fill("textarea[name=permissions]", "contents")
		b.leave(func() { b.clickText("main button", "Save roles and permissions") })
		b.await(`document.querySelector("[role=alert]") !== null`)
	})
	visit("admin-user-delete", at("auth/users/ben/delete"))
	visit("admin-roles", at("auth/roles"))
	visit("admin-role", at("auth/roles/guest%2C%20paying"))
	visit("admin-role-conflict", func() {
		b.open(s.url + "auth/roles/editor")
		b.fill("input[name=description]", "typed by ada")
		editor.Description = "changed by somebody else"
		if editor, err = accounts.PutRole(t.Context(), editor); err != nil {
			t.Fatal(err)
		}
		b.leave(func() { b.clickText("main button", "Save") })
		b.awaitText("[role=alert]", "Somebody has changed")
	})
	b.do(chromedp.EmulateViewport(1280, 860))
	change(t, accounts, "ada", userauth.AccountChange{Grant: auth.Permissions{"admin": {"read"}}})
	if _, err := accounts.Add(t.Context(), userauth.NewAccount{Username: "zoe", Permissions: auth.Permissions{"admin": {"*"}}}); err != nil {
		t.Fatal(err)
	}
	change(t, accounts, "ada", userauth.AccountChange{Revoke: auth.Permissions{"admin": {"*"}}})
	b.open(s.url) // the pages of the administration may not be asked by a script, not even their own
	eval[bool](b, `(async () => { for (;;) {
		const me = await fetch('/api/me?permissions={"admin":["write"]}').then(r => r.json());
		if (me.permissions.admin.length === 0) return true;
		await new Promise(done => setTimeout(done, 50));
	} })()`)
	visit("admin-user-reader", at("auth/users/ben"))
}
