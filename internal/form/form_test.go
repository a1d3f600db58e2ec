package form_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ostiary/auth/internal/form"
)

const (
	plain = "application/x-www-form-urlencoded"
	limit = 64
)

func post(contentType, body string) *http.Request {
	r := httptest.NewRequest("POST", "/login?username=query&password=query", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

func TestReadTakesTheFieldsOfTheBody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, contentType, body string
		want                    map[string]string
	}{
		{"both fields", plain, "username=ann&password=a+b%26c", map[string]string{"username": "ann", "password": "a b&c"}},
		{"the charset may be named", plain + "; charset=UTF-8", "username=ann", map[string]string{"username": "ann"}},
		{"an empty value is one", plain, "username=&password=", map[string]string{"username": "", "password": ""}},
		{"L-21: the query is no form", plain, "", map[string]string{}},
		{"other fields are without effect, even twice", plain, "username=ann&x=1&x=2&%ff=1", map[string]string{"username": "ann"}},
		{"names are exact", plain, "Username=ann&username+=ann", map[string]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, status, err := form.Read(httptest.NewRecorder(), post(c.contentType, c.body), limit, "username", "password")
			if err != nil || status != 0 {
				t.Fatalf("got %d, %v", status, err)
			}
			if len(got) != len(c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			for name, want := range c.want {
				if value, ok := got[name]; !ok || value != want {
					t.Errorf("%s: got %q, %t, want %q", name, value, ok, want)
				}
			}
		})
	}
}

func TestReadRefusesWhatTwoReadersCouldUnderstandDifferently(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, contentType, body string
		want                    int
	}{
		{"L-22: a field twice", plain, "username=a&username=b", 400},
		{"F-05: not UTF-8", plain, "username=%ff", 400},
		{"F-05: another charset", plain + "; charset=latin1", "username=a", 400},
		{"L-20: another charset", plain + "; charset=utf-16", "username=a", 400},
		{"a broken escape", plain, "username=%zz", 400},
		{"a semicolon", plain, "username=a;password=b", 400},
		{"F-01: too large", plain, "username=" + strings.Repeat("a", limit), 413},
		{"L-10: JSON", "application/json", `{"username":"a"}`, 415},
		{"L-20: multipart", "multipart/form-data; boundary=x", "--x--", 415},
		{"L-20: no content type", "", "username=a", 415},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, status, err := form.Read(httptest.NewRecorder(), post(c.contentType, c.body), limit, "username", "password")
			if status != c.want || err == nil || got != nil {
				t.Fatalf("got %q, %d, %v, want %d", got, status, err, c.want)
			}
			if strings.Contains(err.Error(), "aaaa") {
				t.Errorf("the error repeats the value: %v", err)
			}
		})
	}
	t.Run("F-04: a content encoding", func(t *testing.T) {
		t.Parallel()
		r := post(plain, "username=a")
		r.Header.Set("Content-Encoding", "gzip")
		if _, status, err := form.Read(httptest.NewRecorder(), r, limit, "username"); status != 415 || err == nil {
			t.Errorf("got %d, %v, want 415", status, err)
		}
	})
	t.Run("two content types", func(t *testing.T) {
		t.Parallel()
		r := post(plain, "username=a")
		r.Header.Add("Content-Type", plain)
		if _, status, _ := form.Read(httptest.NewRecorder(), r, limit, "username"); form.Is(r) || status != 415 {
			t.Errorf("got %d, want 415", status)
		}
	})
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{"username=ann&password=x", "a=%ff", "username=a&username=b", ";", "username=%00", "&&&=&"} {
		f.Add(plain, seed)
	}
	f.Add("application/json", "{}")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		fields, status, err := form.Read(httptest.NewRecorder(), post(contentType, body), 1<<10, "username", "password")
		if (err == nil) != (status == 0) || err != nil && fields != nil {
			t.Fatalf("got %q, %d, %v", fields, status, err)
		}
		for name, value := range fields {
			if name != "username" && name != "password" || !utf8.ValidString(value) {
				t.Errorf("got %q = %q", name, value)
			}
		}
	})
}
