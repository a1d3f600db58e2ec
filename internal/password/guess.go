package password

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// list is sorted, one password a line. Where it comes from: common/README.md.
//
//go:embed common/list.txt
var list string

var commonWords = sync.OnceValue(func() []string { return strings.Fields(list) }) // at the first use: not every program checks

func common(s string) bool {
	_, found := slices.BinarySearch(commonWords(), s)
	return found
}

// patience is the length from which a password is taken whatever its pattern. ASVS 6.2.9 wants 64 characters permitted,
// and whoever types that many has left everybody's list of guesses behind, if only by their number.
const patience = 64

// guessable reports whether s, in lower case, is among the first guesses: a common password, alone, repeated or with
// decoration behind it; a run over the keyboard, the digits or the alphabet; or a repetition of anything that would be
// too short to be a password by itself.
func guessable(s string) bool {
	if utf8.RuneCountInString(s) >= patience {
		return false
	}
	word, unit := strings.TrimRightFunc(s, decoration), repeated(s)
	return decorated(s) || decorated(unit) || decorated(repeated(word)) || utf8.RuneCountInString(unit) < LeastMin ||
		sequence(s) || len(word) >= LeastMin && sequence(word)
}

// decorated reports whether s is a common password with or without decoration behind it. Behind one of digits only
// punctuation counts, since most numbers begin with a common one.
func decorated(s string) bool {
	least := len(strings.TrimRightFunc(s, decoration))
	if least == 0 {
		least = len(strings.TrimRightFunc(s, func(r rune) bool { return decoration(r) && !unicode.IsDigit(r) }))
	}
	for n := len(s); n >= least; n-- { // "trustno1!" is "trustno1" decorated, not only "trustno"
		if common(s[:n]) {
			return true
		}
	}
	return false
}

// repeated returns the shortest beginning of s that gives s when it is said again and again, one and a half times at
// least; s itself if there is none. (A shorter echo is chance: many a password ends with its first character.)
func repeated(s string) string {
	for n := 1; n < len(s) && (len(s)-n)*2 >= n; n++ {
		if s[n:] == s[:len(s)-n] { // s[n:] begins as s does, so no rune is cut in two
			return s[:n]
		}
	}
	return s
}

// rows are what fingers run along, forwards and backwards, round and round.
var rows = []string{
	"1234567890",
	"abcdefghijklmnopqrstuvwxyz",
	"qwertyuiopasdfghjklzxcvbnm",
	"qwertzuiopasdfghjklyxcvbnm",
	"azertyuiopqsdfghjklmwxcvbn",
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm",
	"qazwsxedcrfvtgbyhnujmikolp",
	"1q2w3e4r5t6y7u8i9o0p",
	"q1w2e3r4t5y6u7i8o9p0",
}

const shortestRun = 3 // as in "abc123"

// sequence reports whether s is put together of nothing but runs along the rows.
func sequence(s string) bool {
	for s != "" {
		n := run(s)
		if n < shortestRun {
			return false
		}
		s = s[n:]
	}
	return true
}

// run returns the length of the longest run that s, which isn't empty, begins with.
func run(s string) (longest int) {
	for _, row := range rows {
		start := strings.IndexByte(row, s[0])
		if start < 0 {
			continue
		}
		for _, step := range []int{1, len(row) - 1} { // forwards, backwards
			n := 0
			for at := start; n < len(s) && s[n] == row[at]; n++ {
				at = (at + step) % len(row)
			}
			longest = max(longest, n)
		}
	}
	return longest
}
