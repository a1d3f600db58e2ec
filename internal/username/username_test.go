package username_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/ostiary/auth/internal/username"
)

func TestNamesOfOneAccountHaveOneKey(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, key string
		spellings []string
	}{
		{"U-01: case", "admin", []string{"admin", "Admin", "ADMIN", "aDmIn"}},
		{"U-01: case beyond ASCII", "пётр", []string{"Пётр", "ПЁТР", "пётр"}},
		{"U-01: case in a second plane", "𐐨𐐩", []string{"𐐀𐐁", "𐐨𐐩", "𐐀𐐩"}},
		{"U-01: case of Cherokee, whose key is in capitals", "ᎠᎡᏰ", []string{"ᎠᎡᏰ", "ꭰꭱᏸ", "Ꭰꭱᏸ"}},
		{"U-11: a letter that folding takes apart", "ǰan", []string{"ǰan", "ǰAN"}},
		{"U-12: sharp s", "strasse", []string{"straße", "strasse", "STRASSE", "STRAẞE"}},
		{"U-12: sigma at the end and inside", "σσ", []string{"σς", "σσ", "ΣΣ", "ςς"}},
		{"iota below", "ωι", []string{"ῳ", "ωι", "ΩΙ", "ῼ"}},
		{"U-14: a word with a meaning elsewhere is a name", "me", []string{"me", "ME"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, s := range tt.spellings {
				if got, err := username.Key(s); got != tt.key || err != nil {
					t.Errorf("%q: got %q, %v, want %q", s, got, err, tt.key)
				}
			}
		})
	}
}

func TestNamesOfOtherAccountsHaveOtherKeys(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, s := range []string{
		"admin", "admın", "аԁмі", "раураӏ", "ádmin", "admin2", "admin_", "adm in", "adm.in", "_admin", "x\u0301", "x\u0300",
		"null", "undefined", "true", "1e2", "100", "root", "O'Brien", "ann@example.com", "ann+tag@example.com", "1", "_",
		"田中", "タナカ", "たなか", "Tanakaタナカ", "田中さん-san", "김철수", "金철수", "ㄅㄆ中", "スーパー", "佐々木", "นางสาว", "ကြွှောင့်",
		"محمد", "דוד", "१२३", "राम", "Ålesund", "naïve",
	} {
		key, err := username.Key(s)
		if err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if seen[key] != "" {
			t.Errorf("%q and %q have the same key", s, seen[key])
		}
		seen[key] = s
	}
}

