package page_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/page"
)

// documentWith is a document with everything that one can have, each text the same.
func documentWith(text, url string) page.Document {
	act := page.Form{Action: url, Submit: text, Hidden: []page.Field{{Name: "act", Value: text}}, Danger: true}
	return page.Document{
		Title: text, User: text, Logout: url, Message: text,
		Links: []page.Link{{Text: text, URL: url}, {Text: text, URL: url, Current: true}},
		Sections: []page.Section{
			{Heading: text, Note: text, Copy: text, Form: &page.Form{
				Action: url, Submit: text, Hidden: []page.Field{{Name: "secret", Value: text, Autocomplete: "username"}},
				Fields: []page.Field{
					{Name: "name", Label: text, Value: text, Help: text, Autocomplete: text},
					{Name: "about", Label: text, Value: text, Help: text, Multiline: true, Optional: true},
					{Name: "new", Label: text, Type: "password", Autocomplete: "new-password", Value: "typed"},
					{Name: "roles", Label: text, Help: text, Choices: []page.Choice{{Value: text, Help: text, Ticked: true}, {Value: text, Text: text}}},
				},
			}},
			{Heading: text, Form: &page.Form{Action: url, Fields: []page.Field{{Name: "name", Label: text, Value: text}}}, Table: &page.Table{
				Caption: text, Columns: []string{text, text},
				Rows: []page.Row{
					{Cells: []string{text, text}, URL: url, Marked: text, Acts: []page.Form{act, act}},
					{Cells: []string{text}},
					{Cells: []string{text, text, text}, Acts: []page.Form{act}},
				},
			}},
			{Heading: text, Table: &page.Table{Columns: []string{text}, Empty: text}, Links: []page.Link{{Text: text, URL: url}}},
			{Form: &page.Form{Action: url, Get: true, Fields: []page.Field{{Name: "search", Label: text, Type: "search", Value: text, Optional: true}}}},
			{Table: &page.Table{Rows: []page.Row{{Marked: text, Acts: []page.Form{act}}}}},
		},
	}
}

func document(t *testing.T, d page.Document) []element {
	t.Helper()
	w := httptest.NewRecorder()
	page.WriteDocument(w, navigation("GET"), 200, d)
	return parse(t, w.Body.String())
}

// count counts the elements with the tag and, unless it is empty, the attribute.
func count(list []element, tag, attr, value string) (n int) {
	for _, e := range list {
		if e.tag == tag && (attr == "" || e.attr[attr] == value) {
			n++
		}
	}
	return n
}

// L-17, C-19: nobody frames a page of an account or keeps it, and what its handler and guard have set stays.
func TestDocumentIsPrivate(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	w.Header().Set("Cache-Control", "public, max-age=60") // an outer handler's: overruled
	w.Header().Set("Vary", "Cookie, Authorization")
	w.Header().Set("Set-Cookie", "a=b")
	page.WriteDocument(w, navigation("GET"), http.StatusUnprocessableEntity, documentWith("x", "/x"))
	if w.Code != http.StatusUnprocessableEntity {
		t.Errorf("got %d, want 422", w.Code)
	}
	for header, want := range map[string]string{
		"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin", "Content-Type": "text/html; charset=utf-8",
		"Vary": "Cookie, Authorization", "Set-Cookie": "a=b",
	} {
		if got := w.Header()[header]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %q, want %q", header, got, want)
		}
	}
	if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, "frame-ancestors 'none'") {
		t.Errorf("policy %q can be framed", got)
	}

	head := httptest.NewRecorder()
	page.WriteDocument(head, navigation("HEAD"), 200, documentWith("x", "/x"))
	if head.Body.Len() != 0 || head.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("HEAD: got %d bytes and %v", head.Body.Len(), head.Header())
	}
}

// L-19, U-20: a text changes nothing but the text, wherever it stands.
func TestDocumentTextNeverBecomesMarkup(t *testing.T) {
	t.Parallel()
	plain := document(t, documentWith("x", "/x"))
	texts := 0
	for _, e := range plain {
		if strings.TrimSpace(e.text) == "x" {
			texts++
		}
	}
	for _, payload := range payloads {
		t.Run(payload, func(t *testing.T) {
			t.Parallel()
			got := document(t, documentWith(payload, "/x"))
			sameMarkup(t, got, plain)
			n := 0
			for _, e := range got {
				if strings.TrimSpace(e.text) == payload {
					n++
				}
			}
			if n != texts {
				t.Errorf("a browser reads the text %d times, want %d", n, texts)
			}
			for i, e := range got {
				for attr, value := range plain[i].attr {
					if value == "x" && e.attr[attr] != payload {
						t.Errorf("<%s>: a browser reads %s=%q, want %q", e.tag, attr, e.attr[attr], payload)
					}
				}
			}
		})
	}
}

