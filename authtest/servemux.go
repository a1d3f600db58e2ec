package authtest

import (
	"errors"
	"net/http"
	"path"
	"reflect"
	"slices"
)

// muxRoutes lists the routes of a ServeMux.
func muxRoutes(mux *http.ServeMux, outer chain) (routes []*route, err error) {
	patterns, err := patternsOf(reflect.ValueOf(mux).Elem())
	if err != nil {
		return nil, err
	}
	for _, registered := range patterns {
		method, pattern := splitPattern(registered)
		rt := &route{method: method, pattern: pattern}
		rt.host, rt.path = fillMux(pattern)
		rt.reaches = func(r *http.Request) bool {
			_, found := mux.Handler(r)
			// A path that isn't clean is redirected to the clean one: nothing is reached by it.
			return found == registered && clean(r.URL.EscapedPath())
		}
		h, _ := mux.Handler(rt.request(rt.methods()[0]))
		guards, endpoint := peel(h)
		rt.chain = slices.Concat(outer, guards)
		if err := add(&routes, rt, endpoint); err != nil {
			return nil, err
		}
	}
	return routes, nil
}

func clean(p string) bool {
	c := path.Clean(p)
	return c == p || c != "/" && c+"/" == p
}

// patternsOf reads what was registered with mux, an [http.ServeMux], since net/http has no way to ask. It only reads.
// Where the fields aren't as in Go 1.22 to 1.26 it says so: an audit that finds too little must not look like a good one.
func patternsOf(mux reflect.Value) ([]string, error) {
	tree := mux.FieldByName("tree")
	if !tree.IsValid() || tree.Type().Name() != "routingNode" {
		return nil, errors.New("http.ServeMux isn't as expected: it has no tree of routingNode")
	}
	field, ok := tree.Type().FieldByName("pattern")
	if !ok || field.Type.Kind() != reflect.Pointer || field.Type.Elem().Kind() != reflect.Struct {
		return nil, errors.New("http.ServeMux isn't as expected: a routingNode has no pattern")
	}
	if str, ok := field.Type.Elem().FieldByName("str"); !ok || str.Type.Kind() != reflect.String {
		return nil, errors.New("http.ServeMux isn't as expected: a pattern has no str")
	}
	var patterns []string
	findPatterns(tree, field.Type.Elem(), &patterns)
	if len(patterns) == 0 {
		return nil, errors.New("the ServeMux has no patterns (or the program runs with GODEBUG=httpmuxgo121=1)")
	}
	slices.Sort(patterns)
	return patterns, nil
}

// findPatterns goes through a tree of nodes, but into no handler: those stand behind an interface.
func findPatterns(v reflect.Value, pattern reflect.Type, found *[]string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			findPatterns(v.Elem(), pattern, found)
		}
	case reflect.Struct:
		if v.Type() == pattern {
			*found = append(*found, v.FieldByName("str").String())
			return
		}
		for i := range v.NumField() {
			findPatterns(v.Field(i), pattern, found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			findPatterns(v.Index(i), pattern, found)
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			findPatterns(entries.Value(), pattern, found)
		}
	}
}
