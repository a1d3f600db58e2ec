package certified

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Answers are what somebody fills in on the provider's pages: the first form of a page that has a field or a button of
// one of these names is sent, with them.
type Answers map[string]string

// SignIn are the answers of somebody who logs in as name, and allows what an application asks for.
func SignIn(name string) Answers {
	return Answers{"username": name, "password": Password(name), "consent": "yes"}
}

// SignOut are the answers of somebody who wants to.
func SignOut() Answers { return Answers{"logout": "yes"} }

// transport is the tests' own: a server of httptest that closes also closes the idle connections of the default one, on which
// another test may be waiting for its answer.
var transport = &http.Transport{}

// NewBrowser gives a client that keeps cookies and follows no redirects.
func NewBrowser() *http.Client {
	jar, _ := cookiejar.New(nil) // never fails
	return &http.Client{
		Transport:     transport,
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Walk opens one of the provider's addresses in the browser, follows its redirects, and answers its pages, up to the
// redirect that leads away from it: whose address is given, and not opened. A page that none of the answers fits is the
// end of the test.
func (p *Provider) Walk(t testing.TB, browser *http.Client, address string, answers Answers) *url.URL {
	t.Helper()
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	var form url.Values // of the page before
	for range 20 {
		if !strings.HasPrefix(at.String(), p.Issuer+"/") {
			return at
		}
		to, page := open(t, browser, at, form)
		form = nil
		if to == "" {
			var found bool
			if to, form, found = fill(page, answers); !found {
				t.Fatalf("the provider's page %s has no form for this:\n%s\nits log:\n%s", at, page, p.log)
			}
		}
		if at, err = at.Parse(to); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("the provider leads nowhere; its log:\n%s", p.log)
	return nil
}

// open gets a page, or sends it a form, and gives where that leads to, or the page that it shows.
func open(t testing.TB, browser *http.Client, at *url.URL, form url.Values) (location, page string) {
	t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(t.Context(), method, at.String(), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := browser.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	return response.Header.Get("Location"), string(body)
}

var (
	forms     = regexp.MustCompile(`(?s)<form([^>]*)>(.*?)</form>`)
	fields    = regexp.MustCompile(`<(input|button)([^>]*)>`)
	attribute = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

// fill gives where the form goes that has a place for an answer, and what it sends: the answers, and what its other fields
// hold. It reads the pages of this provider, not any HTML.
func fill(page string, answers Answers) (action string, values url.Values, found bool) {
	// A button outside of its form names it; there is only one form then.
	outside := fields.FindAllStringSubmatch(forms.ReplaceAllString(page, ""), -1)
	for _, form := range forms.FindAllStringSubmatch(page, -1) {
		values, found = url.Values{}, false
		for _, field := range append(fields.FindAllStringSubmatch(form[2], -1), outside...) {
			has := attributes(field[2])
			if answer, ok := answers[has["name"]]; ok {
				values.Set(has["name"], answer)
				found = true
			} else if field[1] == "input" { // a button that isn't pressed sends nothing
				values.Set(has["name"], has["value"])
			}
		}
		if found {
			return attributes(form[1])["action"], values, true
		}
	}
	return "", nil, false
}

// attributes are those of a tag.
func attributes(tag string) map[string]string {
	has := map[string]string{}
	for _, a := range attribute.FindAllStringSubmatch(tag, -1) {
		has[a[1]] = html.UnescapeString(a[2])
	}
	return has
}
