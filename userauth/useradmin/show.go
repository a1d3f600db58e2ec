package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// shown is s for a terminal: quoted if it holds anything that isn't seen, or that the terminal would act on.
func shown(s string) string {
	seen := func(r rune) bool { return unicode.IsPrint(r) && r != '"' && r != '\\' }
	if s != "" && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !seen(r) }) {
		return s
	}
	return strconv.Quote(s)
}

// escape replaces what isn't seen by \uXXXX, which is also how JSON spells it: encoding/json lets characters through
// that end a line or control a terminal.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			_, _ = fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// An array writes a JSON array, one element a line, without keeping them.
type array struct {
	w     io.Writer
	begun bool
}

func (a *array) add(element any) error {
	data, err := json.Marshal(element)
	if err != nil {
		return err
	}
	separator := ",\n"
	if !a.begun {
		separator, a.begun = "[", true
	}
	_, err = io.WriteString(a.w, separator+escape(string(data)))
	return err
}

func (a *array) end() error {
	if !a.begun {
		_, err := io.WriteString(a.w, "[]\n")
		return err
	}
	_, err := io.WriteString(a.w, "]\n")
	return err
}

func writeArray[E any](w io.Writer, elements []E) error {
	a := array{w: w}
	for _, element := range elements {
		if err := a.add(element); err != nil {
			return err
		}
	}
	return a.end()
}

// table writes rows in columns.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		if _, err := fmt.Fprintln(t, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}

func shownAll(names []string) string {
	var all []string
	for _, name := range names {
		all = append(all, shown(name))
	}
	return strings.Join(all, ", ")
}

func shownTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }
