package page

import (
	"net/http"
	"slices"
)

// Login is a page with a form to sign in or register with, with links to other ways of doing so, or with both. Every
// text may come from a user; it is escaped where it stands.
type Login struct {
	Title    string  // title and heading; "Sign in" if empty
	Action   string  // where the form is posted to, a path of this origin
	Next     string  // the return path, carried in the hidden field "next" and sent back byte for byte
	Hidden   []Field // name and value of more hidden fields
	Message  string  // what went wrong; announced by screen readers. Empty: nothing did
	Fields   []Field // empty: no form
	Submit   string  // the button; "Sign in" if empty
	Links    []Link  // below the form
	Note     string  // a plain explanation, for example why nobody can sign in here
	Disabled bool    // leaves form and links out
	Secret   bool    // the page's own address holds a secret: the browser names it to nobody, this server included
}

// WriteLogin answers with the page, and with its headers only where the method is HEAD. The first field that has no value
// yet gets the focus.
func WriteLogin(w http.ResponseWriter, r *http.Request, status int, l Login) {
	view := struct {
		Login
		Fields []fieldView
	}{Login: l}
	if view.Title == "" {
		view.Title = "Sign in"
	}
	if view.Submit == "" {
		view.Submit = "Sign in"
	}
	message := ""
	if l.Message != "" {
		message = "message"
	}
	view.Fields = viewFields(l.Fields, "field-", message)
	if len(view.Fields) > 0 {
		empty := slices.IndexFunc(view.Fields, func(f fieldView) bool { return f.Value == "" })
		view.Fields[max(empty, 0)].Focus = true
	}
	writePage(w, r, status, "login.html", view, false)
}
