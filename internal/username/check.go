package username

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many marks may follow one letter. Piled up they cover the neighbouring lines of a list, and
// golang.org/x/text/unicode/norm puts an invisible U+034F behind the thirtieth.
const maxMarks = 8

// invisible characters that are letters or marks to Unicode, so that the allow-list would take them: Hangul fillers,
// U+034F, variation selectors and the like (Default_Ignorable_Code_Point; its format characters are no letters).
var invisible = []*unicode.RangeTable{unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector}

// ornaments are letters and marks to Unicode that RFC 5892, section 2.6, disallows in names. The first one, U+0640,
// stretches an Arabic word without changing it.
const ornaments = "\u0640\u07fa\u302e\u302f\u3031\u3032\u3033\u3034\u3035\u303b"

var (
	errCharacter = &Error{"must not contain other characters than letters, digits, single spaces and . _ - @ + '"}
	errInvisible = &Error{"must not contain control or invisible characters"}
	errSpace     = &Error{"must not contain white space other than single spaces"}
	errMark      = &Error{"must not contain accents that stand alone, pile up or repeat"}
)

// check refuses every name that isn't made by the rules. What it takes may still be an unnormalized spelling.
func check(name string) error {
	switch {
	case name == "":
		return &Error{"must not be empty"}
	// The bytes first: nobody's megabyte is decoded.
	case len(name) > MaxRunes*utf8.UTFMax || utf8.RuneCountInString(name) > MaxRunes:
		return &Error{"must be at most 64 characters"}
	case !utf8.ValidString(name): // replaced by U+FFFD, two names would become one
		return &Error{"must be valid UTF-8"}
	case strings.HasPrefix(name, " ") || strings.HasSuffix(name, " "): // PAD SPACE collations don't see it
		return &Error{"must not begin or end with a space"}
	case strings.Contains(name, "  "): // HTML shows one
		return errSpace
	case strings.Count(name, "@") > 1: // "a@evil.example@corp.example" has two domains, depending on the reader
		return &Error{"must contain at most one @"}
	}
	if err := checkRunes(name); err != nil {
		return err
	}
	if mixed(name) { // "аdmin" with a Cyrillic а
		return &Error{"must not mix letters of different alphabets"}
	}
	return nil
}

func checkRunes(name string) error {
	var (
		base  rune // the letter or digit that marks stand on
		marks int  // on it so far
		prev  rune
	)
	for i, r := range name {
		switch {
		case unicode.In(r, invisible...):
			return errInvisible
		case strings.ContainsRune(ornaments, r):
			return errCharacter
		case unicode.IsLetter(r), unicode.IsDigit(r):
			base, marks = r, 0
		case i == 0 && r != '_': // neither "." and "..", nor what a command would take for an option
			return problem(r, &Error{"must begin with a letter, a digit or _"})
		case unicode.In(r, unicode.Mn, unicode.Mc):
			marks++
			if base == 0 || marks > maxMarks || r == prev {
				return errMark
			}
			if r == dotAbove && unicode.Is(unicode.Soft_Dotted, base) { // "i̇" is drawn as "i"
				return errMark
			}
		case strings.ContainsRune("_.-@+' ", r):
			base = 0
		default:
			return problem(r, errCharacter)
		}
		prev = r
	}
	return nil
}

const dotAbove = '\u0307' // what capital İ leaves behind when it is folded

// problem tells why r is refused: what can be told about characters that aren't seen, or else the rule at hand.
func problem(r rune, rule *Error) *Error {
	switch {
	case unicode.Is(unicode.White_Space, r) && r != ' ':
		return errSpace
	case unicode.In(r, unicode.Cc, unicode.Cf):
		return errInvisible
	default:
		return rule
	}
}
