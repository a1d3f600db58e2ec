package oidcauth

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/form"
)

const (
	maxHint = 256      // bytes of a login_hint
	maxForm = 64 << 10 // bytes of a form that comes from a provider
)

// initiation is what a request to log in may carry: a return path of ours, or what a third party that starts a login sends
// (OpenID Connect Core section 4).
type initiation struct {
	issuer, target, next, hint string
	silent                     bool // prompt=none: only if nothing need be asked
	anew                       bool // prompt=login: whoever is logged in there may be the wrong one
}

// initiationOf reads the query, or the form of a POST. status is the answer to one that can't be taken.
func (b *backend) initiationOf(w http.ResponseWriter, r *http.Request) (i initiation, status int, err error) {
	names := []string{"iss", "target_link_uri", "next", "login_hint", "prompt"}
	values := map[string]string{}
	if r.Method == http.MethodPost {
		if values, status, err = form.Read(w, r, maxForm, names...); err != nil {
			return i, status, err
		}
	} else {
		query := r.URL.Query()
		for _, name := range names {
			if len(query[name]) > 1 {
				return i, http.StatusBadRequest, &auth.FieldError{Field: name, Problem: "given twice"}
			}
			values[name] = query.Get(name)
		}
	}
	i = initiation{issuer: values["iss"], target: values["target_link_uri"], next: values["next"], hint: values["login_hint"]}
	if len(i.hint) > maxHint || !utf8.ValidString(i.hint) {
		i.hint = "" // it is a hint
	}
	// Nothing else, and not what the application has configured: a link mustn't choose a weaker login than that.
	i.silent, i.anew = values["prompt"] == "none", values["prompt"] == "login"
	return i, 0, nil
}

// query is i for an address of ours. A form from a third party's page is answered with that: browsers send no cookie of ours with
// such a form, so nobody could tell whether they are logged in, nor bound the attempts that they have.
func (i initiation) query() string {
	v := url.Values{}
	for name, value := range map[string]string{"iss": i.issuer, "target_link_uri": i.target, "next": i.next, "login_hint": i.hint} {
		if value != "" {
			v.Set(name, value)
		}
	}
	switch {
	case i.silent:
		v.Set("prompt", "none")
	case i.anew:
		v.Set("prompt", "login")
	}
	return v.Encode()
}

// returnPath is where the login goes on to, checked; it is checked again when it is used.
func (b *backend) returnPath(i initiation) string {
	if i.target != "" {
		// A third party names a whole address. One of another site is no return path.
		path, ours := strings.CutPrefix(i.target, strings.TrimSuffix(b.site.PublicURL(), b.site.Path()))
		if !ours {
			return b.next("")
		}
		return b.next(path)
	}
	return b.next(i.next)
}
