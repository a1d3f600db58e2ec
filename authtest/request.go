package authtest

import (
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

func testRequest(s *stand) {
	for _, c := range s.everything() {
		changed := make(chan string, 1)
		r := s.request(http.MethodPost, c)
		// A form, which r.FormValue would read, that asks to be somebody.
		form := "token=authtest&username=authtest&password=authtest"
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(form)), int64(len(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		s.onArrival(r, func(r *http.Request) {
			body := &watchedBody{ReadCloser: r.Body}
			r.Body = body
			before := r.Clone(r.Context())
			_, _ = s.Backend.Identify(r)
			changed <- whatChanged(before, r, body)
		})
		if what := <-changed; what != "" {
			s.fail("Identify %s", what)
		}
	}
}

// A watchedBody notices being touched.
type watchedBody struct {
	io.ReadCloser
	touched bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.touched = true
	return b.ReadCloser.Read(p)
}

func (b *watchedBody) Close() error {
	b.touched = true
	return b.ReadCloser.Close()
}

func whatChanged(before, after *http.Request, body *watchedBody) string {
	same := before.Method == after.Method && before.Host == after.Host && before.RemoteAddr == after.RemoteAddr &&
		before.RequestURI == after.RequestURI && before.ContentLength == after.ContentLength && before.Pattern == after.Pattern
	switch {
	case body.touched:
		return "reads or closes the body"
	case after.Body != io.ReadCloser(body):
		return "replaces the body"
	case after.Form != nil || after.PostForm != nil || after.MultipartForm != nil:
		return "parses the form into the request"
	case !reflect.DeepEqual(before.Header, after.Header):
		return "changes the headers"
	case *before.URL != *after.URL:
		return "changes the URL"
	case !same:
		return "changes the request"
	}
	return ""
}

// A place is where on a request a credential stands.
type place struct {
	header string // empty: the query
	value  string
}

// places finds out where c stands, by what differs from a request without it.
func (s *stand) places(c Credential) (list []place) {
	with, without := s.request(http.MethodGet, c), s.request(http.MethodGet, Credential{})
	with.Header.Del(receiveHeader)
	for name, values := range with.Header {
		if !slices.Equal(values, without.Header[name]) && len(values) == 1 {
			list = append(list, place{name, values[0]})
		}
	}
	if with.URL.RawQuery != without.URL.RawQuery {
		list = append(list, place{"", with.URL.RawQuery})
	}
	return list
}

// put replaces what stands at p by values, in a copy of the request.
func (p place) put(values ...string) func(*http.Request) *http.Request {
	return func(r *http.Request) *http.Request {
		r = r.Clone(r.Context())
		if p.header == "" {
			r.URL.RawQuery = strings.Join(values, "&")
		} else {
			r.Header[p.header] = values
		}
		return r
	}
}

func testMalformed(s *stand) {
	places := s.places(s.Good)
	s.need(len(places) > 0, "credential in a header or the query")
	for _, p := range places {
		for _, value := range []string{
			"", " ", p.value[:len(p.value)/2], p.value + "x", p.value + "=", "x" + p.value, strings.ToUpper(p.value),
			p.value + "\x00", "\xff\xfe", "%zz", "Bearer", "Basic !", "=;=", strings.Repeat(p.value+"; ", 100),
		} {
			if o := s.identify(s.Good, p.put(value)); o.err != nil && !o.refused() {
				s.fail("%.80q in place of the credential: got %s, want a refusal", value, o)
			}
		}
	}
}

func testTwice(s *stand) {
	places := s.places(s.Good)
	s.need(len(places) > 0, "credential in a header or the query")
	for _, p := range places {
		for _, values := range [][]string{{p.value, p.value + "x"}, {p.value + "x", p.value}} {
			if o := s.identify(s.Good, p.put(values...)); !o.refused() {
				s.fail("given twice in %q: got %s, want a refusal", p.header, o)
			}
		}
	}
}
