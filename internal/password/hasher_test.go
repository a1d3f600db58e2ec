package password_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/password"
)

// PH-02, JS26, JS27
func TestHashIsSaltedAndParsesBack(t *testing.T) {
	t.Parallel()
	h, err := password.NewHasher(password.Config{})
	if err != nil {
		t.Fatal(err)
	}
	const secret = "correct horse battery staple"
	a, errA := h.Hash(t.Context(), secret)
	b, errB := h.Hash(t.Context(), secret)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if a.Encoded() == b.Encoded() {
		t.Error("two hashes of one password are equal")
	}
	fields := strings.Split(a.Encoded(), "$")
	if got, want := strings.Join(fields[:4], "$"), "$argon2id$v=19$m=19456,t=2,p=1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := []int{len(fields[4]), len(fields[5])}, []int{22, 43}; got[0] != want[0] || got[1] != want[1] { // 16 and 32 bytes
		t.Errorf("got a salt and tag of %v characters, want %v", got, want)
	}
	if a.Weaker(password.DefaultParams()) {
		t.Error("a new hash wants to be replaced")
	}
	if got := mustParse(t, a.Encoded()); got != a {
		t.Error("the hash doesn't parse back to itself")
	}
	for _, stored := range []password.Hash{a, mustParse(t, "argon2:"+a.Encoded())} {
		if ok, err := h.Verify(t.Context(), stored, secret); !ok || err != nil {
			t.Errorf("the right password: got %v, %v, want true, nil", ok, err)
		}
		if ok, err := h.Verify(t.Context(), stored, secret+"."); ok || err != nil {
			t.Errorf("a wrong password: got %v, %v, want false, nil", ok, err)
		}
	}
}

// P-02, P-03, P-04, P-05, P-06, T-21: every byte counts, as it stands.
func TestPasswordIsNotChanged(t *testing.T) {
	t.Parallel()
	h := hasher(t)
	tests := []struct{ name, password, other string }{
		{"P-02: 72 bytes and one more", strings.Repeat("a", 72), strings.Repeat("a", 73)},
		{"P-02: 128 bytes and one more", strings.Repeat("a", 128), strings.Repeat("a", 129)},
		{"P-02: 256 runes differ in the last", strings.Repeat("ж", 255) + "x", strings.Repeat("ж", 255) + "y"},
		{"P-03: a mebibyte differs in the last byte", strings.Repeat("a", 1<<20) + "x", strings.Repeat("a", 1<<20) + "y"},
		{"P-04: NUL doesn't end a password", "pass\x00word", "pass\x00"},
		{"P-04: NUL is not nothing", "pass\x00", "pass"},
		{"P-04: invalid UTF-8 isn't replaced", "\xff\xfe", "\ufffd\ufffd"},
		{"P-05: composed and decomposed differ", "pässwörd1", "pa\u0308sswo\u0308rd1"},
		{"P-06: leading space is kept", " password", "password"},
		{"P-06: trailing space is kept", "password ", "password"},
		{"P-06: inner space is kept", "pass  word", "pass word"},
		{"case is kept", "Password", "password"},
		{"the empty password is a password", "", " "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, pair := range [][2]string{{tt.password, tt.other}, {tt.other, tt.password}} {
				stored, err := h.Hash(t.Context(), pair[0])
				if err != nil {
					t.Fatal(err)
				}
				if ok, err := h.Verify(t.Context(), stored, pair[0]); !ok || err != nil {
					t.Errorf("the same: got %v, %v, want true, nil", ok, err)
				}
				if ok, err := h.Verify(t.Context(), stored, pair[1]); ok || err != nil {
					t.Errorf("the other: got %v, %v, want false, nil", ok, err)
				}
			}
		})
	}
}

// P-14: what stands for no password isn't a hash, and no hash at all is an error, not a wrong password.
func TestNoHashIsNoPasswords(t *testing.T) {
	t.Parallel()
	for _, stored := range []string{"", "!", "*", "!!", "x", "plain", "NULL", "\x00"} {
		got, err := password.Parse(stored)
		if err == nil || got != (password.Hash{}) {
			t.Errorf("%q: got no error, or a hash", stored)
		}
		for _, guess := range []string{"", stored, "x"} {
			if ok, err := hasher(t).Verify(t.Context(), got, guess); ok || err == nil {
				t.Errorf("%q: got %v, %v for %q, want false and an error", stored, ok, err, guess)
			}
		}
	}
}

