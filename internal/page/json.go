package page

import (
	"encoding/json"
	"net/http"
)

const jsonType = "application/json; charset=utf-8"

// WriteJSON answers with v, not to be stored unless the caller has set a Cache-Control of its own. The status must be
// one that has a body. A v that can't be encoded is a mistake in the program; it is answered with 500 instead.
//
// The characters <, > and & are written as \u003c and the like, so that no value becomes markup where a browser, or a
// page that the JSON is pasted into, takes it for HTML.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		// Nothing is sent yet, so the client isn't told a success; the error may quote the value and stays here.
		p := Problem{Status: http.StatusInternalServerError}
		p.complete()
		status, body = p.Status, p.json()
	} else {
		body = append(body, '\n')
	}
	h := w.Header()
	h.Set("Content-Type", jsonType)
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	w.Write(body) // net/http drops it where the method is HEAD; an error means that the client is gone
}
