package session_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/session"
	"github.com/ostiary/auth/internal/store"
)

// S-01
func TestTokensAndIDsAreRandomAndFitIntoURLs(t *testing.T) {
	t.Parallel()
	e := setup(t).engine(func(c *config) { c.PerUser = 0 })
	alice := user(t, e, "alice")
	n := 10_000
	if raceEnabled {
		n = 1000
	}
	// 43 characters of 6 bits, the last of 4: 256 bits.
	token, seen := regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`), map[string]bool{}
	enough := errors.New("that's enough")
	for len(seen) < n { // one transaction for all would run into its time limit on a slow machine
		err := e.Write(t.Context(), func(tx *store.Tx) error {
			for range 50 {
				text, err := e.Begin(tx, store.Session{User: alice})
				if err != nil {
					return err
				}
				if !token.MatchString(text) || seen[text] {
					t.Fatalf("a token doesn't fit, or was there before (%d tokens)", len(seen))
				}
				seen[text] = true
			}
			return enough
		})
		if err != enough {
			t.Fatal(err)
		}
	}
	ones, throws := 0, float64(256*len(seen)) // of a fair coin: one in 10^8 runs is farther off than 6 standard deviations
	for text := range seen {
		b, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if err != nil || len(b) != 32 {
			t.Fatalf("a token has %d bytes, %v", len(b), err)
		}
		for _, b := range b {
			for ; b > 0; b &= b - 1 {
				ones++
			}
		}
	}
	if off := math.Abs(float64(ones) - throws/2); off > 6*math.Sqrt(throws)/2 {
		t.Errorf("%d of %v bits are ones", ones, throws)
	}
}

// S-01
func TestNoWeakRandomNumbers(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") && strings.Contains(string(text), `"math/rand`) {
			t.Errorf("%s imports math/rand", name)
		}
	}
}

// S-02, S-22
func TestTheDatabaseHoldsNoToken(t *testing.T) {
	t.Parallel()
	f := setup(t)
	var logged strings.Builder
	e := f.engine(func(c *config) { c.Log = func(doing string, err error) { logged.WriteString(doing + err.Error()) } })
	alice := user(t, e, "alice")
	tokens := []string{login(t, e, alice), login(t, e, alice)}
	find(t, e, tokens[0])
	hash := hashOf(t, tokens[0])
	for _, name := range []string{f.base.Path, f.base.Path + "-wal"} {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range tokens {
			b, err := base64.RawURLEncoding.DecodeString(token)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(content), token) || strings.Contains(string(content), string(b)) {
				t.Errorf("%s holds a token", filepath.Base(name))
			}
		}
	}
	row, err := stored(t.Context(), f.db, hash)
	if err != nil || strings.Contains(row.ID, tokens[0][:8]) {
		t.Errorf("the row is %+v, %v: want it, with an id that tells nothing of the token", row, err)
	}
	for what, value := range map[string]string{
		"the hash in hex": hex.EncodeToString(hash[:]), "the hash in base64": base64.RawURLEncoding.EncodeToString(hash[:]),
		"the hash": string(hash[:]), "the public id": row.ID, "the id, as long as a token": (row.ID + row.ID + row.ID)[:43],
	} {
		if p, err := e.Find(t.Context(), value); err != errEnded || p != nil {
			t.Errorf("%s as a token: got %v, %v, want %v", what, p, err, errEnded)
		}
	}
	f.faults.Fail()
	_, err = e.Find(t.Context(), tokens[1])
	if !errors.Is(err, errUnavailable) {
		t.Fatalf("got %v, want %v", err, errUnavailable)
	}
	for _, text := range []string{err.Error(), logged.String()} {
		for _, secret := range []string{tokens[1], hex.EncodeToString(hash[:]), string(hash[:])} {
			if strings.Contains(text, secret) {
				t.Errorf("an error tells a secret: %q", text)
			}
		}
	}
}

