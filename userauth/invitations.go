package userauth

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/form"
	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
	"github.com/ostiary/auth/internal/strictjson"
)

// InvitationURL is the link to send to whoever is invited, with the token that [Accounts.Invite] gave. Whoever has it can
// register, once. Without a PublicURL it is the link's path: only the reader's browser knows the rest.
func (a *Auth) InvitationURL(token string) string { return a.invitationURL(token) }

func (b *backend) invitationURL(token string) string {
	// By the configured address, never by what a request says of it: the link carries a secret (RS-08).
	origin := strings.TrimSuffix(b.site.PublicURL(), b.site.Path())
	return origin + b.path("/register") + "?invitation=" + url.QueryEscape(token)
}

func (b *backend) getInvitations(w http.ResponseWriter, r *http.Request, a admin) {
	if page.WantsHTML(r) {
		b.writeInvitations(w, r, a, nil, nil)
		return
	}
	all, err := b.accounts.Invitations(r.Context())
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	if all == nil {
		all = []Invitation{} // a list, never null
	}
	page.WriteJSON(w, http.StatusOK, map[string]any{"items": all, "next": ""})
}

// writeInvitations shows the list and, to who may, the form for a new one, as typed and with what was wrong about it.
func (b *backend) writeInvitations(w http.ResponseWriter, r *http.Request, a admin, typed map[string]string, problem error) {
	all, err := b.accounts.Invitations(r.Context())
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	writes, err := b.mayAdminister(r, a.session, adminWrites)
	if err != nil {
		b.writeError(w, r, err)
		return
	}
	table := &page.Table{Caption: "Not used yet", Columns: []string{"For", "Roles", "Invited by", "Made", "Ends"}, Empty: "There are no invitations."}
	for _, i := range all {
		row := page.Row{Cells: []string{orDash(i.Note), orDash(strings.Join(i.Roles, ", ")), orDash(i.By), ago(i.Created), ago(i.Expires)}}
		if writes {
			row.Acts = []page.Form{{Action: b.path("/invitations/" + url.PathEscape(i.ID) + "/delete"), Submit: "Withdraw", Danger: true}}
		}
		table.Rows = append(table.Rows, row)
	}
	d := b.adminDocument(r, a, "/invitations", "Invitations")
	d.Sections = []page.Section{{Table: table}}
	status := http.StatusOK
	if writes {
		add := &page.Form{Action: b.path("/invitations"), Submit: "Make a link", Fields: invitationFields(typed)}
		if problem != nil {
			status, d.Message = refusal(problem, add.Fields)
			d.Failed = true
		}
		d.Sections = append(d.Sections, page.Section{Heading: "Invite somebody", Note: "Whoever opens the link first can make one account with it.", Form: add})
	}
	page.WriteDocument(w, r, status, d)
}

func invitationFields(typed map[string]string) []page.Field {
	days := "7"
	if typed != nil {
		days = typed["days"]
	}
	return []page.Field{
		{Name: "note", Label: "For whom", Autocomplete: "off", Value: typed["note"], Optional: true, Help: "Admins see it, nobody else."},
		{Name: "roles", Label: "Roles", Multiline: true, Value: typed["roles"], Optional: true, Help: "What the new user gets; one in each line."},
		{Name: "days", Label: "Ends after days", Autocomplete: "off", Value: days, Help: "From 1 to 90."},
	}
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// postInvitation makes an invitation. Its answer is the one place where the link is ever shown.
func (b *backend) postInvitation(w http.ResponseWriter, r *http.Request, a admin) {
	n, typed, status, err := b.readInvitation(w, r)
	if status != 0 {
		page.WriteProblem(w, r, page.Problem{Status: status, Message: err.Error()})
		return
	}
	var made Invitation
	var token string
	if err == nil {
		n.By = a.id
		err = b.administer(r, a, fmt.Sprintf("made an invitation with the roles %q", n.Roles), func() (err error) {
			made, token, err = b.accounts.Invite(r.Context(), n)
			return err
		})
	}
	switch {
	case err != nil && typed != nil && b.comesBack(r, a, err):
		b.writeInvitations(w, r, a, typed, err)
		return
	case err != nil:
		b.writeError(w, r, err)
		return
	}
	link := b.invitationURL(token)
	if typed == nil || !page.WantsHTML(r) {
		page.Headers(w.Header())
		page.WriteJSON(w, http.StatusCreated, struct {
			Invitation
			URL string `json:"url"`
		}{made, link})
		return
	}
	// No redirect: the link would stand in another URL. To load this page again asks for another invitation.
	d := b.adminDocument(r, a, "/invitations", "Invitations")
	d.Message = "The invitation is made."
	note := "Send it to whom it is for, and nobody else: it is never shown again. It ends on " + ago(made.Expires) + ", or when it is used or withdrawn."
	if b.site.PublicURL() == "" {
		note += " Put the address of this server in front of it, as its users know it."
	}
	d.Sections = []page.Section{{Heading: "The link", Note: note, Copy: link}}
	page.WriteDocument(w, r, http.StatusCreated, d)
}

// readInvitation reads a form, as typed as well, or a JSON body. A status is the answer to one that can't be taken; an error
// without one is about a field.
func (b *backend) readInvitation(w http.ResponseWriter, r *http.Request) (n NewInvitation, typed map[string]string, status int, err error) {
	if form.Is(r) {
		if typed, status, err = form.Read(w, r, maxBody, "note", "roles", "days"); err != nil {
			return n, nil, status, err
		}
		for line := range strings.Lines(typed["roles"]) {
			if role := strings.TrimSpace(line); role != "" {
				n.Roles = append(n.Roles, role)
			}
		}
		n.Note = typed["note"]
		if days := typed["days"]; days != "" {
			count, err := strconv.ParseUint(days, 10, 16)
			if err != nil || count == 0 || count > uint64(longestInvitation/(24*time.Hour)) {
				return n, typed, 0, &auth.FieldError{Field: "days", Problem: "want a whole number from 1 to 90"}
			}
			n.Expires = b.now().Add(time.Duration(count) * 24 * time.Hour)
		}
		return n, typed, 0, nil
	}
	var body struct {
		Roles   []string `json:"roles"`
		Note    *string  `json:"note"`
		Expires *string  `json:"expires"`
	}
	if status, err := strictjson.Read(w, r, maxBody, &body); err != nil {
		return n, nil, status, err
	}
	n.Roles = body.Roles
	if body.Note != nil {
		n.Note = *body.Note
	}
	if body.Expires != nil {
		if n.Expires, err = time.Parse(time.RFC3339, *body.Expires); err != nil {
			return n, nil, 0, &auth.FieldError{Field: "expires", Problem: "want a time as 2006-01-02T15:04:05Z"}
		}
	}
	return n, nil, 0, nil
}

func (b *backend) deleteInvitation(w http.ResponseWriter, r *http.Request, a admin) {
	id := r.PathValue("id")
	err := b.administer(r, a, fmt.Sprintf("withdrew invitation %q", id), func() error { return b.accounts.DeleteInvitation(r.Context(), id) })
	switch {
	case err != nil:
		b.writeError(w, r, err)
	case r.Method == http.MethodDelete:
		noContent(w)
	default:
		returnpath.Redirect(w, b.path("/invitations")+"?done=withdrawn")
	}
}
