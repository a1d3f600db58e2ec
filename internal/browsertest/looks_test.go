package browsertest_test

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// look is a screen that the pages are shown on.
type look struct {
	name          string
	width, height int64
	scheme        string
}

var looks = []look{
	{"light", 1280, 860, "light"}, {"dark", 1280, 860, "dark"}, {"phone", 390, 844, "light"}, {"phone-dark", 390, 844, "dark"}, {"narrow", 320, 640, "light"},
}

func (b *tab) lookAt(l look) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}}}); err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(l.width, l.height))
}

// The pages are looked at by people: AUTH_TEST_SCREENSHOTS names the folder where they stay. What can be measured is: nothing
// is wider than the screen, nothing to press is too small for a finger, and letters stand out from what is behind them.
func TestTheAccountPagesFit(t *testing.T) {
	s, _ := serveUsers(t, "")
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
	visit("account-login", at("auth/login"))
	visit("account-login-wrong", func() {
		b.open(s.url + "auth/login")
		b.typeInto("input[name=username]", "ada.lovelace@mathematicians.example")
		b.typeInto("input[name=password]", "wrong"+enter)
		b.await(`document.querySelector("[role=alert]") !== null`)
	})
	b.do(chromedp.EmulateViewport(1280, 860))
	b.signIn(s, "ada", password)
	b.newPerson().signIn(s, "ada", password)
	b.newPerson().signIn(s, "ada", password)
	visit("account-profile", at("auth/me"))
	visit("account-profile-wrong", func() {
		b.open(s.url + "auth/me")
		b.fill("input[name=avatar_url]", "javascript:alert(1)")
		b.click("main button")
		b.await(`document.querySelector("[role=alert]") !== null`)
	})
	visit("account-password", at("auth/password"))
	visit("account-password-wrong", func() {
		b.open(s.url + "auth/password")
		b.fill("input[name=current]", password)
		b.fill("input[name=new]", "short")
		b.click("main button")
		b.await(`document.querySelector("[role=alert]") !== null`)
	})
	visit("account-sessions", at("auth/sessions"))
	visit("account-nothing", at("auth/nothing"))
	visit("notebook-user", func() {
		b.open(s.url)
		b.connected()
		b.click("#me summary")
	})
}

// fits measures the page that is shown.
func (b *tab) fits(where string) {
	b.t.Helper()
	if wide := eval[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); wide > 0 {
		b.t.Errorf("%s: %d pixels too wide", where, wide)
	}
	// 24 by 24 pixels (WCAG 2.2, 2.5.8); links within a text may be as high as that.
	small := eval[[]string](b, `[...document.querySelectorAll("button, input:not([type=hidden]), textarea, summary, nav a, a.button")].filter(e => e.checkVisibility()).
		filter(e => { const r = e.getBoundingClientRect(); return r.width < 24 || r.height < 24 }).map(e => e.outerHTML)`)
	for _, html := range small {
		b.t.Errorf("%s: too small for a finger: %s", where, html)
	}
	for _, faint := range eval[[]string](b, faintTexts) {
		b.t.Errorf("%s: too faint: %s", where, faint)
	}
}

// faintTexts gives the texts whose contrast with the nearest background colour behind them is less than 4.5 to 1 (WCAG,
// 1.4.3). Background images aren't seen.
const faintTexts = `(() => {
	const parts = (c) => c.match(/[\d.]+/g).map(Number);
	const light = (c) => { const [r, g, b] = parts(c).map(v => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 }); return .2126 * r + .7152 * g + .0722 * b };
	const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor, p = parts(c); if (p.length < 4 || p[3] === 1) return c } return "rgb(255, 255, 255)" };
	const faint = [];
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const e = texts.currentNode.parentElement;
		if (!texts.currentNode.data.trim() || !e.checkVisibility() || e.closest(".unseen, .skip, noscript, [aria-hidden=true]")) continue;
		const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
		if ((a + .05) / (b + .05) < 4.5) faint.push(texts.currentNode.data.trim() + " (" + ((a + .05) / (b + .05)).toFixed(2) + ")");
	}
	return faint;
})()`
