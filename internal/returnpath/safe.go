package returnpath

import (
	"net/url"
	"path"
	"strings"
	"unicode/utf8"
)

// maxLen bounds a return path in bytes. Longer ones would not fit a cookie or a proxy's limit for the Location header.
const maxLen = 2048

// Safe returns next byte for byte when it is a return path: a path under the mount point, with its query and fragment,
// of at most 2048 bytes of valid UTF-8. Anything else, an absolute URL of the application's own origin included, gives
// [Mount.Root]. The full paths in avoid, escaped or not, are no return paths either, however next spells them: the
// login page, where a browser would go round in circles, and the logout page.
//
// It proves that a browser stays on this origin and under this mount point, not that there is a page. A value that was
// stored with the visitor meanwhile (a form field, a cookie) must go through Safe again when it is used.
func (m Mount) Safe(next string, avoid ...string) string {
	if !m.holds(next) {
		return m.Root()
	}
	for _, a := range avoid {
		if page(next) == page(a) {
			return m.Root()
		}
	}
	return next
}

// holds reports whether a browser that is sent to next stays under m. An attacker chooses next (a link to the login
// page carries it), so the rules name what is allowed; what they don't foresee is refused.
func (m Mount) holds(next string) bool {
	// The length goes first, so that a megabyte costs nothing.
	if len(next) > maxLen || !sameOrigin(next) || !utf8.ValidString(next) {
		return false
	}
	// Headers lose trailing spaces on the wire and browsers drop them: "/base/.. " would arrive as "/base/..".
	if next[len(next)-1] == ' ' {
		return false
	}
	p := pathOf(next)
	// Browsers take a backslash in the path for a slash, and resolve dot segments: both would make the browser's
	// elements other than the ones that are compared below.
	if strings.Contains(p, `\`) || hasDotSegment(p) {
		return false
	}
	rest, under := strings.CutPrefix(p, string(m))
	// The next byte must end the element: "/basement" is not under "/base".
	return under && (rest == "" || rest[0] == '/')
}

// sameOrigin reports whether a browser takes target for a path of the origin that it came from. One slash does that;
// two, or a slash and a backslash, begin a host. Tabs and newlines are dropped by browsers before they look ("/\t/host"
// is "//host"), other control characters by header writers, so none may occur anywhere.
func sameOrigin(target string) bool {
	if target == "" || target[0] != '/' {
		return false
	}
	if len(target) > 1 && (target[1] == '/' || target[1] == '\\') {
		return false
	}
	for i := range len(target) {
		if target[i] < ' ' || target[i] == 0x7f {
			return false
		}
	}
	return true
}

// pathOf returns target up to its query or fragment.
func pathOf(target string) string {
	if i := strings.IndexAny(target, "?#"); i >= 0 {
		return target[:i]
	}
	return target
}

// hasDotSegment reports whether p has a segment that browsers resolve away. By the URL standard "%2e" is a dot there,
// in either case, while other escapes (a "%2f" that would hide a slash) are left alone.
func hasDotSegment(p string) bool {
	for segment := range strings.SplitSeq(p, "/") {
		switch strings.ReplaceAll(strings.ReplaceAll(segment, "%2e", "."), "%2E", ".") {
		case ".", "..":
			return true
		}
	}
	return false
}

// page returns the path that a router may serve for target: decoded, with single slashes and none at the end. Routers
// differ in what they normalize, so all of it is: to take too many spellings for the login page only loses a
// return path that nobody writes.
func page(target string) string {
	p := pathOf(target)
	if decoded, err := url.PathUnescape(p); err == nil {
		p = decoded
	}
	return path.Clean(p)
}