// S-03, S-04
func TestOnlyTheExactTokenCounts(t *testing.T) {
	t.Parallel()
	e := setup(t).engine()
	token := login(t, e, user(t, e, "alice"))
	find(t, e, token)
	// The last character has 4 bits of the token, and 2 that a lenient decoder ignores.
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[42])
	same := token[:42] + string(alphabet[last^1])
	a, _ := base64.RawURLEncoding.DecodeString(token)
	b, _ := base64.RawURLEncoding.DecodeString(same)
	if string(a) != string(b) {
		t.Fatal("the test's own spelling decodes to other bytes")
	}
	for what, value := range map[string]string{
		"shorter by one":          token[:42],
		"without its first":       token[1:],
		"longer by one":           token + "A",
		"padded":                  token + "=",
		"twice":                   token + token,
		"in upper case":           strings.ToUpper(token),
		"in lower case":           strings.ToLower(token),
		"with its first flipped":  flip(token[:1]) + token[1:],
		"of the same bytes":       same,
		"with a space after":      token[:42] + " ",
		"with a zero byte":        token[:42] + "\x00",
		"of another alphabet":     strings.NewReplacer("-", "+", "_", "/").Replace(token[:41]) + "+/",
		"a prefix filled with As": token[:32] + strings.Repeat("A", 11),
		"empty":                   "",
	} {
		if value == token {
			continue // a token without a letter: one in 10^30
		}
		if p, err := e.Find(t.Context(), value); err != errEnded || p != nil {
			t.Errorf("%s: got %v, %v, want %v", what, p, err, errEnded)
		}
	}
	find(t, e, token)
}

func flip(letter string) string {
	if letter >= "A" && letter <= "Z" {
		return strings.ToLower(letter)
	}
	if letter >= "a" && letter <= "z" {
		return strings.ToUpper(letter)
	}
	return "A"
}

// sessionByHash begins the look-up of one session.
const sessionByHash = "SELECT token_hash, user_id, realm, seen_at, expires_at FROM auth_sessions WHERE token_hash = ?"

// C-09
func TestWhatCannotBeATokenIsNotLookedUp(t *testing.T) {
	t.Parallel()
	f := setup(t)
	e := f.engine()
	f.faults.Heal()
	for what, value := range map[string]string{
		"empty":         "",
		"a space":       strings.Repeat("A", 42) + " ",
		"a comma":       strings.Repeat("A", 42) + ",",
		"escaped":       strings.Repeat("A", 40) + "%41",
		"a zero byte":   strings.Repeat("A", 42) + "\x00",
		"no UTF-8":      strings.Repeat("A", 42) + "\xff",
		"a long s":      strings.Repeat("A", 41) + "ſ",
		"a star":        strings.Repeat("*", 43),
		"one too short": strings.Repeat("A", 42),
		"one too long":  strings.Repeat("A", 44),
		"5 KiB":         strings.Repeat("A", 5<<10),
		"1 MiB":         strings.Repeat("A", 1<<20),
	} {
		if p, err := e.Find(t.Context(), value); err != errEnded || p != nil {
			t.Errorf("%s: got %v, %v, want %v", what, p, err, errEnded)
		}
		if _, ok := session.HashOf(value); ok {
			t.Errorf("%s: it has a hash", what)
		}
	}
	if got := calls(f.faults, "SELECT token_hash"); got != 0 {
		t.Errorf("the database was asked %d times", got)
	}
	refused(t, e, strings.Repeat("A", 43), errEnded)
	if got := calls(f.faults, sessionByHash); got != 1 {
		t.Errorf("for what may be a token, the database was asked %d times, want 1", got)
	}
}

// FuzzHashOf: what has a hash is what Begin could have given.
func FuzzHashOf(f *testing.F) {
	for _, seed := range []string{"", strings.Repeat("A", 43), strings.Repeat("_", 42) + "=", strings.Repeat("é", 43), session.Filled(7)} {
		f.Add(seed)
	}
	shape := regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	f.Fuzz(func(t *testing.T, token string) {
		hash, ok := session.HashOf(token)
		if ok != shape.MatchString(token) {
			t.Errorf("%q: got %v", token, ok)
		}
		if ok == (hash == [32]byte{}) {
			t.Errorf("%q: a hash of zeros", token)
		}
	})
}
