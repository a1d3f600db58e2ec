package password_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/password"
)

const (
	salt8 = "c29tZXNhbHQ"                                 // "somesalt"
	tag32 = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc" // PH-01
)

// hasher returns one that is cheap in its own hashes; what a stored hash costs, it still costs.
func hasher(t testing.TB) *password.Hasher {
	t.Helper()
	h, err := password.NewHasher(password.Config{Params: password.Params{Memory: 64, Time: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func mustParse(t testing.TB, encoded string) password.Hash {
	t.Helper()
	h, err := password.Parse(encoded)
	if err != nil {
		t.Fatalf("%s: %v", encoded, err)
	}
	return h
}

// PH-01, GO8, JS28, JS31
func TestKnownAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, encoded, right string
		wrong                []string
	}{
		{"PH-01: the reference implementation's", "$argon2id$v=19$m=65536,t=2,p=1$" + salt8 + "$" + tag32,
			"password", []string{"passwore", "", "password ", "Password"}},
		{"PH-01: two threads in little memory", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
			"password", []string{"passwor"}},
		{"PH-01: another salt", "$argon2id$v=19$m=65536,t=2,p=1$ZGlmZnNhbHQ$vfMrBczELrFdWP0ZsfhWsRPaHppYdP3MVEMIVlqoFBw",
			"password", []string{"differentpassword"}},
		{"GO8: the length of the tag comes from the hash", "argon2:$argon2id$v=19$m=4096,t=3,p=1$b3N0aWFyeS1zYWx0LTI0Yg$q4sq35MiATayHxEIIK1ROC18zxQNcm2q",
			"Zwölf Boxkämpfer :: jagen", []string{"Zwölf Boxkämpfer", "Zwo\u0308lf Boxka\u0308mpfer :: jagen"}},
		{"PH-10: argon2i with Jupyter's prefix", "argon2:$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
			"password", []string{"passwore"}},
		{"JS31: Jupyter's SHA-1", "sha1:0e112c3ddfce:a68df677475c2b47b6e86d0467eec97ac5f4b85a",
			"mypassword", []string{"mypassword0e112c3ddfce", "", "0e112c3ddfce"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := mustParse(t, tt.encoded)
			if got := h.Encoded(); got != tt.encoded {
				t.Errorf("got encoded %q, want what was parsed", got)
			}
			ok, err := hasher(t).Verify(t.Context(), h, tt.right)
			if !ok || err != nil {
				t.Errorf("the right password: got %v, %v, want true, nil", ok, err)
			}
			for _, wrong := range append(tt.wrong, tt.encoded, "a:b", "a:b:c:d") { // JS28
				if ok, err := hasher(t).Verify(t.Context(), h, wrong); ok || err != nil {
					t.Errorf("%q: got %v, %v, want false, nil", wrong, ok, err)
				}
			}
		})
	}
}

// PH-03 to PH-11, JS32
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	phc := func(params string) string { return "$argon2id$v=19$" + params + "$" + salt8 + "$" + tag32 }
	parts := func(salt, tag string) string { return "$argon2id$v=19$m=65536,t=2,p=1$" + salt + "$" + tag }
	good := phc("m=65536,t=2,p=1")
	tests := []struct {
		name  string
		input []string
	}{
		{"PH-03: no pass or no thread", []string{phc("m=65536,t=0,p=1"), phc("m=65536,t=2,p=0"), phc("m=0,t=2,p=1")}},
		{"PH-04: an empty tag", []string{parts(salt8, "")}},
		{"PH-05: a short tag or salt", []string{parts(salt8, "AA"), parts(salt8, "AAAA"), parts(salt8, strings.Repeat("A", 20)),
			parts("", tag32), parts("AAAAAAAAAA"[:9], tag32), parts("$", tag32)}},
		{"a long tag or salt", []string{parts(salt8, strings.Repeat("A", 87)), parts(strings.Repeat("A", 87), tag32),
			parts(strings.Repeat("A", 4000), tag32)}},
		{"PH-06: a huge cost", []string{phc("m=4294967295,t=2,p=1"), phc("m=1073741824,t=2,p=1"), phc("m=262145,t=2,p=1"),
			phc("m=65536,t=4294967295,p=1"), phc("m=65536,t=33,p=1"), phc("m=8,t=65,p=1"), phc("m=65536,t=2,p=255"), phc("m=65536,t=2,p=256"),
			phc("m=65536,t=2,p=257"), phc("m=65536,t=2,p=17"), phc("m=18446744073709551617,t=2,p=1"),
			phc("m=65536,t=18446744073709551617,p=1"), phc("m=65536,t=2,p=18446744073709551617")}},
		{"less memory than the threads need", []string{phc("m=7,t=2,p=1"), phc("m=127,t=2,p=16")}},
		{"PH-07: a number that isn't plainly decimal", []string{phc("m=+65536,t=2,p=1"), phc("m=065536,t=2,p=1"),
			phc("m= 65536,t=2,p=1"), phc("m=6e4,t=2,p=1"), phc("m=0x10000,t=2,p=1"), phc("m=-1,t=2,p=1"), phc("m=65_536,t=2,p=1"),
			phc("m=,t=2,p=1"), phc("m=65536,t=+2,p=1"), phc("m=65536,t=2,p=01"), phc("m=٦٥٥٣٦,t=2,p=1"), phc("m=65536.0,t=2,p=1")}},
		{"PH-08: another order, a field too few or too many", []string{phc("t=2,m=65536,p=1"), phc("m=65536,t=2"), phc(""),
			phc("m=65536,m=65536,p=1"), phc("m=65536,m=65536,t=2,p=1"), phc("m=65536,t=2,p=1,keyid=AAAA"), phc("m=65536,t=2,p=1,data=AAAA"),
			phc("m=65536,t=2,p=1,"), phc("M=65536,t=2,p=1"), phc("m=65536,t=2,p=1 "), phc("m=65536;t=2;p=1")}},
		{"PH-08: something before or behind", []string{good + "$", good + "\n", good + " ", " " + good, "\n" + good, "$" + good, good + "\x00", good + good, good[1:]}},
		{"PH-09: another version or none", []string{strings.Replace(good, "v=19$", "", 1), strings.Replace(good, "v=19", "v=16", 1),
			strings.Replace(good, "v=19", "v=20", 1), strings.Replace(good, "v=19", "v=019", 1), strings.Replace(good, "v=19", "19", 1)}},
		{"PH-10: another algorithm", []string{strings.Replace(good, "argon2id", "argon2d", 1),
			strings.Replace(good, "argon2id", "Argon2id", 1), "argon2:" + strings.Replace(good, "argon2id", "argon2d", 1),
			"Argon2:" + good, "argon2:argon2:" + good, "argon2: " + good, "argon2:", "bcrypt:" + good,
			"{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr", "5f4dcc3b5aa765d61d8327deb882cf99"}},
		{"PH-11: base64 in another spelling", []string{parts(salt8+"=", tag32), parts(salt8, tag32+"="), parts(salt8[:10]+"R", tag32),
			parts(salt8, tag32[:42]+"d"), parts("c29tZX\nNhbHQ", tag32), parts(salt8, tag32[:4]+"\r\n"+tag32[4:]), parts("____________", tag32),
			parts(salt8, strings.Repeat("-", 44)), parts("c29t ZXNhbHQ", tag32)}},
		{"JS32: not a hash of Jupyter's", []string{"sha1::", "nope:aa:bb", "a:b", "bareword", "", "sha1:", "sha1", "sha1:aa",
			"sha1::a68df677475c2b47b6e86d0467eec97ac5f4b85a", "sha1:aa:", "sha1:aa:a68df677475c2b47b6e86d0467eec97ac5f4b8",
			"sha1:aa:a68df677475c2b47b6e86d0467eec97ac5f4b85a00", "sha1:aa:g68df677475c2b47b6e86d0467eec97ac5f4b85a",
			"sha1:aa:bb:a68df677475c2b47b6e86d0467eec97ac5f4b85a", "sha256:aa:a68df677475c2b47b6e86d0467eec97ac5f4b85a",
			"sha1:aa:a68df677475c2b47b6e86d0467eec97ac5f4b85a\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, input := range tt.input {
				h, err := password.Parse(input)
				if err == nil {
					t.Errorf("%q: got no error", input)
					continue
				}
				if h != (password.Hash{}) {
					t.Errorf("%q: got a hash along with the error", input)
				}
				for _, part := range strings.FieldsFunc(input, func(r rune) bool { return strings.ContainsRune(":$,= ", r) }) {
					if len(part) > 8 && strings.Contains(err.Error(), part) { // the shorter ones are words of the format
						t.Errorf("%q: the error repeats the input: %v", input, err)
					}
				}
			}
		})
	}
	mustParse(t, good) // so that the table's inputs are refused for what they say
}

