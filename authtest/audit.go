package authtest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Audit sends a request without credentials to every route of h and fails for each one that answers: that isn't
// guarded, and isn't named as public. h is a chi router, an [http.ServeMux], or either behind a guard; routers inside
// routers are followed.
//
//	authtest.Audit(t, newRouter(authtest.Nobody()), "GET /healthz", "* /auth/*")
//
// Only 401 and 403 are refusals. Anything else is an answer, 404 and 426 too: the handler ran, or might have. Build the
// router with [Nobody], which nothing but the guards can refuse. An entry of public is a method, or "*", and a pattern as
// it was registered; one that ends in "/*" covers every pattern below. An entry that covers no route fails, so that the
// list can't outlive its routes.
//
// It also fails for a WebSocketAuth below a CurrentUser: the outer guard would answer 401 where a page's script needs
// the close code 1008. WebSocket routes belong beside r.Use(CurrentUser).
//
// Every route is asked with each of its methods, in every spelling of its path that reaches it, and once more with
// headers that claim to be for a public page. A handler without a guard runs: call Audit in tests only, against a
// router whose handlers may. What it can't see is what answers before the router, and the inside of a handler that is
// no router, such as one behind [http.StripPrefix] or mounted as a plain handler: it is asked as one route; audit what
// is in there by itself.
func Audit(t testing.TB, h http.Handler, public ...string) {
	t.Helper()
	for _, finding := range audit(h, public) {
		t.Errorf("authtest: Audit: %s", finding)
	}
}

func audit(h http.Handler, public []string) (findings []string) {
	routes, err := routesOf(h)
	if err != nil {
		return []string{err.Error()}
	}
	list, findings := parsePublic(public)
	methods := map[string][]string{} // what there is to say of a pattern -> of which methods
	for _, rt := range routes {
		for _, method := range rt.methods() {
			if rt.chain.socketBelow() {
				text := rt.pattern + " is a WebSocketAuth below a CurrentUser, which answers 401 before it: put it beside"
				methods[text] = append(methods[text], method)
			}
			if list.covers(method, rt.pattern) {
				continue
			}
			if answer := rt.ask(method, list); answer != "" {
				text := rt.pattern + " " + answer + ": it has no guard and isn't public"
				methods[text] = append(methods[text], method)
			}
		}
	}
	for _, text := range slices.Sorted(maps.Keys(methods)) {
		findings = append(findings, strings.Join(methods[text], ",")+" "+text)
	}
	for _, p := range list {
		if !p.used {
			findings = append(findings, fmt.Sprintf("public %q covers no route", p.entry))
		}
	}
	return findings
}

// A publicRoute is an entry of the public list.
type publicRoute struct {
	entry, method, pattern string
	used                   bool
}

type publicRoutes []*publicRoute

func parsePublic(entries []string) (list publicRoutes, findings []string) {
	for _, entry := range entries {
		method, pattern, ok := strings.Cut(entry, " ")
		if !ok || method == "" || !strings.Contains(pattern, "/") || strings.Contains(pattern, " ") {
			findings = append(findings, fmt.Sprintf("public %q: want a method or *, one space and a pattern", entry))
			continue
		}
		list = append(list, &publicRoute{entry: entry, method: method, pattern: pattern})
	}
	return list, findings
}

// covers compares patterns as they were registered, never paths: no spelling of a path turns one into another.
func (l publicRoutes) covers(method, pattern string) (covered bool) {
	for _, p := range l {
		below, subtree := strings.CutSuffix(p.pattern, "*")
		subtree = subtree && strings.HasSuffix(below, "/")
		// HEAD is what GET's handler answers it.
		methodFits := p.method == "*" || p.method == method || p.method == http.MethodGet && method == http.MethodHead
		if methodFits && (p.pattern == pattern || subtree && strings.HasPrefix(pattern, below)) {
			p.used, covered = true, true
		}
	}
	return covered
}

// path is one that the public list opens, for requests that claim to be for it.
func (l publicRoutes) path() string {
	for _, p := range l {
		if !strings.ContainsAny(p.pattern, "{*") && strings.HasPrefix(p.pattern, "/") {
			return p.pattern
		}
	}
	return "/healthz"
}
