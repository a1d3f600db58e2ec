package page

import "net/http"

// Document is a page of an account or of its administration: a status message, then sections of text, forms and tables.
// Every text may come from a user; it is escaped where it stands, and its writing direction stays its own. A name that
// becomes part of a URL is the caller's to escape (url.PathEscape).
type Document struct {
	Title    string    // title and heading; "Account" if empty
	User     string    // who is logged in, shown in the header; empty: nobody
	Actor    string    // who acts as User, as the header then says in so many words; empty: User does
	Links    []Link    // the navigation
	Logout   string    // where the logout form in the header is posted to, a path of this origin; empty: no such form
	Away     bool      // Logout may lead on to another site
	Message  string    // what came of the request before, announced by screen readers, with the focus; empty: nothing
	Failed   bool      // the message says what went wrong, and is announced at once
	Sections []Section // from top to bottom
}

// Section is a part of a document, each of whose fields may be empty.
type Section struct {
	Heading, Note string
	Copy          string // shown alone, to be copied by hand
	Form          *Form
	Table         *Table
	Links         []Link // at its end: the next page of a table, the way out of a question
}

// Form is posted by one button. Its fields have ids of their own on the page: several forms may use the same names.
type Form struct {
	Action string  // where it is posted to, a path of this origin
	Fields []Field // shown, in this order; none gets the focus by itself
	Hidden []Field // name, value, and autocomplete where a password manager is to learn whose password this is
	Submit string  // the button; "Save" if empty
	Danger bool    // what it does can't be undone; it looks the part
	Get    bool    // it asks for something and changes nothing: its fields become the query of the page's address
}

// Table has rows whose first cell is their heading. A row may have fewer cells than there are columns.
type Table struct {
	Caption string // what the table is of
	Columns []string
	Rows    []Row
	Empty   string // said where there are no rows; "Nothing here." if empty
}

// Row is a row of a table.
type Row struct {
	Cells  []string
	URL    string // where the first cell leads, as of [Link]; empty: nowhere
	Marked string // a badge beside the first cell ("this browser"); empty: none
	Acts   []Form // what can be done with what the row is about, in a last column
}

// WriteDocument answers with the page, under [Headers], and with its headers only where the method is HEAD. It is one
// user's page: no shared cache may keep it, so it is "private" beside "no-store", as all that a guard lets through.
func WriteDocument(w http.ResponseWriter, r *http.Request, status int, d Document) {
	body := render("document.html", viewDocument(d))
	Headers(w.Header())
	if d.Away {
		w.Header().Set("Content-Security-Policy", awayPolicy)
	}
	w.Header().Set("Cache-Control", "private, no-store")
	write(w, r, status, htmlType, body)
}
