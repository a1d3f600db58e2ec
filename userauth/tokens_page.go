package userauth

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/page"
)

// A tokenPage is what the page of tokens shows beside the list.
type tokenPage struct {
	fields  tokenFields // of the form
	problem *auth.FieldError
	secret  string // the text of the one just made
}

// writeTokens shows the list and the form. With a secret it is a page of its own, not one to be sent on to: that would have
// to be kept somewhere for it, or stand in its address.
func (b *backend) writeTokens(w http.ResponseWriter, r *http.Request, status int, d tokenDesk, p tokenPage) {
	list, err := b.listedTokens(r.Context(), d.user)
	if err != nil {
		if p.secret == "" {
			b.writeError(w, r, err)
			return
		}
		list = nil // the token is made, and this is its only chance to be seen
	}
	doc := d.page
	if p.secret != "" {
		doc.Message = "The token is made."
		doc.Sections = append(doc.Sections, page.Section{
			Heading: "The new token", Copy: p.secret,
			Note: "Copy it now to where it is used: it is never shown again. Programs send it with each request, in the header “Authorization: Bearer ost_…”.",
		})
	}
	doc.Sections = append(doc.Sections, page.Section{Table: b.tokenTable(d, list)})
	if d.looks {
		page.WriteDocument(w, r, status, doc)
		return
	}
	doc.Sections = append(doc.Sections, tokenForm(d, p.fields))
	if p.problem != nil {
		doc.Message, doc.Failed = onPage(p.problem, doc.Sections[len(doc.Sections)-1].Form.Fields), true
	}
	page.WriteDocument(w, r, status, doc)
}

func (b *backend) tokenTable(d tokenDesk, list []listedToken) *page.Table {
	table := &page.Table{Caption: "Tokens", Columns: []string{"Name", "May do", "Made", "Last used", "Ends"}, Empty: "There are no tokens."}
	for _, t := range list {
		row := page.Row{Cells: []string{t.Name, t.mayDo(), ago(t.Created), agoOrNever(t.Used), agoOrNever(t.Expires)}}
		if !d.looks {
			row.Acts = []page.Form{{Action: d.path + "/" + url.PathEscape(t.ID) + "/end", Submit: "Revoke", Danger: true}}
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}

func tokenForm(d tokenDesk, f tokenFields) page.Section {
	all := "you may"
	if d.by == nil {
		all = "the user may"
	}
	return page.Section{
		Heading: "Make a token",
		Note:    "A token lets a program in with at most what " + all + " do. It stays when the password is changed.",
		Form: &page.Form{Action: d.path, Submit: "Make token", Fields: []page.Field{
			{Name: "name", Label: "Name", Type: "text", Autocomplete: "off", Value: f.name, Help: "What it is for, such as “backup script”."},
			{Name: "permissions", Label: "Permissions", Type: "text", Autocomplete: "off", Value: f.permissions, Optional: true,
				Help: "Such as contents:read,write. Left empty, it may do everything that " + all + ", now and later."},
			{Name: "days", Label: "Ends after days", Type: "text", Autocomplete: "off", Value: f.days, Optional: true, Help: "Left empty, it has no end."},
		}},
	}
}

// mayDo is what a token gives, and what it was made for where that is more.
func (t listedToken) mayDo() string {
	if t.Permissions == nil {
		return "everything its owner may"
	}
	now, scope := t.Effective.String(), t.Permissions.String()
	switch now {
	case scope:
		return now
	case "":
		return "nothing now (made for " + scope + ")"
	}
	return now + " (made for " + scope + ")"
}

func agoOrNever(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return ago(t)
}

func fieldError(err error) (problem *auth.FieldError) {
	errors.As(err, &problem)
	return problem
}

// problemOf is what a permission's error says behind the package's name.
func problemOf(err error) string { return strings.TrimPrefix(err.Error(), "auth: ") }
