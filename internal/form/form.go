// Package form reads the fields of a form that a browser posts, and nothing that two readers could understand
// differently.
package form

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"unicode/utf8"
)

const mediaType = "application/x-www-form-urlencoded"

// Is reports whether r's body says that it is a form. One with several content types is none.
func Is(r *http.Request) bool {
	types := r.Header["Content-Type"]
	if len(types) != 1 {
		return false
	}
	t, _, err := mime.ParseMediaType(types[0])
	return err == nil && t == mediaType
}

// Read reads the named fields of a form of at most limit bytes. Others are without effect. A field that isn't there is
// missing in fields. Only the body counts: what is secret must not stand in a URL. It answers nothing itself: with an
// error, status is the answer to give, 400, 413 or 415, and the error's text may be shown to the client. It names the
// field and repeats no value.
func Read(w http.ResponseWriter, r *http.Request, limit int64, names ...string) (fields map[string]string, status int, err error) {
	if !Is(r) {
		return nil, http.StatusUnsupportedMediaType, errors.New("content type: want one, " + mediaType)
	}
	_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := params["charset"]; charset != "" && charset != "utf-8" && charset != "UTF-8" {
		return nil, http.StatusBadRequest, errors.New("charset: want utf-8")
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, http.StatusUnsupportedMediaType, errors.New("content encoding: want none")
	}
	// The bound comes before parsing: nothing larger is ever held.
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	if err := r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, http.StatusRequestEntityTooLarge, errors.New("form: too large")
		}
		return nil, http.StatusBadRequest, errors.New("form: malformed")
	}
	fields = make(map[string]string, len(names))
	for _, name := range names {
		values := r.PostForm[name]
		switch {
		case len(values) > 1:
			return nil, http.StatusBadRequest, fmt.Errorf("field %q: given twice", name)
		case len(values) == 1 && !utf8.ValidString(values[0]):
			return nil, http.StatusBadRequest, fmt.Errorf("field %q: not UTF-8", name)
		case len(values) == 1:
			fields[name] = values[0]
		}
	}
	return fields, 0, nil
}
