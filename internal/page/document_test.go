package page_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/page"
)

// element is a start tag with its attributes decoded, and the text directly after it.
type element struct {
	tag, text string
	attr      map[string]string
}

// parse reads a page as a browser would, and fails where the markup isn't well-formed.
func parse(t *testing.T, body string) (list []element) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(body))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatalf("parsing the page: %v\n%s", err, body)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{tag: token.Name.Local, attr: map[string]string{}}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			list = append(list, e)
		case xml.CharData:
			if n := len(list); n > 0 {
				list[n-1].text += string(token)
			}
		}
	}
}

func find(t *testing.T, list []element, tag, attr, value string) element {
	t.Helper()
	i := slices.IndexFunc(list, func(e element) bool { return e.tag == tag && e.attr[attr] == value })
	if i < 0 {
		t.Fatalf("no <%s %s=%q> in the page", tag, attr, value)
	}
	return list[i]
}

func loginWith(text, url string) page.Login {
	return page.Login{
		Title: text, Action: "/auth/login", Next: text, Message: text, Note: text, Submit: text,
		Fields: []page.Field{{Name: "username", Label: text, Value: text, Autocomplete: text, Optional: true}, passwordField},
		Links:  []page.Link{{Text: text, URL: url}},
	}
}

func everyPage(t *testing.T) map[string]*httptest.ResponseRecorder {
	t.Helper()
	login, disabled, problem := httptest.NewRecorder(), httptest.NewRecorder(), httptest.NewRecorder()
	full, empty, away, refused := httptest.NewRecorder(), httptest.NewRecorder(), httptest.NewRecorder(), httptest.NewRecorder()
	page.WriteDocument(full, navigation("GET"), 200, documentWith("x", "/x"))
	page.WriteDocument(empty, navigation("GET"), 200, page.Document{Sections: []page.Section{{}, {Table: &page.Table{}, Form: &page.Form{}}}})
	page.WriteLogin(login, navigation("GET"), 200, loginWith("x", "/x"))
	page.WriteLogin(disabled, navigation("GET"), 200, page.Login{Disabled: true, Note: "x"})
	page.WriteProblem(problem, navigation("GET"), page.Problem{Status: 403, LoginURL: "/auth/login?next=%2F"})
	page.WriteDocument(away, navigation("GET"), 200, page.Document{User: "x", Logout: "/sso/logout", Away: true})
	page.WriteProblem(refused, navigation("GET"), page.Problem{Status: 403, LogoutURL: "/auth/logout", User: "x"})
	return map[string]*httptest.ResponseRecorder{
		"document that leads away": away, "problem that leads away": refused,
		"login": login, "disabled login": disabled, "problem": problem, "document": full, "empty document": empty,
	}
}

// ASVS 3.4.3: a browser that applies the policy still shows the page as it is meant, and has nothing else to load.
func TestPolicyFitsThePage(t *testing.T) {
	t.Parallel()
	for name, w := range everyPage(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			styles := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(w.Body.String(), -1)
			if len(styles) != 1 {
				t.Fatalf("%d style elements, want 1", len(styles))
			}
			// A browser turns CR LF into LF before it hashes.
			if strings.Contains(styles[0][1], "\r") {
				t.Error("the stylesheet has carriage returns, so no browser computes its hash")
			}
			sum := sha256.Sum256([]byte(styles[0][1]))
			forms := "form-action 'self'; "
			if strings.HasSuffix(name, "leads away") {
				forms = ""
			}
			want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
				"'; " + forms + "base-uri 'none'; frame-ancestors 'none'"
			if got := w.Header().Get("Content-Security-Policy"); got != want {
				t.Errorf("policy %q\nwant   %q", got, want)
			}
			if strings.Contains(styles[0][1], "url(") || strings.Contains(styles[0][1], "@import") {
				t.Error("the stylesheet loads something")
			}
			for _, e := range parse(t, w.Body.String()) {
				if slices.Contains([]string{"script", "link", "img", "iframe", "object", "embed", "base"}, e.tag) {
					t.Errorf("the page has <%s>", e.tag)
				}
				for attr := range e.attr {
					if attr == "style" || attr == "src" || strings.HasPrefix(attr, "on") {
						t.Errorf("<%s> has %s=, which the policy blocks", e.tag, attr)
					}
				}
			}
		})
	}
}

// With no-referrer alone, browsers post the form with "Origin: null", and over plain http without Sec-Fetch-Site; the
// origin rule then refuses everybody's login. Only a page with a form may name its origin, and only to itself.
func TestOnlyPagesWithFormsNameTheirOwnOrigin(t *testing.T) {
	t.Parallel()
	for name, w := range everyPage(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, want := w.Header().Get("Referrer-Policy"), "no-referrer"; got != want {
				t.Errorf("Referrer-Policy: got %q, want %q", got, want)
			}
			var got []string
			for _, e := range parse(t, w.Body.String()) {
				if e.tag == "meta" && e.attr["name"] == "referrer" {
					got = append(got, e.attr["content"])
				}
			}
			var want []string
			if name != "problem" {
				want = []string{"same-origin"}
			}
			if !slices.Equal(got, want) {
				t.Errorf("meta referrer: got %q, want %q", got, want)
			}
		})
	}
}

