package bench_test

import (
	"net/http"
	"slices"

	guardian "github.com/shaj13/go-guardian/v2/auth"
	"github.com/shaj13/go-guardian/v2/auth/strategies/token"
)

// newGuardian is go-guardian's static token strategy behind the middleware of its README, with the same permission check
// and headers as the others. It keeps and compares tokens in clear, so its time lacks the hash.
func newGuardian(secret string, permissions map[string][]string) (guardian.Strategy, func(resource string, actions ...string) func(http.Handler) http.Handler) {
	user := guardian.NewUserInfo("editor", "1", nil, guardian.Extensions(permissions))
	strategy := token.NewStatic(map[string]guardian.Info{secret: user})
	return strategy, func(resource string, actions ...string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Vary", "Cookie, Authorization")
				w.Header().Set("Cache-Control", "private, no-store")
				user, err := strategy.Authenticate(r.Context(), r)
				if err != nil {
					handRefuse(w, http.StatusUnauthorized)
					return
				}
				for _, action := range actions {
					if !slices.Contains(user.GetExtensions()[resource], action) {
						handRefuse(w, http.StatusForbidden)
						return
					}
				}
				next.ServeHTTP(w, guardian.RequestWithUser(user, r))
			})
		}
	}
}

func guardianShow(w http.ResponseWriter, r *http.Request) {
	user := guardian.User(r)
	if user == nil || user.GetUserName() == "" {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
