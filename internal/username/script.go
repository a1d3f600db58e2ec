package username

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// written lists the scripts that are written together: UTS 39, section 5.2, "Highly Restrictive".
var written = [][]string{
	{"Latin", "Han", "Hiragana", "Katakana"},
	{"Latin", "Han", "Bopomofo"},
	{"Latin", "Han", "Hangul"},
}

// mixed reports whether name has characters of scripts that aren't written together. Common and Inherited ones, such
// as ASCII digits and most accents, go with any script.
func mixed(name string) bool {
	var found []string
	for _, r := range name {
		s := script(r)
		if s != "Common" && s != "Inherited" && !slices.Contains(found, s) {
			found = append(found, s)
		}
	}
	if len(found) <= 1 {
		return false
	}
	return !slices.ContainsFunc(written, func(together []string) bool {
		return !slices.ContainsFunc(found, func(s string) bool { return !slices.Contains(together, s) })
	})
}

// script returns the name of r's script; "" for a character that Unicode hasn't assigned.
func script(r rune) string {
	if r < utf8.RuneSelf { // the same as below, without the search
		if unicode.IsLetter(r) {
			return "Latin"
		}
		return "Common"
	}
	for name, table := range unicode.Scripts { // in any order: no character is in two
		if unicode.Is(table, r) {
			return name
		}
	}
	return ""
}