// L-19: what a browser would run is no address of a link or a form.
func TestDocumentLinksRunNothing(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"javascript:alert(1)", "JaVaScRiPt:alert(1)", "\tjavascript:alert(1)", "data:text/html,x", "vbscript:x"} {
		for _, e := range document(t, documentWith("x", url)) {
			for _, attr := range []string{"href", "action"} {
				if value, ok := e.attr[attr]; ok && value != "#main" && value != "#ZgotmplZ" {
					t.Errorf("<%s %s=%q>", e.tag, attr, value)
				}
			}
		}
	}
}

// U-20: a name with a writing direction, or with marks that change it, turns nothing around but itself.
func TestDocumentIsolatesBidirectionalText(t *testing.T) {
	t.Parallel()
	const name = "ann\u202Egpj.\u2066exe"
	w := httptest.NewRecorder()
	page.WriteDocument(w, navigation("GET"), 200, documentWith(name, "/x"))
	body := w.Body.String()
	isolated := strings.Count(body, ">"+name+"</bdi>")
	// A label, a legend, a help and a title stand for themselves, as does all that isn't text.
	alone := len(regexp.MustCompile(`<(label|legend|p class="help"|title)[^>]*>`+name).FindAllString(body, -1)) + strings.Count(body, `"`+name+`"`) + strings.Count(body, "\n"+name+"</textarea>")
	if got := strings.Count(body, name); isolated < 20 || got != isolated+alone {
		t.Errorf("the name stands %d times in the page, isolated in only %d, and alone in %d", got, isolated, alone)
	}
}

// Landmarks, headings, labels and the names of things are what somebody finds the way by who doesn't see the page.
func TestDocumentIsAccessible(t *testing.T) {
	t.Parallel()
	list := document(t, documentWith("x", "/x"))
	for tag, want := range map[string]int{"header": 1, "nav": 1, "main": 1, "h1": 1, "h2": 3, "section": 5, "table": 2, "fieldset": 1, "legend": 1, "caption": 1} {
		if got := count(list, tag, "", ""); got != want {
			t.Errorf("%d <%s>, want %d", got, tag, want)
		}
	}
	if got := count(list, "a", "aria-current", "page"); got != 1 {
		t.Errorf("%d links are the current one, want 1", got)
	}
	if got, want := count(list, "section", "aria-labelledby", ""), 2; got != want {
		t.Errorf("%d sections without a heading, want %d", got, want)
	}
	methods := map[string]int{}
	for _, e := range list {
		switch e.tag {
		case "th":
			if e.attr["scope"] != "col" && e.attr["scope"] != "row" {
				t.Errorf("a <th> without a scope: %v", e.attr)
			}
		case "form":
			methods[e.attr["method"]]++
		case "button":
			if e.attr["type"] != "submit" {
				t.Errorf("a button of type %q", e.attr["type"])
			}
		}
		if _, ok := e.attr["autofocus"]; ok && e.attr["role"] != "status" {
			t.Errorf("<%s> takes the focus, and with it a screen reader past the message", e.tag)
		}
	}
	if methods["post"] == 0 || methods["get"] != 1 || len(methods) != 2 {
		t.Errorf("forms act by %v, want one that only asks, and posts", methods)
	}
	if got := count(list, "p", "autofocus", "autofocus"); got != 1 {
		t.Errorf("%d messages have the focus, want 1", got)
	}
	act := find(t, list, "button", "id", "s2-row1-act2")
	if got, want := act.attr["aria-labelledby"], "s2-row1-act2 s2-row1"; got != want {
		t.Errorf("the button of a row is named by %q, want %q", got, want)
	}
	if got, want := find(t, list, "input", "id", "s1-form-name").attr["aria-describedby"], "s1-form-name-help"; got != want {
		t.Errorf("the field is described by %q, want %q", got, want)
	}
}

func TestDocumentMessage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		message       string
		failed        bool
		alert, status int
	}{
		{"a failure interrupts", "x", true, 1, 0},
		{"a success is told in its turn", "x", false, 0, 1},
		{"nothing happened", "", true, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			list := document(t, page.Document{Message: c.message, Failed: c.failed})
			if alert, status := count(list, "p", "role", "alert"), count(list, "p", "role", "status"); alert != c.alert || status != c.status {
				t.Errorf("got %d alerts and %d status messages, want %d and %d", alert, status, c.alert, c.status)
			}
		})
	}
}

