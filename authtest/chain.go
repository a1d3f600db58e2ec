package authtest

import (
	"net/http"
	"slices"
)

// A chain is the guards around a handler, the outermost first, as far as they can be seen: one inside another
// middleware's closure can't.
type chain []seenGuard

type seenGuard struct{ websocket, optional bool }

// peel takes the guards off a handler. Every guard of package auth tells that it is one.
func peel(h http.Handler) (c chain, inner http.Handler) {
	for {
		g, ok := h.(interface {
			Guards() (websocket, optional bool, next http.Handler)
		})
		if !ok {
			return c, h
		}
		websocket, optional, next := g.Guards()
		c, h = append(c, seenGuard{websocket, optional}), next
	}
}

// socketBelow reports whether a WebSocketAuth stands below a guard that answers 401.
func (c chain) socketBelow() bool {
	answers := slices.IndexFunc(c, func(g seenGuard) bool { return !g.websocket && !g.optional })
	return answers >= 0 && slices.ContainsFunc(c[answers:], func(g seenGuard) bool { return g.websocket })
}

// optionalOnly reports whether all guards that can be seen let everybody through.
func (c chain) optionalOnly() bool {
	return len(c) > 0 && !slices.ContainsFunc(c, func(g seenGuard) bool { return !g.optional })
}
