package userauth_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

func TestAccountsTokens(t *testing.T) {
	t.Parallel()
	t.Run("one life of a token, without a server", func(t *testing.T) {
		t.Parallel()
		a, _ := newAccounts(t)
		addUser(t, a, "Ann")
		end := time.Now().Add(time.Hour)
		made, text, err := a.AddToken(t.Context(), "aNN", userauth.NewToken{Name: "ci", Permissions: auth.Permissions{"b": {"z", "y", "z"}, "a": {"*"}}, Expires: end})
		if err != nil || !tokenPattern.MatchString(text) {
			t.Fatalf("got %q, %v", text, err)
		}
		if made.Permissions.String() != "a:* b:y,z" || len(made.Permissions["b"]) != 2 || made.Expires.Unix() != end.Unix() || made.Expires.Location() != time.UTC || !made.Used.IsZero() {
			t.Errorf("got %+v", made)
		}
		list, err := a.Tokens(t.Context(), "ann")
		if err != nil || len(list) != 1 || fmt.Sprint(list[0]) != fmt.Sprint(made) {
			t.Errorf("got %+v, %v, want %+v", list, err, made)
		}
		if sessions, err := a.Sessions(t.Context(), "ann"); err != nil || len(sessions) != 0 {
			t.Errorf("got %v, %v: a token is no login", sessions, err)
		}
		if n, err := a.EndSessions(t.Context(), "ann"); n != 0 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
		if err := a.DeleteToken(t.Context(), "ANN", made.ID); err != nil {
			t.Error(err)
		}
		if err := a.DeleteToken(t.Context(), "ann", made.ID); !errors.Is(err, userauth.ErrNotFound) {
			t.Errorf("again: got %v", err)
		}
	})
	t.Run("what can't be taken changes nothing", func(t *testing.T) {
		t.Parallel()
		a, db := newAccounts(t)
		addUser(t, a, "ann")
		if _, _, err := a.AddToken(t.Context(), "ann", userauth.NewToken{Name: "good"}); err != nil {
			t.Fatal(err)
		}
		before := dump(t, db)
		for _, tc := range []struct {
			field string
			n     userauth.NewToken
		}{
			{"name", userauth.NewToken{}}, {"name", userauth.NewToken{Name: "x\x00"}}, {"name", userauth.NewToken{Name: "\u202ex"}}, {"name", userauth.NewToken{Name: strings.Repeat("x", 65)}},
			{"permissions", userauth.NewToken{Name: "x", Permissions: auth.Permissions{}}}, {"permissions", userauth.NewToken{Name: "x", Permissions: auth.Permissions{"a": nil}}},
			{"permissions", userauth.NewToken{Name: "x", Permissions: auth.Permissions{"a": {""}}}}, {"permissions", userauth.NewToken{Name: "x", Permissions: auth.Permissions{"a*b": {"c"}}}},
			{"expires", userauth.NewToken{Name: "x", Expires: time.Now()}}, {"expires", userauth.NewToken{Name: "x", Expires: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}},
		} {
			_, text, err := a.AddToken(t.Context(), "ann", tc.n)
			if wantField(t, err, tc.field); text != "" {
				t.Errorf("%+v: got a token", tc.n)
			}
		}
		for _, name := range []string{"nobody", "", "a\x00", "\u202eann"} {
			_, text, err := a.AddToken(t.Context(), name, userauth.NewToken{Name: "x"})
			if !errors.Is(err, userauth.ErrNotFound) || text != "" {
				t.Errorf("%q: got %q, %v", name, text, err)
			}
			if _, err := a.Tokens(t.Context(), name); !errors.Is(err, userauth.ErrNotFound) {
				t.Errorf("%q: got %v", name, err)
			}
			if err := a.DeleteToken(t.Context(), name, "x"); !errors.Is(err, userauth.ErrNotFound) {
				t.Errorf("%q: got %v", name, err)
			}
		}
		if got := dump(t, db); got != before {
			t.Errorf("something has changed: %s", got)
		}
	})
	t.Run("what it does reaches running servers", func(t *testing.T) {
		t.Parallel()
		s := newSite(t)
		s.add("ann", siteReads)
		a := accountsIn(t, s.db)
		made, text, err := a.AddToken(t.Context(), "ann", userauth.NewToken{Name: "x"})
		if err != nil {
			t.Fatal(err)
		}
		s.keepsSecret(text)
		admitted(t, "at once", s.browser().get("/", bearing(text)))
		if err := a.DeleteToken(t.Context(), "ann", made.ID); err != nil {
			t.Fatal(err)
		}
		eventually(t, "refused", func() bool { return !s.browser().get("/", bearing(text)).reached() })
	})
	t.Run("K-07 a database that fails", func(t *testing.T) {
		t.Parallel()
		db, faults := storetest.Open(t, filepath.Join(t.TempDir(), "app.db"))
		a := accountsIn(t, db)
		addUser(t, a, "ann")
		made, _, err := a.AddToken(t.Context(), "ann", userauth.NewToken{Name: "x"})
		if err != nil {
			t.Fatal(err)
		}
		for k := 1; k < 10; k++ {
			faults.FailAt(k)
			errs := map[string]error{}
			_, errs["listing"] = a.Tokens(t.Context(), "ann")
			_, text, err := a.AddToken(t.Context(), "ann", userauth.NewToken{Name: "y"})
			if errs["adding"] = err; (err == nil) != (text != "") {
				t.Errorf("got %q, %v", text, err)
			}
			faults.Heal()
			for doing, err := range errs {
				if err != nil && !errors.Is(err, auth.ErrUnavailable) {
					t.Errorf("%s, call %d broken: got %v", doing, k, err)
				}
			}
		}
		faults.Fail()
		if err := a.DeleteToken(t.Context(), "ann", made.ID); !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("revoking: got %v, want %v", err, auth.ErrUnavailable)
		}
		faults.Heal()
		if err := a.DeleteToken(t.Context(), "ann", made.ID); err != nil {
			t.Errorf("it was still there: got %v", err)
		}
	})
}