// L-18: password managers are told which field is which, and no typed password comes back.
func TestDocumentForms(t *testing.T) {
	t.Parallel()
	const about = "\nfirst line is empty\r<&"
	w := httptest.NewRecorder()
	page.WriteDocument(w, navigation("GET"), 200, page.Document{Logout: "/auth/logout", Sections: []page.Section{{Form: &page.Form{
		Action: "/auth/users/a%2Fb", Hidden: []page.Field{{Name: "username", Value: "ann", Autocomplete: "username"}}, Fields: []page.Field{
			{Name: "current", Label: "Current password", Type: "PASSWORD", Autocomplete: "current-password", Value: "typed"},
			{Name: "new", Label: "New password", Type: "password", Autocomplete: "new-password", Help: "At least 15."},
			{Name: "about", Label: "About", Multiline: true, Type: "password", Optional: true, Value: about},
		},
	}}}})
	body := w.Body.String()
	for _, want := range []string{
		`<form method="post" action="/auth/logout"><button`, `<form method="post" action="/auth/users/a%2Fb">`,
		`<input type="hidden" name="username" value="ann" autocomplete="username">`,
		`name="current" type="PASSWORD" autocomplete="current-password" required>`,
		`name="new" type="password" autocomplete="new-password" aria-describedby="s1-form-new-help" required>`,
		`<p class="help" id="s1-form-new-help">At least 15.</p>`,
		"<textarea id=\"s1-form-about\" name=\"about\" rows=\"4\">\n\nfirst line is empty\r&lt;&amp;</textarea>", // a browser drops the first \n
		`<button type="submit" id="s1-form"><bdi>Save</bdi></button>`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, never := range []string{"<script", "maxlength", "onpaste", "typed", "http://", "https://"} {
		if strings.Contains(body, never) {
			t.Errorf("the page has %q", never)
		}
	}
}

// Each box is labelled by its text, the group by its legend, and what was ticked is.
func TestDocumentChoices(t *testing.T) {
	t.Parallel()
	list := document(t, page.Document{Sections: []page.Section{{Form: &page.Form{Fields: []page.Field{
		{Name: "roles", Label: "Roles", Help: "Any number.", Choices: []page.Choice{{Value: "a,b", Ticked: true}, {Value: "c", Text: "Sea", Help: "blue"}}},
	}}}}})
	first, second := find(t, list, "input", "id", "s1-form-roles-1"), find(t, list, "input", "id", "s1-form-roles-2")
	if _, ticked := first.attr["checked"]; !ticked || first.attr["name"] != "roles" || first.attr["value"] != "a,b" || first.attr["type"] != "checkbox" {
		t.Errorf("got %v", first.attr)
	}
	if _, ticked := second.attr["checked"]; ticked || second.attr["value"] != "c" {
		t.Errorf("got %v", second.attr)
	}
	for _, e := range []element{first, second} {
		if _, required := e.attr["required"]; required {
			t.Errorf("a box that has to be ticked: %v", e.attr)
		}
		find(t, list, "label", "for", e.attr["id"])
	}
	find(t, list, "fieldset", "aria-describedby", "s1-form-roles-help")
	find(t, list, "p", "id", "s1-form-roles-help")
}

// A row tells nothing under a wrong column, whatever its length.
func TestDocumentTable(t *testing.T) {
	t.Parallel()
	list := document(t, page.Document{Sections: []page.Section{
		{Table: &page.Table{Columns: []string{"Who", "When"}, Rows: []page.Row{{Cells: []string{"ann"}}, {Cells: []string{"bob", "now", "more"}}}}},
		{Table: &page.Table{Columns: []string{"Who"}}},
	}})
	var got []string
	for _, e := range list {
		if e.tag == "td" {
			got = append(got, e.attr["data-column"])
		}
	}
	if want := []string{"When", "When", ""}; !slices.Equal(got, want) {
		t.Errorf("cells of the columns %q, want %q", got, want)
	}
	if got := count(list, "table", "", ""); got != 1 {
		t.Errorf("%d tables, want 1: the other has no rows", got)
	}
	if !slices.ContainsFunc(list, func(e element) bool { return strings.TrimSpace(e.text) == "Nothing here." }) {
		t.Error("the table without rows says nothing")
	}
	if got := count(list, "header", "", "") + count(list, "td", "class", "acts"); got != 0 {
		t.Errorf("%d elements for what isn't there", got)
	}
}

// The first visit: nothing is filled in, nothing went wrong.
func TestLoginStartsAtTheUsername(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	page.WriteLogin(w, navigation("GET"), 200, page.Login{Fields: []page.Field{
		{Name: "username", Label: "Username", Autocomplete: "username"}, {Name: "password", Label: "Password", Type: "password", Autocomplete: "new-password", Help: "At least 15."},
	}})
	list := parse(t, w.Body.String())
	if _, ok := find(t, list, "input", "name", "username").attr["autofocus"]; !ok || strings.Count(w.Body.String(), " autofocus") != 1 {
		t.Error("want the focus on the username alone")
	}
	if got, want := find(t, list, "input", "name", "password").attr["aria-describedby"], "field-password-help"; got != want {
		t.Errorf("the password is described by %q, want %q", got, want)
	}
	if got := count(list, "p", "role", "alert"); got != 0 {
		t.Errorf("%d alerts, want none", got)
	}
}
