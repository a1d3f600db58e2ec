package page

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// pattern is a path of [Routes] with elements in braces.
type pattern struct {
	text     string
	elements []element
	methods  map[string]http.HandlerFunc
}

// element matches its text or, where it has a name, any text.
type element struct{ text, name string }

// compile parts the paths without braces from the patterns. No two of these match the same path, so that their order is
// of no importance.
func (t Routes) compile() (literals Routes, patterns []pattern) {
	literals = Routes{}
	for _, path := range slices.Sorted(maps.Keys(t)) {
		if !hasBrace(path) {
			literals[path] = t[path]
			continue
		}
		p := parsePattern(path)
		p.methods = t[path]
		for _, q := range patterns {
			if p.overlaps(q) {
				panic("page: routes " + q.text + " and " + p.text + " match the same paths")
			}
		}
		patterns = append(patterns, p)
	}
	return literals, patterns
}

func hasBrace(path string) bool { return strings.ContainsAny(path, "{}") }

func parsePattern(text string) pattern {
	p := pattern{text: text}
	rest, ok := strings.CutPrefix(text, "/")
	if !ok {
		panic("page: route " + text + ": no leading slash")
	}
	for part := range strings.SplitSeq(rest, "/") {
		e := element{text: part}
		if name, ok := strings.CutPrefix(part, "{"); ok {
			e.name, ok = strings.CutSuffix(name, "}")
			if !ok || !isName(e.name) || slices.ContainsFunc(p.elements, func(o element) bool { return o.name == e.name }) {
				panic("page: route " + text + ": " + part + " is no new name in braces")
			}
		} else if part == "" || hasBrace(part) {
			panic("page: route " + text + ": an element is empty or only partly in braces")
		}
		p.elements = append(p.elements, e)
	}
	return p
}

// isName leaves no room for what [http.ServeMux] gives a meaning to, such as {$} and {path...}.
func isName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == ""
}

func (p pattern) overlaps(q pattern) bool {
	return slices.EqualFunc(p.elements, q.elements, func(a, b element) bool {
		return a.name != "" || b.name != "" || a.text == b.text
	})
}

// match reports whether path, the end of r's, matches and, if so, sets r's path values.
func (p pattern) match(r *http.Request, path string) bool {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok || strings.Count(rest, "/")+1 != len(p.elements) || slashInElement(r) {
		return false
	}
	values := strings.Split(rest, "/")
	for i, e := range p.elements {
		// Whatever stands before us resolves "." and "..": it has judged another path than the one to be served here.
		if v := values[i]; v == "" || v == "." || v == ".." || e.name == "" && v != e.text {
			return false
		}
	}
	for i, e := range p.elements {
		if e.name != "" {
			r.SetPathValue(e.name, values[i])
		}
	}
	return true
}

// slashInElement reports whether the path, as it was sent, has a slash inside an element (%2F). Decoded, it can't be
// told from a separator any more: what is meant for the user "ann/sessions" would be done to ann's sessions.
func slashInElement(r *http.Request) bool {
	return strings.Count(r.URL.EscapedPath(), "/") != strings.Count(r.URL.Path, "/")
}