func TestKeyRefuses(t *testing.T) {
	t.Parallel()
	const (
		space     = "must not contain white space other than single spaces"
		ends      = "must not begin or end with a space"
		invisible = "must not contain control or invisible characters"
		character = "must not contain other characters than letters, digits, single spaces and . _ - @ + '"
		start     = "must begin with a letter, a digit or _"
		form      = "must not contain special forms of letters, such as ligatures or full-width ones"
		mark      = "must not contain accents that stand alone, pile up or repeat"
		mixed     = "must not mix letters of different alphabets"
		long      = "must be at most 64 characters"
		utf8      = "must be valid UTF-8"
		at        = "must contain at most one @"
	)
	tests := []struct {
		name, want string
		names      []string
	}{
		{"U-02: compatibility forms", form, []string{"ａｄｍｉｎ", "𝐚𝐝𝐦𝐢𝐧", "ſam", "ﬁona", "\u212aelvin", "\u212bngström", "ªb", "ｱ", "ŉa", "aǅ"}},
		{"U-02: a decomposed spelling", form, []string{"a\u0301nn", "A\u030angstro\u0308m", "admin\u0301", "\u1112\u1161\u11ab"}},
		{"U-02: signs that look like letters", start, []string{"ⓐⓓⓜⓘⓝ", "ⅷ", "²"}},
		{"U-03: a dot that can't be seen", mark, []string{"ADMİN", "admi\u0307n", "j\u0307", "i\u0316\u0307"}},
		{"U-05: two alphabets", mixed, []string{"аdmin", "admin\u03bf", "Ωmega", "ivan\u0438", "タナ김", "ㄅあ", "я中", "admin१", "u\u0660"}},
		{"U-05, U-06: accents", mark, []string{"x\u0301\u0301", "a.\u0323", "a \u0301b", "x" + strings.Repeat("\u0323\u0324\u0325", 3)}},
		{"U-06: zero width and format", invisible, []string{"admin\u200b", "\ufeffadmin", "ad\u00admin", "ad\u034fmin", "admin\u2060",
			"ad\u200dmin", "ad\u200cmin", "\u180eadmin", "admin\ufe0f", "admin\U000e0101", "admin\U000e0041", "\u115f", "a\u1160", "\u3164", "\uffa0", "ក\u17b4"}},
		{"U-07: bidirectional control", invisible, []string{"admin\u202e", "\u202dnimda", "a\u2066b", "\u200fa", "a\u061cb"}},
		{"U-07: Hebrew beside Latin", mixed, []string{"adminדוד"}},
		{"U-08: a space at an end", ends, []string{" admin", "admin ", " ", "  "}},
		{"U-08: other white space", space, []string{"ad  min", "admin\t", "\tadmin", "admin\u00a0", "admin\n", "ad\u3000min", "\u2028a", "a\u0085"}},
		{"U-09: control characters", invisible, []string{"admin\x00", "admin\x00x", "\x7f", "\x00", "a\x1b[31m", "a\u009fb"}},
		{"U-09: a header's end", space, []string{"\r\nSet-Cookie:", "a\r\nb"}},
		{"U-10: not UTF-8", utf8, []string{"adm\xffin", "a\xc0\xaf", "a\xed\xa0\x80", "\xff", "ann\xc3"}},
		{"U-10: what became of a lone surrogate", character, []string{"a\ufffd"}},
		{"U-13: none", "must not be empty", []string{""}},
		{"U-13: too long", long, []string{strings.Repeat("a", 65), strings.Repeat("𐐀", 65), strings.Repeat("a", 255), strings.Repeat("é", 256),
			strings.Repeat("a", 1<<20), "admin" + strings.Repeat(" ", 250) + "x", strings.Repeat("\xff", 300)}},
		{"U-13: too long once folded", long, []string{strings.Repeat("ß", 33)}},
		{"U-14: not a beginning", start, []string{".", "..", "-1", "--help", "@a", "+1", "'a", "%2e", "/", "\u0301a"}},
		{"U-14: syntax elsewhere", character, []string{"a/b", "a?b", "a#b", "a%2e", `a\b`, "a:b", "a|b", "a&b", "a=b", "a*b", "a!b", "a$b", "a~b", "a`b", "a(b", "a{b", "a[b", "a^b"}},
		{"U-15: SQL", character, []string{"admin'/*", "a' OR 1=1--", "a%", "a;b"}},
		{"U-15: SQL at the beginning", start, []string{"' OR 1=1--", `\'`, "%"}},
		{"U-16: more than one address", at, []string{"a@evil.example@corp.example", "a@b.example,evil@x", "@@"}},
		{"U-16: a list, quotes and headers", character, []string{"a@b.example,evil", "a<b>", "<a@b>"[1:], `a"b"@c`}},
		{"U-16: a quoted name", start, []string{`"a b"@c`, "<a@b>"}},
		{"U-16: a header in an address", space, []string{"a@b.example\nBcc:x"}},
		{"U-20: markup", character, []string{"a<script>", "a&amp;", `a"onload`}},
		{"signs, emoji, unassigned and private characters", character, []string{"a😀", "a☺", "a€", "a\u0378", "a\ue000", "a\ufdd0", "a½", "aⅧ", "a·b"}},
		{"Arabic stretched", character, []string{"محـمد"}},
		{"white space that is drawn", character, []string{"a\u2800b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, s := range tt.names {
				key, err := username.Key(s)
				var refused *username.Error
				if key != "" || !errors.As(err, &refused) {
					t.Errorf("%.80q: got %q, %v, want an *Error", s, key, err)
				} else if refused.Problem != tt.want {
					t.Errorf("%.80q: got %q, want %q", s, refused.Problem, tt.want)
				}
			}
		})
	}
}

