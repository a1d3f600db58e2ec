package browsertest_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/ostiary/auth/userauth"
)

// The pages on which people and programs are let in, and that of who acts as somebody else.
func TestThePagesThatLetPeopleInFit(t *testing.T) {
	s, accounts := serveAdmin(t, "")
	_, invitation, err := accounts.Invite(t.Context(), userauth.NewInvitation{Roles: []string{"guest, paying"}, Note: "Grace, who visits the institute for the whole of the summer"})
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t)
	visit := func(page string, open func()) {
		for _, l := range looks {
			b.lookAt(l)
			open()
			b.fits(page + ", " + l.name)
			screenshot(b, page+"-"+l.name)
		}
	}
	at := func(path string) func() { return func() { b.open(s.url + path) } }
	visit("register-closed", at("auth/register"))
	visit("register", func() { b.open(s.url + "auth/register?invitation=" + invitation) })
	visit("register-wrong", func() {
		b.open(s.url + "auth/register?invitation=" + invitation)
		b.typeInto("input[name=username]", "grace")
		b.typeInto("input[name=password]", "short"+enter)
		b.await(`document.querySelector("[role=alert]") !== null`)
	})
	b.do(chromedp.EmulateViewport(1280, 860))
	b.signIn(s, "ada", password)
	visit("invitations", at("auth/invitations"))
	visit("invitations-made", func() {
		b.open(s.url + "auth/invitations")
		b.fill("textarea[name=roles]", "editor")
		b.leave(func() { b.clickText("main button", "Make a link") })
		b.awaitText("[role=status]", "The invitation is made")
	})
	visit("tokens", at("auth/tokens"))
	visit("tokens-made", func() {
		b.open(s.url + "auth/tokens")
		b.fill("input[name=name]", "the nightly backup of the institute's notes")
		b.fill("input[name=permissions]", "contents:read")
		b.leave(func() { b.clickText("main button", "Make token") })
		b.awaitText("[role=status]", "The token is made")
	})
	visit("tokens-of-a-user", at("auth/users/ben/tokens"))
	b.do(chromedp.EmulateViewport(1280, 860))
	b.open(s.url + "auth/users/ben")
	b.leave(func() { b.clickText("main button", "Act as ben") })
	visit("acting-profile", at("auth/me"))
	visit("acting-password", at("auth/password"))
	visit("acting-notebook", at(""))
}
