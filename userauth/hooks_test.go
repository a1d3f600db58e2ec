package userauth_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// A diary notes which hooks were called, and lets a test say what they answer.
type diary struct {
	mu     sync.Mutex
	called []string
	answer map[string]func(ctx context.Context) error
}

func (d *diary) note(ctx context.Context, hook, about string) error {
	d.mu.Lock()
	d.called = append(d.called, hook+" "+about)
	answer := d.answer[hook]
	d.mu.Unlock()
	if answer != nil {
		return answer(ctx) // not under the lock: it may panic
	}
	return nil
}

func (d *diary) set(hook string, answer func(ctx context.Context) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = map[string]func(context.Context) error{hook: answer}
}

// take gives what was called since the last time.
func (d *diary) take() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	called := strings.Join(d.called, ", ")
	d.called = nil
	return called
}

func (d *diary) hooks(c *userauth.Config) {
	about := func(hook string) func(context.Context, userauth.Account) error {
		return func(ctx context.Context, a userauth.Account) error { return d.note(ctx, hook, a.ID+"="+a.Username) }
	}
	c.Hooks = userauth.Hooks{
		BeforeRegister: func(ctx context.Context, n userauth.NewAccount) error {
			return d.note(ctx, "BeforeRegister", n.Username+" with "+n.Password)
		},
		AfterRegister: about("AfterRegister"),
		BeforeLogin:   about("BeforeLogin"), AfterLogin: about("AfterLogin"),
		BeforeUpdate: func(ctx context.Context, u userauth.Update) error {
			change := "roles"
			if u.Change.Profile.Name != nil {
				change = u.User.Name + "→" + *u.Change.Profile.Name
			}
			return d.note(ctx, "BeforeUpdate", u.User.ID+" "+change)
		},
		AfterUpdate:  about("AfterUpdate"),
		BeforeDelete: about("BeforeDelete"), AfterDelete: about("AfterDelete"),
	}
}

// An act is something that hooks stand around: how it is done, over HTTP or by Go, and what they are told.
type act struct {
	name, hook, told string
	http             func(s *site, b *browser) answer
	ok               int
	call             func(s *site) error
}

func acts() []act {
	return []act{
		{"registering", "Register", "BeforeRegister ann with " + sitePassword + ", AfterRegister user:2=ann", func(s *site, _ *browser) answer {
			return s.browser().register("ann", sitePassword, "")
		}, http.StatusCreated, nil},
		{"Accounts.Add", "Register", "BeforeRegister ann with " + sitePassword + ", AfterRegister user:2=ann", nil, 0, func(s *site) error {
			_, err := s.users.Accounts().Add(s.t.Context(), userauth.NewAccount{Username: "ann", Password: sitePassword})
			return err
		}},
		{"logging in", "Login", "BeforeLogin user:1=alice, AfterLogin user:1=alice", func(s *site, _ *browser) answer {
			return s.browser().login("alice", sitePassword)
		}, http.StatusOK, nil},
		{"PATCH /me", "Update", "BeforeUpdate user:1 →Al, AfterUpdate user:1=alice", func(_ *site, b *browser) answer {
			return b.json(http.MethodPatch, "/auth/me", `{"name":"Al"}`)
		}, http.StatusOK, nil},
		{"PATCH /api/me", "Update", "BeforeUpdate user:1 →Al, AfterUpdate user:1=alice", func(_ *site, b *browser) answer {
			return b.json(http.MethodPatch, "/api/me", `{"name":"Al"}`)
		}, http.StatusOK, nil},
		{"the form of /me", "Update", "BeforeUpdate user:1 →Al, AfterUpdate user:1=alice", func(_ *site, b *browser) answer {
			return b.post("/auth/me", url.Values{"name": {"Al"}})
		}, http.StatusSeeOther, nil},
		{"Accounts.Change", "Update", "BeforeUpdate user:1 roles, AfterUpdate user:1=alice", nil, 0, func(s *site) error {
			_, err := s.users.Accounts().Change(s.t.Context(), "ALICE", userauth.AccountChange{Grant: siteReads})
			return err
		}},
		{"Accounts.Delete", "Delete", "BeforeDelete user:1=alice, AfterDelete user:1=alice", nil, 0, func(s *site) error {
			return s.users.Accounts().Delete(s.t.Context(), "Alice")
		}},
	}
}

