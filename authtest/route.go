package authtest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
)

// A route is one entry of a router.
type route struct {
	method  string // empty: any
	pattern string // as it was registered, without the method
	host    string // of the pattern; empty: any
	path    string // one that the pattern takes, escaped
	chain   chain
	router  http.Handler // that the requests go to
	reaches func(*http.Request) bool
}

// anyMethod is what a route without a method is asked with. The last one is nobody's: a guard that lists methods must
// not let the others through.
var anyMethod = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodOptions, http.MethodTrace, "AUDIT",
}

func (rt *route) methods() []string {
	if rt.method == "" {
		return anyMethod
	}
	return []string{rt.method}
}

func (rt *route) methodName() string {
	if rt.method == "" {
		return "*"
	}
	return rt.method
}

// routesOf lists the routes of h, sorted.
func routesOf(h http.Handler) ([]*route, error) {
	routes, err := collect(h, nil)
	if err != nil {
		return nil, err
	}
	if len(routes) == 0 {
		return nil, errors.New("the router has no routes")
	}
	for _, rt := range routes {
		rt.router = h
	}
	slices.SortFunc(routes, func(a, b *route) int {
		return strings.Compare(a.pattern+" "+a.method, b.pattern+" "+b.method)
	})
	return routes, nil
}

func collect(h http.Handler, outer chain) ([]*route, error) {
	more, inner := peel(h)
	outer = slices.Concat(outer, more)
	switch router := inner.(type) {
	case chi.Routes:
		return chiRoutes(router, outer)
	case *http.ServeMux:
		return muxRoutes(router, outer)
	}
	return nil, fmt.Errorf("%T is neither a chi router nor a ServeMux: its routes can't be listed", inner)
}

// nested lists the routes of a handler that is a router itself, as far as requests for them come to outer; nil for any
// other handler.
func nested(endpoint http.Handler, outer *route) ([]*route, error) {
	switch endpoint.(type) {
	case chi.Routes, *http.ServeMux:
	default:
		return nil, nil
	}
	all, err := collect(endpoint, outer.chain)
	if err != nil {
		return nil, fmt.Errorf("below %s: %w", outer.pattern, err)
	}
	var routes []*route
	for _, rt := range all {
		inside := rt.reaches
		rt.reaches = func(r *http.Request) bool { return outer.reaches(r) && inside(r) }
		if rt.method == "" {
			rt.method = outer.method
		}
		if rt.reaches(rt.request(rt.methods()[0])) {
			routes = append(routes, rt)
		}
	}
	return routes, nil
}

// add appends rt, or the routes inside where its handler is a router.
func add(routes *[]*route, rt *route, endpoint http.Handler) error {
	if !rt.reaches(rt.request(rt.methods()[0])) {
		// Fail loudly: a route that isn't asked must not pass for a guarded one.
		return fmt.Errorf("%s %s: no path found that reaches it: %q doesn't", rt.methodName(), rt.pattern, rt.path)
	}
	inside, err := nested(endpoint, rt)
	if err != nil {
		return err
	}
	if inside == nil {
		inside = []*route{rt}
	}
	*routes = append(*routes, inside...)
	return nil
}
