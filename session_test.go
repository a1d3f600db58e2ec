package auth_test

import (
	"net/http"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/watch"
)

// memorySession is the smallest honest session: an identity in memory that can change and end.
type memorySession struct{ watch.Cell[*auth.Identity] }

func (s *memorySession) Current() (*auth.Identity, error) { return s.Load() }

// newMemorySession starts a session of id, and makes id belong to it.
func newMemorySession(id auth.Identity) (*memorySession, *auth.Identity) {
	s := &memorySession{}
	id.Session = s
	_ = s.Update(func(*auth.Identity) *auth.Identity { return &id })
	return s, &id
}

// change replaces the session's identity by a changed copy.
func (s *memorySession) change(f func(*auth.Identity)) {
	_ = s.Update(func(old *auth.Identity) *auth.Identity {
		c := *old
		c.Permissions = old.Permissions.Clone()
		f(&c)
		return &c
	})
}

// byHeader is a backend that knows callers by the header "Test-User", as if a browser had attached it.
func byHeader(ids map[string]*auth.Identity) auth.Backend {
	return auth.BackendFunc(func(r *http.Request) (*auth.Identity, error) {
		name := r.Header.Get("Test-User")
		if name == "" {
			return nil, auth.ErrNoCredentials
		}
		id := ids[name]
		if id == nil {
			return nil, auth.ErrInvalidCredentials
		}
		if id.Session != nil {
			now, err := id.Session.Current()
			if err != nil {
				return nil, auth.ErrNoCredentials
			}
			return now, nil
		}
		return id, nil
	})
}
