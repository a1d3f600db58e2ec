package page

import (
	"strconv"
	"strings"
)

// Field is an input of a form, with its label.
type Field struct {
	Name         string // what is posted; unique in its form, and "next" is taken on the login page
	Label        string
	Type         string // "text" if empty
	Autocomplete string // tells password managers what to fill in: "username", "current-password", "new-password"
	Value        string // what is filled in already; without effect in a password field
	Help         string // what is expected, below the label
	Optional     bool   // may be left empty; the label says so, unless Type is "search"
	Multiline    bool   // several lines of text; Type is without effect
	// Choices are boxes to tick under the common label, any number of them: each that is ticked posts Name once more. Type,
	// Value, Optional and Multiline are without effect.
	Choices []Choice
}

// Choice is a box to tick.
type Choice struct {
	Value  string // what is posted
	Text   string // the value, if empty
	Help   string // what it means, behind the text
	Ticked bool
}

// Link leads to another page: on the login page another way on, a provider to sign in with or the page to register on.
// URL is a path of this origin, or an http or https URL.
type Link struct {
	Text, URL string
	Current   bool // in the navigation of a document: it is the page that is shown
}

// fieldView is a field as the templates show it.
type fieldView struct {
	Field
	ID          string
	DescribedBy string // ids of what a screen reader says after the label
	Focus       bool   // when the page opens
	Choices     []choiceView
}

type choiceView struct {
	Choice
	ID string
}

// viewFields prepares fields whose ids start with prefix; message is the id of what all are described by, or empty.
func viewFields(fields []Field, prefix, message string) []fieldView {
	list := make([]fieldView, 0, len(fields))
	for _, f := range fields {
		if f.Type == "" {
			f.Type = "text"
		}
		// A page may be kept by the browser, an extension or a proxy that ignores no-store: a password that was
		// typed wrong, and may be right elsewhere, is never sent back in it.
		if !f.Multiline && strings.EqualFold(f.Type, "password") {
			f.Value = ""
		}
		v := fieldView{Field: f, ID: prefix + f.Name, DescribedBy: message}
		for i, c := range f.Choices {
			if c.Text == "" {
				c.Text = c.Value
			}
			v.Choices = append(v.Choices, choiceView{c, v.ID + "-" + strconv.Itoa(i+1)})
		}
		if f.Help != "" {
			v.DescribedBy = strings.TrimSpace(message + " " + v.HelpID())
		}
		list = append(list, v)
	}
	return list
}

// HelpID is the id of the field's help.
func (v fieldView) HelpID() string { return v.ID + "-help" }
