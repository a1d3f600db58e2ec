package returnpath_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/ostiary/auth/internal/returnpath"
)

// What leads to another site is an absolute address, whole and byte for byte; anything else leads nowhere.
func TestLeave(t *testing.T) {
	t.Parallel()
	const there = "https://id.example/authorize?state=a%2Fb&x=%C3%BC"
	for name, c := range map[string]struct{ target, want string }{
		"https":                      {there, there},
		"http, on loopback":          {"http://127.0.0.1:9000/a", "http://127.0.0.1:9000/a"},
		"a path":                     {"/login", "/"},
		"a host without a scheme":    {"//evil.example/", "/"},
		"a script":                   {"javascript:alert(1)", "/"},
		"no host":                    {"https:///a", "/"},
		"a user before the host":     {"https://id.example@evil.example/", "/"},
		"a line break, for a header": {"https://id.example/\r\nSet-Cookie: a=b", "/"},
		"nothing":                    {"", "/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			returnpath.Leave(w, c.target)
			if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != c.want {
				t.Errorf("Leave: got %d to %q, want 303 to %q", w.Code, got, c.want)
			}
			w = httptest.NewRecorder()
			got := returnpath.LeaveByPage(w, c.target)
			if refresh := w.Header().Get("Refresh"); got != c.want || refresh != "0; url="+c.want || w.Header().Get("Location") != "" {
				t.Errorf("LeaveByPage: got %q and %q, want %q", got, refresh, c.want)
			}
		})
	}
}