func TestHooks(t *testing.T) {
	t.Parallel()
	reason := errors.New("the moon is full")
	start := func(t *testing.T) (*site, *diary, *browser) {
		d := &diary{}
		s := newSite(t, open, d.hooks)
		s.add("alice", nil)
		b := s.in("alice")
		d.take()
		return s, d, b
	}
	do := func(a act, s *site, b *browser) (status int, body string, err error) {
		if a.http == nil {
			return 0, "", a.call(s)
		}
		got := a.http(s, b)
		return got.Status, got.Body, nil
	}
	for _, a := range acts() {
		t.Run(a.name+" is told, before and after", func(t *testing.T) {
			t.Parallel()
			s, d, b := start(t)
			// An answer that writes would wait for ever if a transaction were open, and for the pool if it had one connection.
			s.db.SetMaxOpenConns(1)
			var writing sync.Once
			d.set("After"+a.hook, func(ctx context.Context) (err error) {
				writing.Do(func() {
					_, err = s.users.Accounts().PutRole(ctx, userauth.Role{Name: "made by the hook"})
				})
				return err
			})
			status, body, err := do(a, s, b)
			if err != nil || status != a.ok {
				t.Fatalf("got %d %s %v, want %d", status, body, err, a.ok)
			}
			if got := d.take(); got != a.told {
				t.Errorf("called: %s, want %s", got, a.told)
			}
			if s.count("roles") != 1 || len(s.eventsOf(auth.EventFault)) != 0 {
				t.Errorf("the hook's own write: got %d roles, events %v", s.count("roles"), s.eventsOf(auth.EventFault))
			}
		})
		for name, answer := range map[string]struct {
			err          func(context.Context) error
			status       int
			says, hidden string
		}{
			"an error that a client may see":    {func(context.Context) error { return &auth.FieldError{Field: "username", Problem: "not today"} }, 400, "not today", "moon"},
			"an error":                          {func(context.Context) error { return reason }, 403, "", "moon"},
			"a panic":                           {func(context.Context) error { panic("moon " + sitePassword) }, 403, "", "moon"},
			"an error that looks like another":  {func(context.Context) error { return errors.Join(userauth.ErrNotFound, auth.ErrUnavailable, reason) }, 403, "", "moon"},
			"an error that looks like an entry": {func(context.Context) error { return errors.Join(auth.ErrSessionEnded, userauth.ErrExists, reason) }, 403, "", "moon"},
		} {
			t.Run(a.name+" is refused by "+name, func(t *testing.T) {
				t.Parallel()
				s, d, b := start(t)
				before := dump(t, s.db)
				sessions := s.count("sessions")
				d.set("Before"+a.hook, answer.err)
				status, body, err := do(a, s, b)
				if a.http != nil && (status != answer.status || !strings.Contains(body, answer.says) || strings.Contains(body, answer.hidden)) {
					t.Errorf("got %d %s, want %d", status, body, answer.status)
				}
				var field *auth.FieldError
				if a.http == nil && (errors.As(err, &field) != (answer.status == 400) || errors.Is(err, auth.ErrForbidden) != (answer.status == 403)) {
					t.Errorf("got %v", err)
				}
				if a.http == nil && strings.HasPrefix(name, "an error that looks") && !errors.Is(err, reason) {
					t.Errorf("got %v, want the hook's own error in it", err)
				}
				if got := d.take(); !strings.HasPrefix(got, "Before") || strings.Contains(got, "After") {
					t.Errorf("called: %s, want the one before alone", got)
				}
				if got := dump(t, s.db); got != before || s.count("sessions") != sessions {
					t.Errorf("something has changed:\n%s\nwant\n%s", got, before)
				}
				// Nothing is held or half done.
				d.set("", nil)
				if status, body, err := do(a, s, b); err != nil || status != a.ok {
					t.Errorf("afterwards: got %d %s %v, want %d", status, body, err, a.ok)
				}
			})
		}
		for name, answer := range map[string]func(context.Context) error{
			"fails":  func(context.Context) error { return reason },
			"panics": func(context.Context) error { panic(sitePassword) },
			"refuses": func(context.Context) error {
				return &auth.FieldError{Field: "username", Problem: "the moon is full"}
			},
		} {
			t.Run(a.name+" is done, and the hook after it "+name, func(t *testing.T) {
				t.Parallel()
				s, d, b := start(t)
				before := dump(t, s.db)
				d.set("After"+a.hook, answer)
				status, body, err := do(a, s, b)
				if err != nil || status != a.ok {
					t.Errorf("got %d %s %v, want %d", status, body, err, a.ok)
				}
				if got := dump(t, s.db); got == before && a.hook != "Login" {
					t.Error("nothing has changed")
				}
				events := s.eventsOf(auth.EventFault)
				if len(events) != 1 || !strings.HasPrefix(events[0].Reason, "After"+a.hook+": ") || !strings.HasPrefix(events[0].UserID, "user:") {
					t.Errorf("got events %+v", events)
				}
			})
		}
	}
}

