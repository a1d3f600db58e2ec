package clientip

import (
	"net/http"
	"net/netip"
	"unicode/utf8"
)

// maxAgent is how many characters are kept of a browser's name for itself.
const maxAgent = 256

// Agent is what r's client calls itself, for a list of sessions: shortened, and only what can be shown.
func Agent(r *http.Request) string {
	printable := make([]rune, 0, maxAgent)
	for _, c := range r.UserAgent() {
		if len(printable) == maxAgent {
			break
		}
		if c >= ' ' && c != utf8.RuneError && c != 0x7f {
			printable = append(printable, c)
		}
	}
	return string(printable)
}

// Text is addr for a list of sessions, empty where it isn't valid.
func Text(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}
