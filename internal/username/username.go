// Package username says which names accounts may have, and which names are one and the same.
//
// [Key] does both, at registration, login and in admin routes alike, so that a name can't be judged in one place and
// let through in another. Names are compared by their keys, as bytes.
//
// The rules keep out what people can't see or tell apart (control, format and invisible characters, white space,
// mixed alphabets) and what means something elsewhere: in URLs, HTML, SQL patterns and lists of addresses. They don't
// keep out look-alikes within one alphabet, such as "admın" without the dot or a name written wholly in Cyrillic: such
// a name is another account, never the same one.
package username

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// MaxRunes is how long a name may be, and its key: 'ß' counts as the "ss" that it folds to.
const MaxRunes = 64

// Error says why a name is refused. It holds nothing of the name, so it is safe to show and to log.
type Error struct {
	Problem string // as "must be at most 64 characters"
}

func (e *Error) Error() string { return "username: " + e.Problem }

// Key checks name and returns its key, NFKC(fold(NFKC(name))): names that differ in case only have the same one. Its
// errors are always an [*Error].
//
// A key is itself a name, and its own key. So it has at most [MaxRunes] runes and 256 bytes. Characters that Unicode
// hasn't assigned are refused, and it never changes how assigned ones fold and normalize: keys stay as they are.
//
// Key may be called concurrently.
func Key(name string) (string, error) {
	if err := check(name); err != nil {
		return "", err
	}
	if isASCII(name) { // the tables would say the same
		return strings.ToLower(name), nil
	}
	// A fullwidth "ａｄｍｉｎ" would get admin's key. Refused, it can be neither a second account nor a way into the first.
	if !norm.NFKC.IsNormalString(name) {
		return "", &Error{"must not contain special forms of letters, such as ligatures or full-width ones"}
	}
	key := canonical(name)
	if key == name {
		return key, nil
	}
	// Folding can take one letter apart and bring out what check refuses: 'İ' becomes an 'i' with a second dot.
	if err := check(key); err != nil {
		return "", err
	}
	if canonical(key) != key {
		return "", errCharacter // unreachable as far as known: two accounts could else end up with one key
	}
	return key, nil
}

func canonical(name string) string {
	return norm.NFKC.String(cases.Fold().String(strings.Map(lowerCherokee, norm.NFKC.String(name))))
}

// lowerCherokee makes up for golang.org/x/text/cases, which swaps the two cases of Cherokee letters instead of folding
// them: from small letters alone it gives the capitals that Unicode wants, each time.
func lowerCherokee(r rune) rune {
	if unicode.Is(unicode.Cherokee, r) {
		return unicode.ToLower(r)
	}
	return r
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}
