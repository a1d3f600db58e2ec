package oidcauth

import (
	"net/http"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
)

// routes are the pages, below the mount path.
func (b *backend) routes() http.Handler {
	table := page.Routes{
		"/login":                          {http.MethodGet: b.startLogin, http.MethodPost: b.startLogin},
		"/login/{provider}":               {http.MethodGet: b.startLoginAt, http.MethodPost: b.startLoginAt},
		"/callback/{provider}":            {http.MethodGet: b.callback},
		"/logout":                         {http.MethodPost: b.postLogout},
		"/logged-out":                     {http.MethodGet: b.showLoggedOut},
		"/backchannel-logout/{provider}":  {http.MethodPost: b.backchannelLogout},
		"/frontchannel-logout/{provider}": {http.MethodGet: b.frontchannelLogout},
	}
	if b.accounts != nil {
		// Through the guard, which knows where the local users' login page is. It decides nothing here: Accounts does.
		with := func(serve http.HandlerFunc) http.HandlerFunc { return auth.OptionalUser(b.auth)(serve).ServeHTTP }
		table["/link/{provider}"] = map[string]http.HandlerFunc{http.MethodGet: with(b.showLink), http.MethodPost: with(b.postLink)}
	}
	pages := table.At(b.mount.Decoded(), returnpath.Mount(b.mountPath).Decoded())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Cookie")
		pages.ServeHTTP(w, r)
	})
}

// path is that of a page for links and redirects.
func (b *backend) path(page string) string { return b.mount.Join(b.mountPath + page) }

// next is the return path, checked at the moment of use. The pages that log in and out are none: a browser would go round in
// circles.
func (b *backend) next(value string) string {
	avoid := []string{b.path("/login"), b.path("/logout"), b.path("/logged-out")}
	for _, p := range b.providers {
		avoid = append(avoid, b.path("/login/"+p.Name), b.path("/callback/"+p.Name), b.path("/link/"+p.Name))
	}
	return b.mount.Safe(value, avoid...)
}
