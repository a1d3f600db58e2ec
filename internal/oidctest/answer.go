package oidctest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// A problem is an OAuth error (RFC 6749 §5.2): status, code, and a description for developers.
type problem struct {
	status      int
	code        string
	description string
}

func (p *problem) Error() string { return p.code + ": " + p.description }

func refuse(code, format string, args ...any) *problem {
	return &problem{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

// answer writes v as JSON. Tokens may be in it: it is never stored (RFC 6749 §5.1).
func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "the answer can't be written as JSON", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(body)
}

// answerProblem writes err, which is a *problem or the provider's own fault.
func answerProblem(w http.ResponseWriter, err error) {
	var p *problem
	if !errors.As(err, &p) {
		p = &problem{http.StatusInternalServerError, "server_error", err.Error()}
	}
	answer(w, p.status, map[string]any{"error": p.code, "error_description": p.description})
}

// postForm reads the form that r posts. Parameters in the query and those given twice are refused (RFC 6749 §3.2).
func postForm(r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		return nil, &problem{http.StatusMethodNotAllowed, "invalid_request", "want POST"}
	}
	if r.URL.RawQuery != "" {
		return nil, refuse("invalid_request", "parameters belong in the body")
	}
	if err := r.ParseForm(); err != nil {
		return nil, refuse("invalid_request", "the body is no form")
	}
	if r.Header.Get("Content-Type") == "" || len(r.PostForm) == 0 {
		return nil, refuse("invalid_request", "want a form")
	}
	return r.PostForm, single(r.PostForm)
}

// single refuses parameters that are given twice (RFC 6749 §3.1).
func single(params url.Values) error {
	for name, values := range params {
		if len(values) > 1 && name != "resource" { // the only one that may be repeated: RFC 8707 §2
			return refuse("invalid_request", "parameter %q: given twice", name)
		}
	}
	return nil
}
