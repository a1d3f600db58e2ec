package page

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Routes are the pages of a backend: handlers by path below the mount point ("/login"), then by method. GET serves HEAD
// too. Paths match exactly as they are: nothing is cleaned or redirected, so no second spelling reaches a page.
//
// An element in braces ("/sessions/{id}") stands for any one element that isn't empty, "." or ".."; the handler reads it
// with r.PathValue. A path without braces comes first.
type Routes map[string]map[string]http.HandlerFunc

// At serves t below the application's base path and the mount path below that, both decoded and without a trailing
// slash. A router may have stripped both, the base or nothing. It panics where a pattern is malformed or two of them
// match the same path: mistakes in the program.
func (t Routes) At(base, mount string) http.Handler {
	prefixes := []string{base + mount, mount, ""}
	literals, patterns := t.compile()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, prefix := range prefixes {
			path, ok := strings.CutPrefix(r.URL.Path, prefix)
			if methods := literals[path]; ok && methods != nil {
				serveMethod(w, r, methods)
				return
			}
		}
		for _, prefix := range prefixes {
			path, ok := strings.CutPrefix(r.URL.Path, prefix)
			if !ok {
				continue
			}
			for _, p := range patterns {
				if p.match(r, path) {
					serveMethod(w, r, p.methods)
					return
				}
			}
		}
		WriteProblem(w, r, Problem{Status: http.StatusNotFound})
	})
}

func serveMethod(w http.ResponseWriter, r *http.Request, methods map[string]http.HandlerFunc) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h := methods[method]; h != nil {
		h(w, r)
		return
	}
	allow := slices.Sorted(maps.Keys(methods))
	if methods[http.MethodGet] != nil {
		allow = append(allow, http.MethodHead)
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	WriteProblem(w, r, Problem{Status: http.StatusMethodNotAllowed})
}
