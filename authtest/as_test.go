package authtest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/authtest"
)

// newNotes is an application: it takes whatever Auth it is given.
func newNotes(a auth.Auth) http.Handler {
	r := chi.NewRouter()
	r.Get("/healthz", func(http.ResponseWriter, *http.Request) {})
	r.Handle("/api/me", auth.Me(a))
	r.With(a.CurrentUser(nil)).Get("/", func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom(r.Context())
		fmt.Fprintf(w, "hello %s", user.DisplayName)
	})
	r.With(a.CurrentUser(auth.Permissions{"notes": {"write"}})).Put("/notes/{name}", func(http.ResponseWriter, *http.Request) {})
	return r
}

func ExampleAs() {
	ada := auth.User{Username: "ada", DisplayName: "Ada"}
	reader := newNotes(authtest.As(ada, auth.Permissions{"notes": {"read"}}))
	writer := newNotes(authtest.As(ada, auth.Permissions{"notes": {"read", "write"}}))

	for _, app := range []http.Handler{reader, writer} {
		hello, put := httptest.NewRecorder(), httptest.NewRecorder()
		app.ServeHTTP(hello, httptest.NewRequest("GET", "/", nil))
		app.ServeHTTP(put, httptest.NewRequest("PUT", "/notes/a", nil))
		fmt.Println(hello.Body, put.Code)
	}
	// Output:
	// hello Ada 403
	// hello Ada 200
}

func ExampleNobody() {
	app := newNotes(authtest.Nobody())

	for _, r := range []*http.Request{
		httptest.NewRequest("GET", "/", nil), httptest.NewRequest("PUT", "/notes/a", nil), httptest.NewRequest("GET", "/healthz", nil),
	} {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		fmt.Println(r.Method, r.URL, w.Code)
	}
	// Output:
	// GET / 401
	// PUT /notes/a 401
	// GET /healthz 200
}

func ExampleAudit() {
	t := &testing.T{} // the test's own

	authtest.Audit(t, newNotes(authtest.Nobody()), "GET /healthz")
	fmt.Println("failed:", t.Failed())
	// Output: failed: false
}

func TestConformanceOfAs(t *testing.T) {
	t.Parallel()
	held := auth.Permissions{"notes": {"read"}}
	authtest.RunRules(30*time.Second, func(testing.TB, auth.Config) authtest.Subject {
		return authtest.Subject{
			Backend: authtest.As(auth.User{Username: "ada"}, held),
			Open:    true,
			Good:    authtest.Credential{Explicit: true},
			Holds:   held,
			Lacks:   auth.Permissions{"notes": {"write"}},
		}
	}, func(name string, check func(testing.TB)) {
		if name == "chain" {
			return // As takes no Config: it joins no chain that has a PublicURL
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t)
		})
	})
}

func TestAsHoldsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		held []auth.Permissions
		want auth.Permissions
		no   auth.Permissions
	}{
		{"no permissions hold nothing", nil, nil, auth.Permissions{"notes": {"read"}}},
		{"one map", []auth.Permissions{{"notes": {"read"}}}, auth.Permissions{"notes": {"read"}}, auth.Permissions{"notes": {"write"}}},
		{"two maps are added together", []auth.Permissions{{"notes": {"read"}}, {"notes": {"write"}, "users": {"list"}}}, auth.Permissions{"notes": {"read", "write"}, "users": {"list"}}, auth.Permissions{"users": {"delete"}}},
		{"the star holds everything", []auth.Permissions{{"*": {"*"}}}, auth.Permissions{"notes": {"delete"}}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a := authtest.As(auth.User{Username: "ada"}, tc.held...)
			if got := asStatus(a.CurrentUser(tc.want)); got != http.StatusOK {
				t.Errorf("with what is held: got %d, want 200", got)
			}
			if tc.no == nil {
				return
			}
			if got := asStatus(a.CurrentUser(tc.no)); got != http.StatusForbidden {
				t.Errorf("with what isn't held: got %d, want 403", got)
			}
		})
	}
}

// asStatus sends a cross-site POST, as no test of an application should have to think of.
func asStatus(guard func(http.Handler) http.Handler) int {
	r := httptest.NewRequest("POST", "https://app.example/", nil)
	r.Header.Set("Origin", "https://evil.example")
	w := httptest.NewRecorder()
	guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
	return w.Code
}

func TestAsKeepsTheProfileThatIsChanged(t *testing.T) {
	t.Parallel()
	app := newNotes(authtest.As(auth.User{Username: "ada"}))
	patch := httptest.NewRequest("PATCH", "/api/me", strings.NewReader(`{"display_name":"Countess"}`))
	patch.Header.Set("Content-Type", "application/json")
	app.ServeHTTP(httptest.NewRecorder(), patch)

	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got, want := w.Body.String(), "hello Countess"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAsRefusesWhatIsNoUser(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		user auth.User
		held auth.Permissions
	}{
		{"a user without a username", auth.User{Name: "Ada"}, nil},
		{"a grant with a misplaced star", auth.User{Username: "ada"}, auth.Permissions{"no*tes": {"read"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("As didn't panic")
				}
			}()
			authtest.As(tc.user, tc.held)
		})
	}
}