func TestNewHasherRefuses(t *testing.T) {
	t.Parallel()
	good := password.DefaultParams()
	tests := map[string]password.Config{
		"no memory":              {Params: password.Params{Time: 2, Threads: 1}},
		"no pass":                {Params: password.Params{Memory: 19456, Threads: 1}},
		"no thread":              {Params: password.Params{Memory: 19456, Time: 2}},
		"too much memory":        {Params: password.Params{Memory: 262145, Time: 2, Threads: 1}},
		"too many passes":        {Params: password.Params{Memory: 19456, Time: 65, Threads: 1}},
		"too much in all passes": {Params: password.Params{Memory: 262144, Time: 9, Threads: 1}},
		"too many threads":       {Params: password.Params{Memory: 19456, Time: 2, Threads: 17}},
		"too little per thread":  {Params: password.Params{Memory: 31, Time: 2, Threads: 4}},
		"negative Parallel":      {Params: good, Parallel: -1},
		"negative Queue":         {Params: good, Queue: -1},
	}
	for name, cfg := range tests {
		if _, err := password.NewHasher(cfg); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// The decoy takes its turn like anybody, and takes about as long as a wrong password.
func TestDecoyWorksLikeAFailedVerify(t *testing.T) {
	h, err := password.NewHasher(password.Config{Parallel: 1, Queue: 1})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := h.Hash(t.Context(), "the right one")
	if err != nil {
		t.Fatal(err)
	}
	took := func(do func() error) time.Duration {
		start := time.Now()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		return time.Since(start)
	}
	// In turn, and the least of each: whatever else the machine does slows both. On a busy one that takes more rounds.
	verify, decoy := time.Hour, time.Hour
	for round := 1; round <= 64; round++ {
		verify = min(verify, took(func() error { _, err := h.Verify(t.Context(), stored, "a wrong one"); return err }))
		decoy = min(decoy, took(func() error { return h.Decoy(t.Context(), "a wrong one") }))
		if round >= 8 && verify/2 <= decoy && decoy <= 2*verify {
			return
		}
	}
	t.Errorf("got %v for the decoy, want about the %v of a failed Verify", decoy, verify)
}

// P-12: the decoy is a hash like any new one, with the current parameters, and so takes the same passes and memory.
func TestDecoyTakesTheMemoryOfAVerify(t *testing.T) {
	for _, p := range []password.Params{password.DefaultParams(), {Memory: 4096, Time: 3, Threads: 2}} {
		h, err := password.NewHasher(password.Config{Params: p})
		if err != nil {
			t.Fatal(err)
		}
		stored, err := h.Hash(t.Context(), "the right one")
		if err != nil {
			t.Fatal(err)
		}
		parts := func(h password.Hash) (parts []string, salt, tag int) {
			parts = strings.Split(h.Encoded(), "$")
			return parts[:4], len(parts[4]), len(parts[5])
		}
		got, gotSalt, gotTag := parts(h.DecoyHash())
		want, wantSalt, wantTag := parts(stored)
		if !slices.Equal(got, want) || gotSalt != wantSalt || gotTag != wantTag {
			t.Errorf("%+v: got a decoy of %v, %d, %d, want %v, %d, %d", p, got, gotSalt, gotTag, want, wantSalt, wantTag)
		}
		verify := allocated(t, func() error { _, err := h.Verify(t.Context(), stored, "a wrong one"); return err })
		decoy := allocated(t, func() error { return h.Decoy(t.Context(), "a wrong one") })
		if least := uint64(p.Memory) << 10; verify < least || decoy < least {
			t.Errorf("%+v: got %d bytes for Verify and %d for Decoy, want at least %d", p, verify, decoy, least)
		}
		if diff := max(verify, decoy) - min(verify, decoy); diff > verify/20 {
			t.Errorf("%+v: got %d bytes for Verify and %d for Decoy, want the same", p, verify, decoy)
		}
	}
}

// allocated returns how many bytes do allocates. Tests that run beside it would count too, so its own can't be parallel.
func allocated(t *testing.T, do func() error) uint64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := do(); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
