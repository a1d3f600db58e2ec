package bench_test

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
)

// What follows is the check that a careful engineer writes for one server: the token is kept hashed and found in a way
// whose time says nothing about it, the user and what the user may do come with it, and no cache keeps the answer.

type handUser struct {
	name        string
	permissions map[string][]string
}

type handUserKey struct{}

type handAuth struct {
	find func(token string) *handUser
}

// handMap finds one of several tokens by its digest.
func handMap(tokens map[string]*handUser) handAuth {
	users := map[[sha256.Size]byte]*handUser{}
	for token, user := range tokens {
		users[sha256.Sum256([]byte(token))] = user
	}
	return handAuth{func(token string) *handUser { return users[sha256.Sum256([]byte(token))] }}
}

// handCompare knows one token and compares digests in constant time.
func handCompare(token string, user *handUser) handAuth {
	want := sha256.Sum256([]byte(token))
	return handAuth{func(token string) *handUser {
		got := sha256.Sum256([]byte(token))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			return nil
		}
		return user
	}}
}

func (a handAuth) require(resource string, actions ...string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Vary", "Cookie, Authorization")
			w.Header().Set("Cache-Control", "private, no-store")
			scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			if !strings.EqualFold(scheme, "Bearer") {
				handRefuse(w, http.StatusUnauthorized)
				return
			}
			user := a.find(token)
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

func handRefuse(w http.ResponseWriter, status int) {
	w.Header().Set("Cache-Control", "no-store")
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	http.Error(w, http.StatusText(status), status)
}

func handShow(w http.ResponseWriter, r *http.Request) {
	user, ok := r.Context().Value(handUserKey{}).(*handUser)
	if !ok || user.name == "" {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
