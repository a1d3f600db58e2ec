package strictjson_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ostiary/auth/internal/strictjson"
)

func TestReadSaysWhichStatusToAnswerWith(t *testing.T) {
	t.Parallel()
	const typeError = "the content type must be application/json in UTF-8"
	for name, c := range map[string]struct {
		body   string
		header http.Header
		types  []string
		status int
		want   string
	}{
		"JSON":                      {`{"username":"ann"}`, http.Header{"Content-Type": {"application/json"}}, nil, 0, ""},
		"JSON in UTF-8":             {`{"username":"ann"}`, http.Header{"Content-Type": {"Application/JSON; Charset=\"UTF-8\""}}, nil, 0, ""},
		"an identity encoding":      {`{"username":"ann"}`, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"Identity"}}, nil, 0, ""},
		"a type that is offered":    {`{"username":"ann"}`, http.Header{"Content-Type": {"text/plain;charset=UTF-8"}}, []string{"application/json", "text/plain"}, 0, ""},
		"exactly as long as may be": {`{"username":"ann"}` + strings.Repeat(" ", 82), http.Header{"Content-Type": {"application/json"}}, nil, 0, ""},

		"no content type":      {`{}`, nil, nil, 415, typeError},
		"an empty one":         {`{}`, http.Header{"Content-Type": {""}}, nil, 415, typeError},
		"two":                  {`{}`, http.Header{"Content-Type": {"application/json", "text/plain"}}, nil, 415, typeError},
		"two in one":           {`{}`, http.Header{"Content-Type": {"application/json, text/plain"}}, nil, 415, typeError},
		"a foreign form's":     {`{}`, http.Header{"Content-Type": {"text/plain"}}, nil, 415, typeError},
		"a form":               {`a=b`, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, nil, 415, typeError},
		"JSON as a parameter":  {`{}`, http.Header{"Content-Type": {"text/plain; x=application/json"}}, nil, 415, typeError},
		"a suffix of JSON":     {`{}`, http.Header{"Content-Type": {"application/json+x"}}, nil, 415, typeError},
		"a type not offered":   {`{}`, http.Header{"Content-Type": {"text/html"}}, []string{"application/json", "text/plain"}, 415, "the content type must be application/json or text/plain in UTF-8"},
		"F-05 Latin 1":         {`{}`, http.Header{"Content-Type": {"application/json; charset=latin1"}}, nil, 415, typeError},
		"F-05 UTF-16":          {`{}`, http.Header{"Content-Type": {"application/json; charset=utf-16le"}}, nil, 415, typeError},
		"F-05 an empty one":    {`{}`, http.Header{"Content-Type": {"application/json; charset=\"\""}}, nil, 415, typeError},
		"F-05 two charsets":    {`{}`, http.Header{"Content-Type": {"application/json; charset=utf-8; charset=utf-7"}}, nil, 415, typeError},
		"F-05 a broken one":    {`{}`, http.Header{"Content-Type": {"application/json; charset"}}, nil, 415, typeError},
		"a compressed body":    {`{}`, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, nil, 415, "a content encoding is not supported"},
		"one of two encodings": {`{}`, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"identity", "br"}}, nil, 415, "a content encoding is not supported"},

		"X-04 5 MiB":           {`{"username":"` + strings.Repeat("x", 5<<20) + `"}`, http.Header{"Content-Type": {"application/json"}}, nil, 413, "the body is too large"},
		"one byte too long":    {`{}` + strings.Repeat(" ", 99), http.Header{"Content-Type": {"application/json"}}, nil, 413, "the body is too large"},
		"an empty body":        {``, http.Header{"Content-Type": {"application/json"}}, nil, 400, "the JSON ends too early"},
		"RS-15 unknown fields": {`{"username":"x","roles":[],"is_admin":1}`, http.Header{"Content-Type": {"application/json"}}, nil, 400, `field "is_admin": unknown`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
			r.Header = c.header
			var dst request
			status, err := strictjson.Read(httptest.NewRecorder(), r, 100, &dst, c.types...)
			if status != c.status {
				t.Errorf("got status %d, want %d", status, c.status)
			}
			if c.want == "" {
				if err != nil || dst.Username != "ann" {
					t.Errorf("got %q, %v, want ann", dst.Username, err)
				}
				return
			}
			var bad *strictjson.Error
			if !errors.As(err, &bad) || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if dst.Username != "" || dst.Roles != nil {
				t.Errorf("the destination is now %+v, want it unchanged", dst)
			}
		})
	}
}

func TestReadOfABodyThatBreaks(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader(`{}`), iotest.ErrReader(errors.New("10.0.0.1: reset"))))
	r.Header.Set("Content-Type", "application/json")
	status, err := strictjson.Read(httptest.NewRecorder(), r, 100, new(request))
	if status != 400 || err == nil || err.Error() != "the body can't be read" {
		t.Errorf("got %d, %v, want 400 and nothing of the network", status, err)
	}
}

func TestReadOfARequestWithoutABody(t *testing.T) {
	t.Parallel()
	r := &http.Request{Header: http.Header{"Content-Type": {"application/json"}}}
	if status, err := strictjson.Read(httptest.NewRecorder(), r, 100, new(request)); status != 400 || err == nil {
		t.Errorf("got %d, %v, want 400", status, err)
	}
}

func TestReadIntoSomethingUnsupported(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/", strings.NewReader(`{}`))
	r.Header.Set("Content-Type", "application/json")
	if status, err := strictjson.Read(httptest.NewRecorder(), r, 100, new(string)); status != 500 || err == nil {
		t.Errorf("got %d, %v, want 500", status, err)
	}
}

// X-04 over a real connection: the client learns that its body is too large, and the rest is not read.
func TestATooLargeBodyClosesTheConnection(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := strictjson.Read(w, r, 1<<10, new(request))
		http.Error(w, err.Error(), status)
	}))
	defer server.Close()
	response, err := server.Client().Post(server.URL, "application/json", strings.NewReader(`{"username":"`+strings.Repeat("x", 64<<10)+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != 413 || !response.Close {
		t.Errorf("got status %d, closed: %t, want 413 and closed", response.StatusCode, response.Close)
	}
}
