package browsertest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
)

const (
	tabKey = "\t"
	enter  = "\r"
	escape = "\x1b"
)

// Nothing here needs a mouse.
func TestAKeyboardIsEnough(t *testing.T) {
	s, _ := serveUsers(t, "")
	b := newBrowser(t)
	b.open(s.url)
	b.atLogin()
	// The first key goes into the first field; one Tab leads to the next, in the order in which they are read.
	b.await(`document.activeElement.name === "username"`)
	b.press("ada")
	b.walk("Password", "Sign in")
	b.back("Password")
	b.press("wrong" + enter)
	b.awaitText("[role=alert]", "not right")
	b.await(`document.activeElement.name === "password"`)
	b.press(password)
	b.walk("Sign in")
	b.press(enter)
	b.connected()

	b.walk("Skip to the note", "Ada")
	b.press(enter) // opens the panel
	b.await(`document.querySelector("#me").open && !document.querySelector("#profile").hidden`)
	b.walk("Your name, as others see it", "Your colour", "Save", "Your account", "Log out", "Text of the note")
	b.press("By keyboard")
	b.awaitText("#last", "You edited")
	b.back("Log out", "Your account")
	b.press(escape)
	b.await(`!document.querySelector("#me").open && document.activeElement.matches("#me summary")`)
	b.press(enter)
	b.await(`document.querySelector("#me").open`)
	b.walk("Your name, as others see it", "Your colour", "Save", "Your account")
	b.leave(func() { b.press(enter) })
	b.await(`location.pathname === "/auth/me"`)

	b.walk("Skip to content", "Back", "Profile", "Password", "Sessions", "API tokens", "Sign out", "Name (optional)", "Short name (optional)")
	b.leave(func() { b.press("Ada L." + enter) }) // what a Tab comes to is selected, and replaced
	b.await(`location.pathname === "/auth/me" && document.querySelector("input[name=display_name]").value === "Ada L."`)
	b.walk("Skip to content")
	b.press(enter)
	b.await(`document.activeElement.id === "main"`)
	b.walk("Name (optional)")
	b.back("Sign out", "API tokens", "Sessions")
	b.leave(func() { b.press(enter) })
	b.await(`location.pathname === "/auth/sessions"`)
	b.walk("Skip to content", "Back", "Profile", "Password", "Sessions", "API tokens", "Sign out", "Sign out "+eval[string](b, `document.querySelector("tbody th bdi").textContent`))
	b.press(enter)
	b.atLogin()
	b.clean("401 (Unauthorized)")
}

// walk presses Tab and fails the test unless the focus comes to each of these in turn, by the name that a screen reader
// gives it, and can be seen there.
func (b *tab) walk(names ...string) {
	b.t.Helper()
	b.move(names, chromedp.KeyEvent(tabKey))
}

// back is the same with Shift+Tab.
func (b *tab) back(names ...string) {
	b.t.Helper()
	b.move(names, chromedp.KeyEvent(tabKey, chromedp.KeyModifiers(chromedp.ModifierShift)))
}

func (b *tab) move(names []string, step chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	for _, want := range names {
		b.do(step)
		focused := b.focused()
		if focused.name != want {
			b.t.Fatalf("the focus came to %s %q, want %q", focused.role, focused.name, want)
		}
		if visible := eval[bool](b, `(() => { const e = document.activeElement, r = e.getBoundingClientRect(), s = getComputedStyle(e);
			return r.width > 1 && r.height > 1 && s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 })()`); !visible {
			b.t.Errorf("nothing shows that the focus is at %q", want)
		}
	}
}

// node is something that a screen reader finds in the page.
type node struct {
	role, name, description string
	properties              map[string]string
}

// nodes are all of them, in reading order.
func (b *tab) nodes() (nodes []node) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	tree, err := chromedp.Call(ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		b.t.Fatal(err)
	}
	byID := map[accessibility.NodeID]*accessibility.Node{}
	for _, n := range tree.Nodes {
		byID[n.NodeID] = n
	}
	var walk func(n *accessibility.Node)
	walk = func(n *accessibility.Node) {
		if !n.Ignored {
			found := node{role: text(n.Role), name: text(n.Name), description: text(n.Description), properties: map[string]string{}}
			for _, p := range n.Properties {
				found.properties[string(p.Name)] = text(p.Value)
			}
			nodes = append(nodes, found)
		}
		for _, id := range n.ChildIDs {
			if child := byID[id]; child != nil {
				walk(child)
			}
		}
	}
	walk(tree.Nodes[0])
	return nodes
}

