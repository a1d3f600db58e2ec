package notebook

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5/middleware"

	"github.com/ostiary/auth"
)

func (n *notebook) show(w http.ResponseWriter, r *http.Request) {
	name, ok := noteName(w, r)
	if !ok {
		return
	}
	text, ok := n.notes.get(name)
	if !ok {
		fail(w, http.StatusNotFound, "not_found", "There is no such note.")
		return
	}
	writeJSON(w, http.StatusOK, content{name, text})
}

func (n *notebook) save(w http.ResponseWriter, r *http.Request) {
	name, ok := noteName(w, r)
	if !ok {
		return
	}
	text, ok := readText(w, r)
	if !ok {
		return
	}
	user, ok := currentUser(w, r)
	if !ok {
		return
	}
	if err := n.notes.set(name, text, user); err != nil {
		fail(w, http.StatusInsufficientStorage, "full", err.Error())
		return
	}
	writeJSON(w, http.StatusOK, content{name, text})
}

func (n *notebook) remove(w http.ResponseWriter, r *http.Request) {
	name, ok := noteName(w, r)
	if !ok {
		return
	}
	user, ok := currentUser(w, r)
	if !ok {
		return
	}
	if !n.notes.remove(name, user) {
		fail(w, http.StatusNotFound, "not_found", "There is no such note.")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// currentUser is who the guard let in. Where the session has ended since, while the body came in, the answer is given.
func currentUser(w http.ResponseWriter, r *http.Request) (auth.User, bool) {
	user, ok := auth.UserFrom(r.Context())
	if !ok {
		fail(w, http.StatusUnauthorized, "unauthorized", "The session has ended.")
	}
	return user, ok
}

// announce tells everybody who is here, once next has changed who somebody is.
func (n *notebook) announce(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(out, r)
		// Only then: strangers, whom the guard refuses, could else make the server send to everybody, until who reads
		// slowly is cut off.
		saved := r.Method == http.MethodPatch && out.Status() == http.StatusOK ||
			r.Method == http.MethodPost && out.Status() == http.StatusSeeOther // the form of an account's page
		if saved {
			n.notes.tellPeople()
		}
	})
}

// readText reads {"text":…}. Where the body is something else, the answer is given and nothing has changed.
func readText(w http.ResponseWriter, r *http.Request) (text string, ok bool) {
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset, given := params["charset"]; err != nil || mediaType != "application/json" || given && !strings.EqualFold(charset, "utf-8") {
		fail(w, http.StatusUnsupportedMediaType, "unsupported_media_type", "Content-Type: want application/json.")
		return "", false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		fail(w, http.StatusRequestEntityTooLarge, "too_large", "The body is too large.")
		return "", false
	}
	if err != nil {
		fail(w, http.StatusBadRequest, "bad_request", "The body can't be read.")
		return "", false
	}
	fields, err := decodeStrings(body, "text")
	if err != nil {
		fail(w, http.StatusBadRequest, "bad_request", err.Error())
		return "", false
	}
	if len(fields["text"]) > maxText {
		fail(w, http.StatusRequestEntityTooLarge, "too_large", `field "text": too long.`)
		return "", false
	}
	return fields["text"], true
}
