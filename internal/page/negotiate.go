package page

import (
	"net/http"
	"strings"
)

// What follows decides only which form an answer has, never whether somebody is admitted: the client wrote all of these
// headers.

// Navigation reports whether r asks for a page to show in a browser's window: a GET or HEAD that says so in
// Sec-Fetch-Mode (Fetch Metadata) or, without that header, names text/html in Accept. Only such a request can be sent
// on to a login page; a script's fetch would take that page for the answer that it asked for.
func Navigation(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && navigates(r.Header)
}

// WantsHTML reports whether r is to be answered with a page: like [Navigation] but with any method, and also for a form
// (a POST of application/x-www-form-urlencoded) unless its Accept names application/json. Who sends JSON gets JSON.
func WantsHTML(r *http.Request) bool {
	switch body := mediaType(r.Header.Get("Content-Type")); {
	case strings.EqualFold(body, "application/json"):
		return false
	case navigates(r.Header):
		return true
	default:
		form := r.Method == http.MethodPost && strings.EqualFold(body, "application/x-www-form-urlencoded")
		return form && !accepts(r.Header, "application/json")
	}
}

func navigates(h http.Header) bool {
	if mode, ok := h["Sec-Fetch-Mode"]; ok {
		return len(mode) == 1 && mode[0] == "navigate" // given twice, or junk: no browser
	}
	return accepts(h, "text/html")
}

// accepts reports whether Accept names the media type itself (a wildcard, which every client sends, doesn't) and
// without a weight of zero, which means "not acceptable" (RFC 9110 section 12.4.2).
func accepts(h http.Header, want string) bool {
	for _, line := range h["Accept"] {
		for entry := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(mediaType(entry), want) && !refused(entry) {
				return true
			}
		}
	}
	return false
}

func refused(entry string) bool {
	for param := range strings.SplitSeq(entry, ";") {
		name, weight, ok := strings.Cut(strings.TrimSpace(param), "=")
		if ok && strings.EqualFold(name, "q") && strings.Trim(weight, "0.") == "" { // 0, 0.0, 0.000
			return true
		}
	}
	return false
}

// mediaType returns what precedes the parameters.
func mediaType(s string) string {
	s, _, _ = strings.Cut(s, ";")
	return strings.TrimSpace(s)
}
