package oidcauth

import (
	"time"

	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/oidcauth/internal/token"
)

// RefreshNow does for the session of a cookie what its use does when it is due, and waits for it.
func (a *Auth) RefreshNow(secret string) error {
	hash, _ := session.HashOf(secret)
	return a.refresher.refresh(hash)
}

// Refreshing tells whether the session of a cookie waits for a refresh that its use has asked for, or is at it.
func (a *Auth) Refreshing(secret string) bool {
	hash, _ := session.HashOf(secret)
	a.refresher.mu.Lock()
	defer a.refresher.mu.Unlock()
	_, wanted := a.refresher.wanted[hash]
	return wanted
}

// Closing is closed when no refresh begins any more.
func (a *Auth) Closing() <-chan struct{} { return a.refresher.closing }

// Offered reads Authorization headers; ours tells whether there is an access token.
func Offered(headers []string) (ours bool, text string, err error) {
	s, text, err := offered(headers)
	return s != noScheme, text, err
}

// NewProofs remembers at most limit proofs; the result uses one of a key and an id, which may be forgotten at until.
func NewProofs(limit int) (use func(key, id string, until, now time.Time) error) {
	u := newUsedProofs(limit)
	return func(key, id string, until, now time.Time) error {
		return u.use(&token.Proof{Thumbprint: key, ID: id, Until: until}, now)
	}
}

// NewCache is a cache of texts.
func NewCache(limit int) *cache[string] { return newCache[string](limit) }

func (c *cache[V]) Get(text string) (V, bool) { return c.get(text) }
func (c *cache[V]) Put(text string, v V)      { c.put(text, v) }
func (c *cache[V]) Remove(text string, v V)   { c.remove(text, v) }
func (c *cache[V]) Len() int                  { return len(c.young) + len(c.old) }