// U-13: as long as may be, in each width.
func TestLongestNames(t *testing.T) {
	t.Parallel()
	for _, r := range []rune{'a', 'é', '中', '𐐀'} {
		name := strings.Repeat(string(r), 64)
		key, err := username.Key(name)
		if err != nil || utf8.RuneCountInString(key) != 64 || len(key) > 256 {
			t.Errorf("64 of %q: got %q, %v", r, key, err)
		}
	}
	if key, err := username.Key(strings.Repeat("ß", 32)); err != nil || key != strings.Repeat("s", 64) {
		t.Errorf("32 of 'ß': got %q, %v", key, err)
	}
}

// U-11: whatever character of an alphabet a name has, its key is a name with that key.
func TestEveryCharactersKeyIsStable(t *testing.T) {
	t.Parallel()
	taken := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if unicode.In(r, unicode.Han, unicode.Hangul) {
			continue // neither case nor, if taken, another form: most of the time for nothing
		}
		name := string(r)
		if unicode.IsMark(r) {
			name = "ω" + name
		}
		if key, err := username.Key(name); err == nil {
			taken++
			if key != name {
				isStable(t, name, key)
			}
		}
	}
	if taken < 20_000 {
		t.Errorf("got %d names of one character taken, want all letters", taken)
	}
}

func isStable(t *testing.T, name, key string) {
	t.Helper()
	if again, err := username.Key(key); again != key || err != nil {
		t.Errorf("%q has key %q, which has key %q, %v", name, key, again, err)
	}
}

// The short way for ASCII gives what the tables give: for all names of up to three characters, and random longer ones.
func TestASCIINeedsNoTables(t *testing.T) {
	t.Parallel()
	same := func(s string) {
		got, err := username.Key(s)
		want, wantErr := username.KeyByTables(s)
		if got != want || (err == nil) != (wantErr == nil) {
			t.Errorf("%q: got %q, %v, want %q, %v", s, got, err, want, wantErr)
		}
	}
	for a := range 128 {
		for b := range 128 {
			same(string([]byte{byte(a), byte(b)}))
			for _, c := range " '.@AZaz_" {
				same(string([]byte{byte(a), byte(b), byte(c)}))
			}
		}
		same(string([]byte{byte(a)}))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		s := make([]byte, 1+random.IntN(70))
		for i := range s {
			s[i] = "ABCXYZabcxyz019 ._-@+'"[random.IntN(22)]
		}
		same(string(s))
	}
}

func FuzzKey(f *testing.F) {
	for _, seed := range []string{
		"admin", "ADMİN", "straße", "ǰan", "ᎠᎡᏰꭰ", "ﬁona", "ad\u034fmin", "a@b@c", "O'Brien x", "田中タナカ", "x\u0345\u0301",
		"a\u0323\u0301", "\xff", "", "ᾷ", "ﾞ", strings.Repeat("ß", 40), "और", "\u1e9b\u0323",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		key, err := username.Key(name)
		if err != nil {
			var refused *username.Error
			if key != "" || !errors.As(err, &refused) || refused.Problem == "" {
				t.Errorf("got %q, %v, want an *Error and no key", key, err)
			}
			return
		}
		isStable(t, name, key)
		if key == "" || !utf8.ValidString(key) || utf8.RuneCountInString(key) > username.MaxRunes {
			t.Errorf("%q has key %q", name, key)
		}
		for _, s := range []string{name, key} {
			if strings.ContainsFunc(s, func(r rune) bool { return r != ' ' && !unicode.IsGraphic(r) || strings.ContainsRune(`/?#%\"<>,;:`, r) }) {
				t.Errorf("%q, with key %q, isn't for names", name, key)
			}
		}
		for _, other := range []string{strings.ToUpper(name), strings.ToLower(name)} {
			// Go's own mapping is simpler than folding: where it gives a name, that name mustn't be given twice as a key.
			if again, err := username.Key(other); err == nil && strings.EqualFold(name, other) && again != key {
				t.Errorf("%q has key %q, %q has %q", name, key, other, again)
			}
		}
	})
}
