package userauth_test

import (
	"encoding/base64"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store/storetest"
	"github.com/ostiary/auth/userauth"
)

// The expression that the documentation gives to scanners.
var tokenPattern = regexp.MustCompile(`^ost_[A-Za-z0-9_-]{49}$`)

// spelled gives a secret the form of a token, as its documentation says.
func spelled(secret string) string {
	crc := crc32.ChecksumIEEE([]byte("ost_" + secret))
	return "ost_" + secret + base64.RawURLEncoding.EncodeToString([]byte{byte(crc >> 24), byte(crc >> 16), byte(crc >> 8), byte(crc)})
}

func TestTokenText(t *testing.T) {
	t.Parallel()
	text, secret := userauth.NewSecret()
	if !tokenPattern.MatchString(text) || text != spelled(secret) {
		t.Errorf("got %q of %q, want %q", text, secret, spelled(secret))
	}
	if raw, err := base64.RawURLEncoding.DecodeString(secret); err != nil || len(raw) != 32 { // K-02
		t.Errorf("got %d bytes, %v, want 32", len(raw), err)
	}
	if other, _ := userauth.NewSecret(); other == text {
		t.Error("twice the same")
	}
	if got, ok := userauth.SecretOf(text); got != secret || !ok {
		t.Errorf("got %q, %t", got, ok)
	}
	// Each single wrong character is told by the checksum, also one of two that base64 takes for the same bytes.
	for i := range len(text) {
		for _, c := range []byte("AB_z9") {
			if wrong := text[:i] + string(c) + text[i+1:]; wrong != text {
				if _, ok := userauth.SecretOf(wrong); ok {
					t.Errorf("%q passes for %q", wrong, text)
				}
			}
		}
	}
}

// malformed are texts that begin as tokens do and can't be one.
func malformed() map[string]string {
	text, secret := userauth.NewSecret()
	return map[string]string{
		"the prefix alone": "ost_", "cut off": text[:len(text)-1], "longer": text + "A", "another checksum": text[:len(text)-1] + other(text[len(text)-1]),
		"another secret": text[:10] + other(text[10]) + text[11:], "no checksum": "ost_" + secret, "two": text + "," + text, "blanks behind": text + " ",
		"a parameter": text + " x=y", "another alphabet": spelled(secret[:42] + "+"), "quoted inside": "ost_\"" + text[5:], "not ASCII": spelled("é" + secret[2:]), "in upper case": "ost_" + strings.ToUpper(text[4:]),
	}
}

func other(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

// K-02: what can't be a token is refused without a question to the database, and without an allocation before the answer.
// AllocsPerRun counts the whole process: not parallel.
func TestMalformedTokens(t *testing.T) {
	db, faults := storetest.Open(t, t.TempDir()+"/app.db")
	s := siteOver(t, db)
	s.add("alice", siteReads)
	b := s.browser()
	good := s.token("alice", userauth.NewToken{Name: "good"})
	admitted(t, "before", b.get("/", bearing(good)))
	faults.Fail() // whoever asks the database now is answered 503
	defer faults.Heal()
	for name, text := range malformed() {
		refused(t, name, b.get("/", bearing(text)), http.StatusUnauthorized)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+text)
		var err error
		if got := testing.AllocsPerRun(100, func() { _, err = s.users.Identify(r) }); (got != 0 && !raceEnabled) || err != auth.ErrInvalidCredentials {
			t.Errorf("%s: got %v allocations and %v, want none and %v", name, got, err, auth.ErrInvalidCredentials)
		}
	}
}

// V-13: whatever stands in the header, nobody is let in by it who has no token, and only what has our prefix is judged.
func FuzzTokens(f *testing.F) {
	text, _ := userauth.NewSecret()
	for _, seed := range []string{
		"", "Bearer", "Bearer ", "Bearer ost_", "bearer  " + text, "token " + text, "TOKEN\t" + text, "Basic " + text, "Bearer " + text + "," + text, "\u212aearer " + text,
		"Bearer\x00" + text, "Bearer " + text[:52], " Bearer " + text, "Bearer OST_" + text[4:], "ToKeN \xff", "Bearer" + text,
	} {
		f.Add(seed, "")
		f.Add(seed, seed)
	}
	s := newSite(f)
	s.add("alice", nil)
	f.Fuzz(func(t *testing.T, first, second string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{first}
		if second != "" {
			r.Header["Authorization"] = []string{first, second}
		}
		id, err := s.users.Identify(r)
		_, ours := userauth.Offered(r.Header["Authorization"])
		switch want := auth.ErrNoCredentials; {
		case ours:
			want = auth.ErrInvalidCredentials
			fallthrough
		default:
			if id != nil || err != want {
				t.Errorf("%q: got %v, %v, want %v", r.Header["Authorization"], id, err, want)
			}
		}
		if ours && !strings.Contains(first+second, "ost_") {
			t.Errorf("%q passes for ours", r.Header["Authorization"])
		}
	})
}
