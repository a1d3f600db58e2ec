package bench_test

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// What follows is as little as a session can cost: the check that an engineer writes for one server who has measured
// each line of it. The cookie is cut from its header, the token hashed, the session looked up under a lock for readers
// and held against its end, memory against its age; the user goes into the context as a value.

type handSession struct {
	user    *handUser
	expires int64 // Unix seconds
}

type handSessions struct {
	began    time.Time
	synced   atomic.Int64 // the age of the server when its memory was last known to be true
	mu       sync.RWMutex
	sessions map[[sha256.Size]byte]*handSession
}

func newHandSessions(user *handUser, n int) *handSessions {
	s := &handSessions{began: time.Now(), sessions: map[[sha256.Size]byte]*handSession{}}
	for i := range n {
		s.sessions[sha256.Sum256([]byte(sessionToken(i)))] = &handSession{user, time.Now().Add(time.Hour).Unix()}
	}
	s.synced.Store(int64(time.Hour)) // nobody reads a feed here
	return s
}

// fresh tells whether memory is true up to a second ago.
func (s *handSessions) fresh() bool {
	return int64(time.Since(s.began))-s.synced.Load() <= int64(time.Second)
}

func (s *handSessions) find(token string) *handUser {
	if !s.fresh() {
		return nil
	}
	hash := sha256.Sum256([]byte(token))
	s.mu.RLock()
	found := s.sessions[hash]
	s.mu.RUnlock()
	if found == nil || time.Now().Unix() >= found.expires {
		return nil
	}
	return found.user
}

// handCookie is the value of the only cookie of that name, "" where there is none or more than one.
func handCookie(r *http.Request, name string) (value string) {
	n := 0
	for _, line := range r.Header["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			if k, v, _ := strings.Cut(strings.TrimLeft(pair, " "), "="); k == name {
				value = v
				n++
			}
		}
	}
	if n != 1 {
		return ""
	}
	return value
}

// libraryCookie is what net/http makes of the same.
func libraryCookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// handGuard admits whom find knows by the cookie and who may do actions on resource.
func handGuard(cookie func(*http.Request, string) string, find func(ctx context.Context, token string) *handUser, resource string, actions ...string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Vary", "Cookie, Authorization")
			w.Header().Set("Cache-Control", "private, no-store")
			token := cookie(r, cookieName)
			if token == "" {
				handRefuse(w, http.StatusUnauthorized)
				return
			}
			user := find(r.Context(), token)
			if user == nil {
				handRefuse(w, http.StatusUnauthorized)
				return
			}
			for _, action := range actions {
				if !slices.Contains(user.permissions[resource], action) {
					handRefuse(w, http.StatusForbidden)
					return
				}
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), handUserKey{}, user)))
		})
	}
}