// A hook's ctx has the values of the request's; afterwards it outlasts the request.
func TestHooksContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	d := &diary{}
	s := newSite(t, open, d.hooks)
	ctx, leave := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	defer leave()
	check := func(ctx context.Context) error {
		if ctx.Value(key{}) != "value" {
			t.Error("the value is missing")
		}
		return ctx.Err()
	}
	d.set("BeforeRegister", check)
	add := func(name string) error {
		_, err := s.users.Accounts().Add(ctx, userauth.NewAccount{Username: name})
		return err
	}
	if err := add("ann"); err != nil {
		t.Error(err)
	}
	var after error
	d.set("AfterRegister", func(ctx context.Context) error {
		leave()
		after = check(ctx)
		if _, ends := ctx.Deadline(); !ends {
			t.Error("it has no end")
		}
		return after
	})
	if err := add("bob"); err != nil || after != nil {
		t.Errorf("got %v, %v", err, after)
	}
}

// A wrong password asks no hook, and one that a hook refuses isn't a wrong one: nobody is limited for it.
func TestLoginHooksComeAfterThePassword(t *testing.T) {
	t.Parallel()
	d := &diary{}
	s := newSite(t, d.hooks)
	s.add("alice", nil)
	d.take()
	d.set("BeforeLogin", func(context.Context) error { return &auth.FieldError{Field: "username", Problem: "must pay first"} })
	refused(t, "a wrong password", s.browser().login("alice", "wrong"), http.StatusUnauthorized)
	refused(t, "nobody", s.browser().login("nobody", sitePassword), http.StatusUnauthorized)
	if got := d.take(); got != "" {
		t.Errorf("called: %s", got)
	}
	for range freeAccount + 3 {
		refused(t, "the right one", s.browser().login("alice", sitePassword), http.StatusBadRequest)
	}
	page := s.browser().post("/auth/login", credentials("alice", sitePassword))
	if refused(t, "form", page, http.StatusBadRequest); !strings.Contains(page.Body, "Username: must pay first.") {
		t.Errorf("got\n%s", page.text())
	}
	d.set("", nil)
	s.in("alice")
	if events := s.eventsOf(auth.EventLoginFailed); events[len(events)-1].UserID != "user:1" {
		t.Errorf("got %+v", events)
	}
}

// A user of an authenticator's is known to hooks by the ID that applications know.
func TestHooksOfAnAuthenticatorsUser(t *testing.T) {
	t.Parallel()
	d := &diary{}
	s := newSite(t, d.hooks, func(c *userauth.Config) {
		c.Authenticators = []userauth.Authenticator{userauth.AuthenticatorFunc(func(context.Context, string, string) (*auth.Identity, error) {
			return &auth.Identity{ID: "ldap:7", User: auth.User{Username: "lea"}}, nil
		})}
	})
	b := s.in("lea")
	if got := b.json(http.MethodPatch, "/auth/me", `{"name":"L"}`); got.Status != http.StatusOK {
		t.Errorf("got %d %s", got.Status, got.Body)
	}
	if got, want := d.take(), "BeforeLogin ldap:7=lea, AfterLogin ldap:7=lea, BeforeUpdate ldap:7 →L, AfterUpdate ldap:7=lea"; got != want {
		t.Errorf("called: %s, want %s", got, want)
	}
}
