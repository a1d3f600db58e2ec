package page

import "strconv"

// The views are the parts of a document with what the template can't count: ids that are unique on the page, and the
// column that a cell belongs to.

type documentView struct {
	Document
	Sections []sectionView
}

type sectionView struct {
	Section
	ID    string
	Form  *formView
	Table *tableView
}

type formView struct {
	Form
	ID     string
	Fields []fieldView
	Row    string // id of the row heading that completes the button's name for a screen reader: "End", of what?
}

type tableView struct {
	Table
	Rows    []rowView
	HasActs bool // in any row
}

type rowView struct {
	Row
	ID    string
	Cells []cellView
	Acts  []formView
}

type cellView struct{ Column, Text string }

func viewDocument(d Document) documentView {
	if d.Title == "" {
		d.Title = "Account"
	}
	view := documentView{Document: d}
	for i, s := range d.Sections {
		v := sectionView{Section: s, ID: "s" + strconv.Itoa(i+1)}
		if s.Form != nil {
			form := viewForm(*s.Form, v.ID+"-form", "")
			v.Form = &form
		}
		if s.Table != nil {
			v.Table = viewTable(*s.Table, v.ID)
		}
		view.Sections = append(view.Sections, v)
	}
	return view
}

func viewForm(f Form, id, row string) formView {
	if f.Submit == "" {
		f.Submit = "Save"
	}
	return formView{Form: f, ID: id, Fields: viewFields(f.Fields, id+"-", ""), Row: row}
}

func viewTable(t Table, section string) *tableView {
	if t.Empty == "" {
		t.Empty = "Nothing here."
	}
	view := &tableView{Table: t}
	for i, r := range t.Rows {
		v := rowView{Row: r, ID: section + "-row" + strconv.Itoa(i+1)}
		for j := range max(len(r.Cells), len(t.Columns)) {
			var c cellView
			if j < len(r.Cells) {
				c.Text = r.Cells[j]
			}
			if j < len(t.Columns) {
				c.Column = t.Columns[j]
			}
			v.Cells = append(v.Cells, c)
		}
		heading := ""
		if len(v.Cells) > 0 {
			heading = v.ID
		}
		for j, f := range r.Acts {
			v.Acts = append(v.Acts, viewForm(f, v.ID+"-act"+strconv.Itoa(j+1), heading))
			view.HasActs = true
		}
		view.Rows = append(view.Rows, v)
	}
	return view
}