// text is a value of the tree: a string, a number or a boolean.
func text(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var value any
	if err := json.Unmarshal(v.Value, &value); err != nil || value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

func (b *tab) focused() node {
	b.t.Helper()
	for _, n := range slices.Backward(b.nodes()) { // the page itself has the focus as well
		if n.properties["focused"] == "true" {
			return n
		}
	}
	b.t.Fatal("nothing has the focus")
	return node{}
}

// What a screen reader says: what the page is, what each field is for, and what has gone wrong, once, and with the field
// that is to be filled in again.
func TestTheLoginPageForAScreenReader(t *testing.T) {
	s, _ := serveUsers(t, "")
	b := newBrowser(t)
	b.open(s.url)
	b.atLogin()
	b.wellMade("Sign in")
	b.typeInto("input[name=username]", "ada")
	b.typeInto("input[name=password]", "wrong"+enter)
	b.awaitText("[role=alert]", "not right")
	b.wellMade("Sign in")
	alerts := 0
	for _, n := range b.nodes() {
		if n.role == "alert" {
			alerts++
		}
		if n.role == "textbox" && (n.properties["required"] != "true" || !strings.Contains(n.description, "not right")) {
			t.Errorf("the field %q is described by %q, and %v", n.name, n.description, n.properties)
		}
	}
	if alerts != 1 {
		t.Errorf("%d alerts, want one", alerts)
	}
	if focused := b.focused(); focused.role != "textbox" || focused.name != "Password" {
		t.Errorf("the focus is at %s %q, want the password", focused.role, focused.name)
	}
	for selector, want := range map[string]string{"input[name=username]": "username", "input[name=password]": "current-password"} {
		if got := eval[string](b, fmt.Sprintf(`document.querySelector(%q).autocomplete`, selector)); got != want {
			t.Errorf("%s: a password manager is told %q, want %q", selector, got, want)
		}
	}
	b.clean("401 (Unauthorized)")
}

func TestTheOtherPagesForAScreenReader(t *testing.T) {
	s, _ := serveUsers(t, "")
	b := newBrowser(t)
	b.signIn(s, "ada", password)
	b.wellMade("demo")
	b.newPerson().signIn(s, "ada", password) // for a second row
	for path, heading := range map[string]string{"auth/me": "Profile", "auth/password": "Password", "auth/sessions": "Sessions", "auth/tokens": "API tokens"} {
		b.open(s.url + path)
		b.wellMade(heading)
		if here := eval[string](b, `document.querySelector("nav [aria-current=page]").textContent`); here != heading {
			t.Errorf("%s: the navigation says that this is %q", path, here)
		}
	}
	b.open(s.url + "auth/sessions")
	var roles []string
	for _, n := range b.nodes() {
		roles = append(roles, n.role)
	}
	for _, role := range []string{"navigation", "main", "table", "columnheader", "rowheader"} {
		if !slices.Contains(roles, role) {
			t.Errorf("there is no %s among %v", role, roles)
		}
	}
	b.clean()
}

// wellMade fails the test unless the page has a language, a title, one main part, one first heading, which is heading, and
// a name for everything that can be used, of which no two buttons share one.
func (b *tab) wellMade(heading string) {
	b.t.Helper()
	if got := eval[string](b, `document.documentElement.lang + "|" + (document.title.trim() !== "")`); got != "en|true" {
		b.t.Errorf("language and title: %s", got)
	}
	mains, buttons := 0, map[string]bool{}
	var headings []string
	for _, n := range b.nodes() {
		switch n.role {
		case "main":
			mains++
		case "heading":
			if n.properties["level"] == "1" {
				headings = append(headings, n.name)
			}
		case "textbox", "button", "link", "combobox", "checkbox", "ColorWell", "DisclosureTriangle":
			if strings.TrimSpace(n.name) == "" {
				b.t.Errorf("a %s has no name", n.role)
			}
			if n.role == "button" && !strings.HasPrefix(n.name, "Sign out ") && buttons[n.name] { // of a row: two may be alike
				b.t.Errorf("two buttons are called %q", n.name)
			}
			buttons[n.name] = true
		}
	}
	if mains != 1 || !slices.Equal(headings, []string{heading}) {
		b.t.Errorf("%d main parts and the headings %q, want one and %q", mains, headings, heading)
	}
}
