package password_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/password"
)

// A foreign hash is one that another program made.
type foreign struct{ by, password, hash string }

func foreignHashes(t testing.TB) (all []foreign) {
	t.Helper()
	file, err := os.Open("testdata/foreign.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) != 3 {
			t.Fatalf("%q: want three fields", lines.Text())
		}
		all = append(all, foreign{fields[0], fields[1], fields[2]})
	}
	if err := lines.Err(); err != nil || len(all) < 40 {
		t.Fatalf("got %d hashes, %v", len(all), err)
	}
	return all
}

// PH-01, PH-10: what another program has hashed is verified, and whatever it is, it is to be replaced.
func TestForeignHashes(t *testing.T) {
	t.Parallel()
	for i, f := range foreignHashes(t) {
		if raceDetector() && i%4 > 0 {
			continue // with it they take minutes, and none has a goroutine
		}
		t.Run(fmt.Sprintf("%d by %s", i, f.by), func(t *testing.T) {
			t.Parallel()
			h := mustParse(t, f.hash)
			if got := h.Encoded(); got != f.hash {
				t.Errorf("got encoded %q, want what was parsed", got)
			}
			if h != mustParse(t, f.hash) {
				t.Error("the same hash isn't equal to itself")
			}
			if own := strings.HasPrefix(f.hash, "$argon2id$"); h.Weaker(password.Params{Memory: 8, Time: 1, Threads: 1}) == own {
				t.Errorf("%s: got Weaker %v", f.hash, !own)
			}
			v := hasher(t)
			if ok, err := v.Verify(t.Context(), h, f.password); !ok || err != nil {
				t.Errorf("%s: the right password: got %v, %v, want true, nil", f.hash, ok, err)
			}
			// P-04 and P-06 among them: a NUL or a blank more is another password.
			for _, wrong := range []string{f.password + "\x00", f.password + " ", ""} {
				if wrong == f.password {
					continue
				}
				if ok, err := v.Verify(t.Context(), h, wrong); ok || err != nil {
					t.Errorf("%s: %q: got %v, %v, want false, nil", f.hash, wrong, ok, err)
				}
			}
		})
	}
}

// P-02, P-04: where a format can't tell two passwords apart, or was never made for one, that one matches nothing. Each of the
// others would match if it were left to the format.
func TestNoPasswordStandsForAnother(t *testing.T) {
	t.Parallel()
	const pbkdf2 = "$pbkdf2-sha256$29000$PGcshVBKidE6R6h1zlnLuQ$4WTpN.WyueJe4iu01F008QDyf./x2qURuZ74ZQ2mCtI"
	const scrypt = "$scrypt$ln=14,r=8,p=1$XStFSOmd876XMkZIiTGmVA$/CwKRWxY6A3anQy/Tgv5w5EJr3gvVzQjMEq7+m4yKgg"
	const passlib = "Zwölf Boxkämpfer jagen Viktor"
	tests := []struct{ name, hash, right, other string }{
		{"bcrypt reads 72 bytes", "$2b$05$abcdefghijklmnopqrstuujf8SX2ahXLwp9w/B.Y5XdysS6yR576q", strings.Repeat("x", 72), strings.Repeat("x", 73)},
		{"bcrypt repeats what a NUL ends", "$2b$05$abcdefghijklmnopqrstuu8.veTXNDPV2eEsdpKNczMw2otgh5LnK", "a", "a\x00a"},
		{"the same, by its other name", "$2a$05$abcdefghijklmnopqrstuu8.veTXNDPV2eEsdpKNczMw2otgh5LnK", "a", "a\x00a"},
		{"HMAC fills up with NULs, in PBKDF2", pbkdf2, passlib, passlib + "\x00"},
		{"HMAC fills up with NULs, in scrypt", scrypt, passlib, passlib + "\x00\x00"},
		{"SHA-512 crypt takes 1,024 bytes", "$6$rounds=1000$lengths$j9sFjaGwYCylzs0lJwuOxoCKhazr.oAXjruBWmpoVFqCHBVnw1oiLCBrNxlpAvejhg0akNHo/3ZEqMw7fv7Rf1", strings.Repeat("p", 1024), strings.Repeat("p", 1025)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := mustParse(t, tt.hash)
			for pass, want := range map[string]bool{tt.right: true, tt.other: false} {
				if ok, err := hasher(t).Verify(t.Context(), h, pass); ok != want || err != nil {
					t.Errorf("%q: got %v, %v, want %v, nil", pass, ok, err, want)
				}
			}
		})
	}
	tooLong := mustParse(t, "$6$rounds=1000$lengths$ScHVZAWVu4Uk7DNvSdyEYnv03txbux6JxtVPc.CPg4eHyhb87N/D2ONlbkynIPyM6LgCtfIlW3W7tTSMKvY2p.")
	if ok, err := hasher(t).Verify(t.Context(), tooLong, strings.Repeat("p", 1025)); ok || err != nil {
		t.Errorf("SHA-512 crypt of 1,025 bytes: got %v, %v, want false, nil: its work grows with the square", ok, err)
	}
}
