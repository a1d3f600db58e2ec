package password

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The lengths of a password, in runes.
const (
	DefaultMin = 15  // NIST SP 800-63B-4: a password that is the only factor
	LeastMin   = 8   // the same: with a second factor; no setting goes below
	MaxRunes   = 256 // one that is longer is refused, never cut short
)

// A Policy says which passwords may be chosen. Every character is as good as another: what makes a password hard to
// guess is its length, and that nobody else has it. It is for new passwords; existing ones are verified as they are.
//
// A Policy may be used concurrently.
type Policy struct {
	// Min is how many runes a password must have, from 8 to 256. Zero: 15. Fewer than 15 are only enough beside a
	// second factor.
	Min int

	// Words are refused, alone and with digits behind, beside the common passwords: the application's name.
	Words []string
}

// Validate reports a Min out of range, and a word that would refuse every password made of digits, or nothing.
func (p Policy) Validate() error {
	if p.Min != 0 && (p.Min < LeastMin || p.Min > MaxRunes) {
		return fmt.Errorf("password: checking Policy.Min: %d is not between %d and %d", p.Min, LeastMin, MaxRunes)
	}
	for _, word := range p.Words {
		if !utf8.ValidString(word) || strings.TrimFunc(word, decoration) == "" {
			return fmt.Errorf("password: checking Policy.Words: %q has no letters", word)
		}
	}
	return nil
}

// PolicyError says why a password is refused. It holds nothing of the password, so it is safe to show and to log.
type PolicyError struct {
	Problem string // as "must be at least 15 characters"
}

func (e *PolicyError) Error() string { return "password: " + e.Problem }

// Check reports whether username's new password may be password. Its errors are always a [*PolicyError]: for what isn't
// UTF-8 (forms and JSON would spell it differently), is too short or too long, or would be among the first guesses.
// An empty username is nobody's.
func (p Policy) Check(password, username string) error {
	least := max(p.Min, LeastMin) // fail closed: Validate may not have been asked
	if p.Min == 0 {
		least = DefaultMin
	}
	if len(password) > MaxRunes*utf8.UTFMax { // nobody's megabyte is decoded
		return tooLong
	}
	if !utf8.ValidString(password) {
		return &PolicyError{"must be valid UTF-8"}
	}
	switch n := utf8.RuneCountInString(password); {
	case n > MaxRunes:
		return tooLong
	case n < least:
		return &PolicyError{fmt.Sprintf("must be at least %d characters", least)}
	}
	s := strings.ToLower(password)
	if username != "" && madeOf(s, strings.ToLower(username)) {
		return &PolicyError{"must not be the username, nor the username with digits or punctuation behind it"}
	}
	if slices.ContainsFunc(p.Words, func(word string) bool { return word != "" && madeOf(s, strings.ToLower(word)) }) {
		return &PolicyError{"must not be the name of this application, nor that with digits or punctuation behind it"}
	}
	if guessable(s) {
		return &PolicyError{"must not be a common password, a repetition or a sequence, nor that with digits or punctuation behind it"}
	}
	return nil
}

var tooLong = &PolicyError{fmt.Sprintf("must be at most %d characters", MaxRunes)}

// madeOf reports whether s is word, once or more often, with nothing but decoration behind it.
func madeOf(s, word string) bool {
	rest, found := strings.CutPrefix(s, word)
	for again := found; again; {
		rest, again = strings.CutPrefix(rest, word)
	}
	return found && strings.TrimFunc(rest, decoration) == ""
}

// decoration is what people put behind a word to please a rule.
func decoration(r rune) bool {
	return unicode.IsDigit(r) || unicode.IsPunct(r) || unicode.IsSymbol(r) || r == ' '
}
