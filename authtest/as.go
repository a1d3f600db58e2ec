package authtest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/ostiary/auth"
)

// As makes an Auth for the tests of an application: its guards see every request as user's, who holds the given
// permissions, added together. With none, user holds nothing and passes CurrentUser(nil) alone;
// auth.Permissions{"*": {"*"}} is everything. A profile that is changed is kept in memory, so that auth.Me works.
//
// The credential counts as explicit, so that tests needn't send what a browser would: no request is cross-site. It lets
// everybody in: it is for tests only. As panics for a user without a Username, and for permissions that are no grant.
func As(user auth.User, held ...auth.Permissions) auth.Plugin {
	if user.Username == "" {
		panic("authtest: As: the user has no Username")
	}
	granted := auth.Permissions{}
	for _, p := range held {
		if err := p.Validate(); err != nil {
			panic(fmt.Sprintf("authtest: As: %v", err))
		}
		for resource, actions := range p {
			granted[resource] = slices.Concat(granted[resource], actions)
		}
	}
	p := &person{watchers: map[*watcher]bool{}}
	p.id = &auth.Identity{ID: "authtest:" + user.Username, User: user, Permissions: granted, Explicit: true, Session: p}
	return newStandIn(p, p.close)
}

// Nobody makes an Auth for tests to which every caller is unknown: its guards answer 401. It shows what a stranger gets
// to see, and is what [Audit] wants routers to be built with.
func Nobody() auth.Plugin {
	return newStandIn(auth.BackendFunc(func(*http.Request) (*auth.Identity, error) { return nil, auth.ErrNoCredentials }), func() {})
}

// A standIn is what an application takes for a backend. It has no pages.
type standIn struct {
	auth.Auth
	auth.Backend
	close func()
}

var _ auth.Plugin = standIn{}

// newStandIn logs nothing: in tests, refusals are what is asked for.
func newStandIn(b auth.Backend, close func()) standIn {
	// httptest.NewRequest names example.com, which the Host rule would refuse strangers that want to change something.
	a, err := auth.New(auth.Config{Logger: slog.New(slog.DiscardHandler), AllowedHosts: []string{"example.com"}}, b)
	if err != nil {
		panic(fmt.Sprintf("authtest: %v", err)) // unreachable: nothing in it can be wrong
	}
	return standIn{a, b, close}
}

// Routes implements [auth.Plugin].
func (standIn) Routes() http.Handler { return http.NotFoundHandler() }

// Close implements [auth.Plugin].
func (s standIn) Close() error {
	s.close()
	return nil
}

// A person is the backend of [As], and the session of its only identity.
type person struct {
	mu       sync.Mutex
	id       *auth.Identity
	end      error // nil while it is open
	watchers map[*watcher]bool
}

type watcher struct{ changed func() }

// Identify implements [auth.Backend].
func (p *person) Identify(*http.Request) (*auth.Identity, error) { return p.Current() }

// Current implements [auth.Session].
func (p *person) Current() (*auth.Identity, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end != nil {
		return nil, p.end
	}
	return p.id, nil
}

// Watch implements [auth.Session].
func (p *person) Watch(changed func()) (stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := &watcher{changed}
	p.watchers[w] = true
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.watchers, w)
	}
}

// change changes the person and tells who watches, who ask Current: after the lock.
func (p *person) change(f func()) {
	p.mu.Lock()
	f()
	watchers := slices.Collect(maps.Keys(p.watchers))
	p.mu.Unlock()
	for _, w := range watchers {
		w.changed()
	}
}

// StoreProfile implements [auth.ProfileStore].
func (p *person) StoreProfile(_ context.Context, _ auth.Identity, update auth.UserUpdate) (user auth.User, err error) {
	p.change(func() {
		id := *p.id // what Identify has returned is shared: it stays as it is
		id.User = update.Apply(p.id.User)
		p.id, user, err = &id, id.User, p.end
	})
	return user, err
}

func (p *person) close() { p.change(func() { p.end = http.ErrServerClosed }) }