// Every input that is shown has a label, what refers to another element finds it, and the page has a language, a width
// and one heading.
func TestPagesAreAccessible(t *testing.T) {
	t.Parallel()
	for name, w := range everyPage(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list := parse(t, w.Body.String())
			find(t, list, "html", "lang", "en")
			if got, want := find(t, list, "meta", "name", "viewport").attr["content"], "width=device-width, initial-scale=1"; got != want {
				t.Errorf("viewport %q, want %q, which lets people zoom", got, want)
			}
			headings, ids := 0, map[string]bool{}
			for _, e := range list {
				if id, ok := e.attr["id"]; ok {
					if id == "" || ids[id] {
						t.Errorf("the id %q of <%s> is empty or there twice", id, e.tag)
					}
					ids[id] = true
				}
				switch {
				case e.tag == "h1":
					headings++
				case e.tag == "input" && e.attr["type"] != "hidden", e.tag == "textarea":
					find(t, list, "label", "for", e.attr["id"])
				}
			}
			for _, e := range list {
				for _, id := range strings.Fields(e.attr["aria-labelledby"] + " " + e.attr["aria-describedby"]) {
					if !ids[id] {
						t.Errorf("<%s %v> names the id %q, which isn't there", e.tag, e.attr, id)
					}
				}
			}
			if headings != 1 {
				t.Errorf("%d headings, want 1", headings)
			}
		})
	}
}

// payloads try to leave each of the contexts that a text stands in.
var payloads = []string{
	`"><svg onload=alert(1)>`, `{{7*7}}`, `</title>`, `</style><style>*{}`, `<b>`, `/base/x"><script>`, `' onfocus='alert(1)`,
	"` autofocus onfocus=alert(1)", `&quot;&#34;&amp;`, `<!--`, `]]>`, `a&b=c+d%22%2F`, `x/onload=1`, `</textarea><script>`, `</bdi></td>`,
}

func sameMarkup(t *testing.T, got, want []element) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d elements, want %d", len(got), len(want))
	}
	for i, e := range got {
		if e.tag != want[i].tag || len(e.attr) != len(want[i].attr) {
			t.Errorf("<%s %v>, want <%s %v>", e.tag, e.attr, want[i].tag, want[i].attr)
		}
	}
}

// L-19, R-25: a text changes nothing but the text. The elements and attributes stay the same, and what a browser shows
// and sends back is the text byte for byte.
func TestTextNeverBecomesMarkup(t *testing.T) {
	t.Parallel()
	render := func(t *testing.T, text, url string) []element {
		w := httptest.NewRecorder()
		page.WriteLogin(w, navigation("GET"), 200, loginWith(text, url))
		return parse(t, w.Body.String())
	}
	plain := render(t, "x", "/x")

	for _, payload := range payloads {
		t.Run(payload, func(t *testing.T) {
			t.Parallel()
			got := render(t, payload, "/x")
			sameMarkup(t, got, plain)
			for _, value := range []string{
				find(t, got, "input", "name", "next").attr["value"],
				find(t, got, "input", "name", "username").attr["value"],
				find(t, got, "input", "name", "username").attr["autocomplete"],
				find(t, got, "p", "role", "alert").text,
				find(t, got, "p", "class", "note").text,
				got[slices.IndexFunc(got, func(e element) bool { return e.tag == "title" })].text,
				got[slices.IndexFunc(got, func(e element) bool { return e.tag == "h1" })].text,
			} {
				if strings.TrimSpace(value) != payload {
					t.Errorf("a browser reads %q, want %q", value, payload)
				}
			}
		})
	}
}

// what is said by default names nothing that whoever is refused may be probing for.
func TestDefaultTextsNameNothing(t *testing.T) {
	t.Parallel()
	secret := regexp.MustCompile(`(?i)permission|role|token|cookie|session|database|sql|password|backend|provider|user|origin|host`)
	for _, status := range []int{400, 401, 403, 404, 405, 409, 413, 415, 426, 429, 500, 501, 503} {
		w := httptest.NewRecorder()
		page.WriteProblem(w, httptest.NewRequest(http.MethodPut, "/", nil), page.Problem{Status: status})
		if hit := secret.FindString(w.Body.String()); hit != "" {
			t.Errorf("%d: %s names %q", status, w.Body, hit)
		}
		if strings.Contains(w.Body.String(), `"error":"`+http.StatusText(status)) {
			t.Errorf("%d has no sentence of its own: %s", status, w.Body)
		}
	}
}

// A refused caller costs nothing before its answer.
func TestNegotiationAllocatesNothing(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept", "application/xhtml+xml, image/webp;q=0.8, text/html;q=0.5")
	if got := testing.AllocsPerRun(100, func() {
		if !page.Navigation(r) || !page.WantsHTML(r) {
			t.Error("want a navigation")
		}
	}); got != 0 {
		t.Errorf("%v allocations, want 0", got)
	}
}

func TestStylesheetServesEverybody(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"prefers-color-scheme: dark", "forced-colors: active", ":focus-visible", "color-scheme: light dark"} {
		if !strings.Contains(string(css), want) {
			t.Errorf("the stylesheet lacks %q", want)
		}
	}
	if strings.Contains(string(css), "outline: none") || strings.Contains(string(css), "outline: 0") {
		t.Error("the stylesheet hides the focus")
	}
}
