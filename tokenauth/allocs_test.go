//go:build !race

package tokenauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
)

// allocsWriter takes an answer without allocating.
type allocsWriter struct{ header http.Header }

func (w *allocsWriter) Header() http.Header         { return w.header }
func (w *allocsWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *allocsWriter) WriteHeader(int)             {}

// The guard costs one allocation over the bare handler for a token in the header, and a wrong token none before the answer.
func TestAllocsOfTokensInTheHeader(t *testing.T) {
	ahead := time.Now()
	a, err := tokenauth.New(t.Context(), tokenauth.Config{
		Token:  labToken,
		Tokens: []tokenauth.Token{{Name: "reader", Token: labReader, Permissions: auth.Permissions{"contents": {"read", "write"}}}},
		// So far ahead each time that nobody is ever limited: a limited answer says how long.
		Auth: auth.Config{Now: func() time.Time { ahead = ahead.Add(2 * time.Hour); return ahead }},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	reached := 0
	bare := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ })
	guarded := a.CurrentUser(auth.Permissions{"contents": {"read", "write"}})(bare)
	w := &allocsWriter{http.Header{}}
	count := func(h http.Handler, r *http.Request) float64 {
		return testing.AllocsPerRun(1000, func() {
			clear(w.header)
			h.ServeHTTP(w, r)
		})
	}
	for name, token := range map[string]string{"shared": labToken, "named": labReader} {
		r := httptest.NewRequest(http.MethodGet, "/contents/demo", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		reached = 0
		if got, want := count(guarded, r), count(bare, r)+1; got != want {
			t.Errorf("%s: got %v allocations, want %v", name, got, want)
		}
		if reached != 2*1001 {
			t.Errorf("%s: the handler was reached %d times, want %d", name, reached, 2*1001)
		}
	}
	for name, value := range map[string]string{"wrong": "Bearer WRONG", "nearly right": "Bearer " + labToken[:47] + "x", "another scheme": "Basic eDp5", "empty": "Bearer", "none": ""} {
		r := httptest.NewRequest(http.MethodGet, "/contents/demo", nil)
		if value != "" {
			r.Header.Set("Authorization", value)
		}
		if got := testing.AllocsPerRun(1000, func() { _, err = a.Identify(r) }); got != 0 || err == nil {
			t.Errorf("%s: got %v allocations and %v, want none and an error", name, got, err)
		}
	}
	link := httptest.NewRequest(http.MethodGet, "/contents/demo?a=b&token=WRONG", nil)
	if got := testing.AllocsPerRun(1000, func() { _, err = a.Identify(link) }); got != 0 || err == nil {
		t.Errorf("a wrong link: got %v allocations and %v, want none and an error", got, err)
	}
}

// T-11: how long a wrong token takes to refuse mustn't tell how near it came. Read the figures side by side; a test of them
// would depend on the weather.
func BenchmarkWrongToken(b *testing.B) {
	for name, token := range map[string]string{
		"first byte wrong": "x" + labToken[1:], "last byte wrong": labToken[:47] + "x", "nothing right": fmt.Sprintf("%048d", 0), "expired": labReader, "half as long": labToken[:24],
	} {
		b.Run(name, func(b *testing.B) {
			ahead := time.Now()
			a, err := tokenauth.New(b.Context(), tokenauth.Config{
				Token:  labToken,
				Tokens: []tokenauth.Token{{Name: "expired", Token: labReader, Expires: ahead}},
				Auth:   auth.Config{Now: func() time.Time { ahead = ahead.Add(2 * time.Hour); return ahead }},
			})
			if err != nil {
				b.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Identify(r); err == nil {
					b.Fatal("admitted")
				}
			}
		})
	}
}

// What the guard adds to a request, by what proves it.
func BenchmarkGuard(b *testing.B) {
	a, err := tokenauth.New(b.Context(), tokenauth.Config{Token: labToken})
	if err != nil {
		b.Fatal(err)
	}
	login := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/?token="+labToken, nil)
	r.Host = "127.0.0.1:8888"
	r.Header.Set("Accept", "text/html")
	guarded := a.CurrentUser(auth.Permissions{"contents": {"read", "write"}})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	guarded.ServeHTTP(login, r)
	cookie := login.Result().Cookies()[0]
	for name, header := range map[string]http.Header{
		"header": {"Authorization": {"Bearer " + labToken}}, "cookie": {"Cookie": {cookie.Name + "=" + cookie.Value}},
		"both": {"Authorization": {"Bearer " + labToken}, "Cookie": {cookie.Name + "=" + cookie.Value}},
	} {
		b.Run(name, func(b *testing.B) {
			w := &allocsWriter{http.Header{}}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Host, r.Header = "127.0.0.1:8888", header
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				guarded.ServeHTTP(w, r)
			}
		})
	}
}
