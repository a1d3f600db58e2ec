package password_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ostiary/auth/internal/password"
)

// refusal returns the problem that p has with the password of alice, "" if it has none.
func refusal(t testing.TB, p password.Policy, secret string) string {
	t.Helper()
	err := p.Check(secret, "Alice7")
	if err == nil {
		return ""
	}
	var refused *password.PolicyError
	if !errors.As(err, &refused) || refused.Problem == "" {
		t.Fatalf("%q: got %v, want a *PolicyError", secret, err)
	}
	return refused.Problem
}

const (
	guessed   = "must not be a common password, a repetition or a sequence, nor that with digits or punctuation behind it"
	isUser    = "must not be the username, nor the username with digits or punctuation behind it"
	isApp     = "must not be the name of this application, nor that with digits or punctuation behind it"
	short15   = "must be at least 15 characters"
	short8    = "must be at least 8 characters"
	tooLong   = "must be at most 256 characters"
	notUTF8   = "must be valid UTF-8"
	unguessed = "Zq7 kfwobM4 upn"
)

func TestPolicy(t *testing.T) {
	t.Parallel()
	strict := password.Policy{Words: []string{"Ostiary", "Notebook Hub"}}
	eight := password.Policy{Min: 8, Words: []string{"Ostiary"}}
	tests := []struct {
		name      string
		policy    password.Policy
		passwords []string
		want      string
	}{
		{"P-01: 15 are enough by default", strict, []string{"kfwobmxupnzqjte", "кфвобмхупнзщйте"}, ""},
		{"P-01: 14 are not", strict, []string{"kfwobmxupnzqjt", "кфвобмхупнзщйт", strings.Repeat("😀", 14)}, short15},
		{"P-01: 8 are enough where they are said to be", eight, []string{"kfwobmxu", "пароль12"}, ""},
		{"P-01: 7 are not", eight, []string{"kfwobmx", "пароль1", "password"[:7]}, short8},
		{"P-01: 7 aren't whatever the policy says", password.Policy{Min: 1}, []string{"kfwobmx", ""}, short8},
		{"P-02: up to 256", strict, []string{strings.Repeat("kfwobmxu", 8), strings.Repeat("kfwobmxu", 16), strings.Repeat("kfwobmxu", 32),
			strings.Repeat("😀", 256), strings.Repeat("a", 64), strings.Repeat("a", 256)}, ""},
		{"P-02: no more than 256", strict, []string{strings.Repeat("kfwobmxu", 32) + "x", strings.Repeat("😀", 257), strings.Repeat("a", 1024),
			strings.Repeat("a", 1<<20), strings.Repeat("\xff", 1<<20)}, tooLong},
		{"P-04: NUL is a character", strict, []string{"kfwobmx\x00upnzqjt"}, ""},
		{"P-04: invalid UTF-8", strict, []string{"\xff\xfekfwobmxupnzqjte", "kfwobmxupnzqjte\xc3", "kfwob\xed\xa0\x80mxupnzqjte"}, notUTF8},
		{"P-06: white space counts", strict, []string{" kfwobmxupnzqj ", strings.Repeat(" ", 14) + "\t", "\nkfwob mxup nzq"}, ""},
		{"P-07: no composition rules", strict, []string{"aaaaaaaaaaaaaaaz1", "aaaaaaaaaaaaaaa1", "kfwobmxupnzqjtekfwzb", "zaaaaaaaaaaaaaaa",
			"correct horse battery staple", "31415926535897932", "пароль и ещё слово", unguessed}, ""},
		{"P-08: common, as it is", eight, []string{"password", "password1", "12345678", "iloveyou", "trustno1", "qwertyuiop", "1qaz2wsx", "baseball"}, guessed},
		{"P-08: common, in another case", eight, []string{"PassWord", "PASSWORD1", "Trustno1", "ILoveYou"}, guessed},
		{"P-08: common, with something behind it", strict, []string{"password1234567", "Password2024!!!", "qwerty987654321", "monkey-10-10-10", "dragon!!!!!!!!!"}, guessed},
		{"P-08: common, repeated", strict, []string{"passwordpassword", "PasswordPassword", "passwordpasswor", "monkey12monkey12", "letmein!letmein!", "dragondragondragon1"}, guessed},
		{"P-08: too few characters, repeated", strict, []string{"aaaaaaaaaaaaaaaa", "AAAAAAAAAAAAAAAa", "!!!!!!!!!!!!!!!", "1212121212121212", "x7!x7!x7!x7!x7!", "kfwobmxkfwobmxk", "жжжжжжжжжжжжжжж", "               "}, guessed},
		{"P-08: along the keyboard", strict, []string{"123456789012345", "0123456789012345", "987654321098765", "qwertyuiopasdfgh", "QwertyuiopAsdfgh",
			"poiuytrewqlkjhg", "abcdefghijklmno", "1qaz2wsx3edc4rfv", "q1w2e3r4t5y6u7i8o9", "abc123abc123abc", "qwertyuiopasdf1!", "1234qwerasdfzxcv", "azertyuiopqsdfghjklm"}, guessed},
		{"P-08: enough characters, repeated", strict, []string{"kfwobmxukfwobmxu", "кфвобмхукфвобмху"}, ""},
		{"P-08: hardly along the keyboard", strict, []string{"qwertyuiopasdfg kf", "1234567890kfwob", "stu-1987-0401-33"}, ""},
		{"P-08: the username", eight, []string{"Alice7Alice7", "alice777", "ALICE7!!", "alice7alice7alice7-2024", "alice7" + strings.Repeat("8", 99)}, isUser},
		{"P-08: only begun with the username", strict, []string{"alice7 kfwobmxupn", "alice7kfwobmxupn1"}, ""},
		{"P-08: the application's name", strict, []string{"ostiaryostiary1", "Ostiary12345678", "OSTIARY!!!!!!!!", "notebook hub 12"[:12] + "345", "notebook hub"[:12] + "!!!"}, isApp},
		{"P-08: more than the application's name", strict, []string{"ostiary kfwobmx", "kfwobmx ostiary"}, ""},
		{"P-15: none", strict, []string{""}, short15},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := tt.policy.Validate(); err != nil && tt.policy.Min != 1 {
				t.Fatal(err)
			}
			for _, s := range tt.passwords {
				if got := refusal(t, tt.policy, s); got != tt.want {
					t.Errorf("%.80q: got %q, want %q", s, got, tt.want)
				}
			}
		})
	}
}

