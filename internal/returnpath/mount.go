// Package returnpath decides where a browser may be sent after a login, a logout or a token link, and sends it there.
//
// Most callers parse the application's mount point once with [ParseMount], take a visitor's wish through [Mount.Safe],
// and answer with [Redirect]. A wish that is no path of this application becomes the mount point itself: nothing here
// reports an error for a request, since the only thing to do about a hostile return path is to ignore it.
//
// Paths are compared as a browser spells them, percent-encoding included, and never cleaned or encoded again: each
// rewriting between the check and the Location header is a chance to turn a harmless value into another site.
package returnpath

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Mount is the application's mount point: the path of its public URL as a browser spells it, percent-encoding as
// given and without a trailing slash. The empty Mount, which is the zero value, is the root. Make others with
// [ParseMount] only: a plain conversion skips its checks.
type Mount string

// ParseMount returns the mount point for the escaped path of a public URL ([url.URL.EscapedPath]): "/a%40b/" becomes
// "/a%40b", and "" and "/" become the root. It refuses a path that doesn't begin with a slash, has an empty or a dot
// segment in any spelling, a query, a fragment or a broken escape, or a character that browsers don't send as it is
// (a backslash, a space, a control character, anything beyond ASCII).
func ParseMount(escapedPath string) (Mount, error) {
	if err := checkMount(escapedPath); err != nil {
		return "", fmt.Errorf("returnpath: parsing mount path %q: %w", escapedPath, err)
	}
	return Mount(strings.TrimSuffix(escapedPath, "/")), nil
}

func checkMount(p string) error {
	switch {
	case p == "":
		return nil
	case p[0] != '/':
		return errors.New("does not begin with a slash")
	case strings.Contains(p, "//"):
		return errors.New("has an empty segment")
	case strings.ContainsAny(p, "?#"):
		return errors.New("has a query or a fragment")
	case hasDotSegment(p):
		return errors.New("has a dot segment")
	}
	for i := range len(p) {
		// A browser percent-encodes these (or takes the backslash for a slash), so a mount point that has them would
		// never equal what browsers send, and every return path would be refused without a hint why.
		if p[i] <= ' ' || p[i] >= 0x7f || strings.IndexByte("\\\"<>^`{|}", p[i]) >= 0 {
			return fmt.Errorf("has %q, which is not written like that in a URL", p[i])
		}
	}
	if _, err := url.PathUnescape(p); err != nil {
		return errors.New("has a broken percent escape")
	}
	return nil
}

// Decoded returns the mount point as servers have it in [url.URL.Path]: "/a@b" for "/a%40b".
func (m Mount) Decoded() string {
	path, err := url.PathUnescape(string(m))
	if err != nil {
		return string(m) // unreachable: ParseMount has looked at it. As it stands no request's path equals it
	}
	return path
}

// Root returns the mount point as a path to go to: with a trailing slash, "/" for the root.
func (m Mount) Root() string { return string(m) + "/" }

// Join returns path below the mount point: "/auth/login" at "/a%40b" is "/a%40b/auth/login". The path is already
// escaped, and its leading slashes count as one.
func (m Mount) Join(path string) string {
	// At the root a path that begins with two slashes would name another host.
	return m.Root() + strings.TrimLeft(path, `/\`)
}
