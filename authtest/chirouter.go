package authtest

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"
)

// chiRoutes lists the routes of a chi router.
func chiRoutes(router chi.Routes, outer chain) (routes []*route, err error) {
	err = chi.Walk(router, func(method, pattern string, h http.Handler, middlewares ...func(http.Handler) http.Handler) error {
		c := slices.Clone(outer)
		for _, m := range middlewares {
			guards, _ := peel(m(http.NotFoundHandler()))
			c = append(c, guards...)
		}
		guards, endpoint := peel(h)
		filled, err := fillChi(pattern)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, pattern, err)
		}
		rt := &route{method: method, pattern: pattern, path: filled, chain: append(c, guards...)}
		rt.reaches = func(r *http.Request) bool {
			return router.Find(chi.NewRouteContext(), r.Method, rawPath(r)) == pattern
		}
		return add(&routes, rt, endpoint)
	})
	return routes, err
}

// rawPath is what chi routes by.
func rawPath(r *http.Request) string {
	if r.URL.RawPath != "" {
		return r.URL.RawPath
	}
	return r.URL.Path
}