func TestNobodysNameRefusesNothing(t *testing.T) {
	t.Parallel()
	p := password.Policy{Min: 8, Words: []string{""}} // which Validate would refuse
	if err := p.Check("90417263", ""); err != nil {
		t.Error(err)
	}
}

func TestValidatePolicy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		policy password.Policy
		want   string // in the error; "": none
	}{
		{password.Policy{}, ""},
		{password.Policy{Min: 8}, ""},
		{password.Policy{Min: 256, Words: []string{"app", "42nd"}}, ""},
		{password.Policy{Min: 7}, "Policy.Min"}, // P-01
		{password.Policy{Min: -1}, "Policy.Min"},
		{password.Policy{Min: 257}, "Policy.Min"},
		{password.Policy{Words: []string{"app", ""}}, "Policy.Words"},
		{password.Policy{Words: []string{"2024!"}}, "Policy.Words"},
		{password.Policy{Words: []string{"a\xff"}}, "Policy.Words"},
	} {
		err := tt.policy.Validate()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %q", tt.policy, err, tt.want)
		}
	}
}

// P-08: every entry of the list, in any case, is refused, and the list is as the search needs it.
func TestEveryCommonPasswordIsRefused(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("common/list.txt")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if !slices.IsSorted(words) || len(slices.Compact(slices.Clone(words))) != len(words) {
		t.Fatal("the list isn't sorted, or names a password twice")
	}
	p := password.Policy{Min: 8}
	long := 0
	for _, word := range words {
		if word != strings.ToLower(word) || strings.ContainsAny(word, " \t\r") {
			t.Errorf("%q: want lower case without blanks", word)
		}
		if utf8.RuneCountInString(word) >= 8 {
			long++
		} else if strings.ContainsAny(word, "abcdefghijklmnopqrstuvwxyz") {
			word += "12345" // at least 9: the short ones are there for what people make of them
		} else {
			continue // a short number: most numbers begin with one
		}
		for _, s := range []string{word, strings.ToUpper(word), strings.ToUpper(word[:1]) + word[1:], word + "!", word + word} {
			if got := refusal(t, p, s); got != guessed {
				t.Errorf("%q: got %q, want %q", s, got, guessed)
			}
		}
	}
	if long < 3000 { // ASVS 6.2.4
		t.Errorf("got %d entries of at least 8 characters, want 3,000", long)
	}
}

// The problem is told in the same words whatever the password.
func TestPolicyErrorHoldsNoPassword(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"letmein", "letmein1letmein1", "ostiary9999999999", "alice79999999999", "\xffletmeinletmein", strings.Repeat("letmein", 99)} {
		err := password.Policy{Words: []string{"ostiary"}}.Check(secret, "alice7")
		if err == nil {
			t.Errorf("%q is accepted", secret)
			continue
		}
		for _, part := range []string{"letmein", "ostiary", "alice", "999"} {
			if strings.Contains(err.Error(), part) {
				t.Errorf("%q shows in %q", part, err)
			}
		}
	}
}

func FuzzPolicyCheck(f *testing.F) {
	for _, seed := range []string{"", "password", "correct horse battery staple", "aaaaaaaaaaaaaaaz1", "1qaz2wsx3edc4rfv", "жжжжжжжж", "\xff\xfe",
		"alice777", "App!App!", strings.Repeat("😀", 257), "İİİİİİİİ", "12345678", unguessed} {
		f.Add(seed, "alice", 8)
		f.Add(seed, seed, 0)
	}
	f.Fuzz(func(t *testing.T, secret, username string, least int) {
		p := password.Policy{Min: least, Words: []string{"app"}}
		if err := p.Check(secret, username); err != nil {
			var refused *password.PolicyError
			if !errors.As(err, &refused) || refused.Problem == "" {
				t.Errorf("got %v, want a *PolicyError", err)
			}
			return
		}
		if least == 0 {
			least = 15
		}
		n := utf8.RuneCountInString(secret)
		if n < max(least, 8) || n > 256 || !utf8.ValidString(secret) {
			t.Errorf("%q of %d runes is accepted with a minimum of %d", secret, n, least)
		}
		if secret == username || strings.ToLower(secret) == "password" { // EqualFold would take "paſſword" for it, which nobody guesses first
			t.Errorf("%q is accepted for %q", secret, username)
		}
	})
}

// What chance makes is taken: the rules are about what people make.
func TestRandomPasswordsAreTaken(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	p := password.Policy{Min: 8, Words: []string{"app"}}
	for _, alphabet := range []string{"abcdefghijklmnopqrstuvwxyz0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"} {
		refused := 0
		for range 10_000 {
			s := make([]byte, 8)
			for i := range s {
				s[i] = alphabet[random.IntN(len(alphabet))]
			}
			if refusal(t, p, string(s)) != "" {
				refused++
			}
		}
		if refused > 10 { // a short common word with digits behind it can come about
			t.Errorf("got %d of 10,000 refused", refused)
		}
	}
}