func TestWeaker(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, encoded string
		want          bool
	}{
		{"the same cost", "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + tag32, false},
		{"more", "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$" + tag32, false},
		{"more threads for the same work", "$argon2id$v=19$m=19456,t=2,p=2$c29tZXNhbHRzb21lc2FsdA$" + tag32, false},
		{"less memory", "$argon2id$v=19$m=19455,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + tag32, true},
		{"fewer passes", "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$" + tag32, true},
		{"a shorter salt", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$" + tag32, true},
		{"argon2i", "$argon2i$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$" + tag32, true},
		{"as much in Jupyter's spelling", "argon2:$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$" + tag32, true},
		{"as much in Django's spelling", "argon2$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$" + tag32, true},
		{"SHA-1", "sha1:0e112c3ddfce:a68df677475c2b47b6e86d0467eec97ac5f4b85a", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := mustParse(t, tt.encoded).Weaker(password.DefaultParams()); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	if !(password.Hash{}).Weaker(password.DefaultParams()) {
		t.Error("the zero Hash: got false, want true")
	}
}

func TestHashRedactsItself(t *testing.T) {
	t.Parallel()
	for _, encoded := range []string{"$argon2id$v=19$m=65536,t=2,p=1$" + salt8 + "$" + tag32, "sha1:0e112c3ddfce:a68df677475c2b47b6e86d0467eec97ac5f4b85a"} {
		h := mustParse(t, encoded)
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s", "%T %[1]v"} {
			fmt.Fprintf(&out, verb+"\n", h)
			fmt.Fprintf(&out, verb+"\n", &h)
			fmt.Fprintf(&out, verb+"\n", []password.Hash{h})
			fmt.Fprintf(&out, verb+"\n", struct{ Stored password.Hash }{h})
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "hash", h, "group", slog.GroupValue(slog.Any("hash", h)))
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "hash", h, "in", struct{ Stored password.Hash }{h})
		if err := json.NewEncoder(&out).Encode(map[string]any{"hash": h}); err != nil {
			t.Fatal(err)
		}
		out.WriteString(h.String())
		for _, secret := range []string{"somesalt", salt8, tag32, "65536", "0e112c3ddfce", "a68df677", fmt.Sprintf("%x", "somesalt"), fmt.Sprintf("%x", salt8)} {
			if strings.Contains(strings.ToLower(out.String()), strings.ToLower(secret)) {
				t.Errorf("%q shows in\n%s", secret, out.String())
			}
		}
	}
}

// What parses is capped, can be verified without a panic, and is spelled in the one canonical way where it is Argon2's.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"$argon2id$v=19$m=8,t=1,p=1$" + salt8 + "$" + tag32,
		"argon2:$argon2i$v=19$m=32,t=2,p=2$" + salt8 + "$" + tag32,
		"sha1:0e112c3ddfce:a68df677475c2b47b6e86d0467eec97ac5f4b85a",
		"$argon2id$v=19$m=65536,t=0,p=256$$", "sha1::", "",
	} {
		f.Add(seed)
	}
	for _, foreign := range foreignHashes(f) {
		f.Add(foreign.hash)
	}
	verifier := hasher(f)
	messages := make(map[string]bool)
	f.Fuzz(func(t *testing.T, encoded string) {
		h, err := password.Parse(encoded)
		if err != nil {
			if messages[err.Error()] = true; len(messages) > 40 {
				t.Errorf("the errors aren't constant, so they may repeat the input: %v", messages)
			}
			return
		}
		if got := h.Encoded(); got != encoded {
			t.Errorf("got %q, want %q", got, encoded)
		}
		if strings.ContainsAny(encoded, "\x00\r\n") && !strings.HasPrefix(encoded, "sha1:") {
			t.Errorf("%q parses", encoded)
		}
		if most := int64(300 << 10); password.Cost(h) > most {
			t.Errorf("%q takes %d KiB, want at most %d", encoded, password.Cost(h), most)
		}
		var m, time, p int
		if _, phc, ok := strings.Cut(encoded, "$argon2"); ok && !strings.HasPrefix(encoded, "sha1:") {
			fields := strings.Split(phc, "$")
			if _, err := fmt.Sscanf(fields[2], "m=%d,t=%d,p=%d", &m, &time, &p); err != nil {
				t.Fatalf("%q: %v", encoded, err)
			}
			if m > 256<<10 || m*time > 2<<20 || time < 1 || time > 64 || p < 1 || p > 16 || m < 8*p {
				t.Errorf("%q is past the caps", encoded)
			}
			if fields[2] != fmt.Sprintf("m=%d,t=%d,p=%d", m, time, p) {
				t.Errorf("%q isn't canonical", encoded)
			}
		}
		if slow := strings.HasPrefix(encoded, "$2") || strings.Contains(encoded, "crypt") || strings.Contains(encoded, "pbkdf2") || strings.HasPrefix(encoded, "$6$"); slow || m*time > 4096 {
			return // sound, but too slow to fuzz
		}
		if ok, err := verifier.Verify(t.Context(), h, "not the password of anything"); ok || err != nil {
			t.Errorf("got %v, %v, want false, nil", ok, err)
		}
	})
}
