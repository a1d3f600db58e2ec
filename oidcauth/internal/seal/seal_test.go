package seal_test

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ostiary/auth/oidcauth/internal/seal"
)

// secret is a key that isn't random, but looks so.
func secret(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:]
}

func box(t testing.TB, names ...string) *seal.Box {
	t.Helper()
	var keys [][]byte
	for _, name := range names {
		keys = append(keys, secret(name))
	}
	b, err := seal.New(keys)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// opens wants text to give plain.
func opens(t *testing.T, b *seal.Box, text, context, plain string, current bool) {
	t.Helper()
	if got, cur, err := b.Open(text, context); err != nil || string(got) != plain || cur != current {
		t.Errorf("got %q, current %v, %v, want %q, current %v", got, cur, err, plain, current)
	}
}

// refuses wants text not to be opened, with nothing told.
func refuses(t *testing.T, what string, b *seal.Box, text, context string) {
	t.Helper()
	if got, current, err := b.Open(text, context); err != seal.ErrOpen || got != nil || current {
		t.Errorf("%s: got %q, %v, %v, want exactly %v", what, got, current, err, seal.ErrOpen)
	}
}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	b := box(t, "a")
	for _, plain := range []string{"", "x", "refresh token", strings.Repeat("long ", 10000), "\x00\xff"} {
		for _, context := range []string{"", "session 1", "ä\x00"} {
			text := b.Seal([]byte(plain), context)
			opens(t, b, text, context, plain, true)
			if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
				t.Errorf("%q has other characters", text)
			}
			if len(plain) > 3 && strings.Contains(text, base64.RawURLEncoding.EncodeToString([]byte(plain))[:4]) {
				t.Errorf("%q shows what is sealed", text)
			}
			if again := b.Seal([]byte(plain), context); again == text {
				t.Error("the same text twice")
			}
			opens(t, box(t, "a"), text, context, plain, true) // another instance
		}
	}
}

// A value can't be moved to another row, nor used under a key that isn't given.
func TestOnlyForItsContextAndKey(t *testing.T) {
	t.Parallel()
	b := box(t, "a")
	text := b.Seal([]byte("secret"), "session 1")
	opens(t, b, text, "session 1", "secret", true)
	for _, context := range []string{"", "session 2", "session 1 ", "Session 1", "session 1\x00", "secret"} {
		refuses(t, context, b, text, context)
	}
	refuses(t, "another key", box(t, "b"), text, "session 1")
	// Under another key's name: the id is no part of what is proved, the key is.
	other := box(t, "b").Seal([]byte("secret"), "session 1")
	id, _, _ := strings.Cut(text, ".")
	_, body, _ := strings.Cut(other, ".")
	refuses(t, "another key's value", box(t, "a", "b"), id+"."+body, "session 1")
}

func TestRotation(t *testing.T) {
	t.Parallel()
	old := box(t, "old").Seal([]byte("secret"), "c")
	both := box(t, "new", "older", "old")
	opens(t, both, old, "c", "secret", false) // to be sealed anew
	anew := both.Seal([]byte("secret"), "c")
	opens(t, both, anew, "c", "secret", true)
	opens(t, box(t, "new"), anew, "c", "secret", true)
	refuses(t, "when the old key is gone", box(t, "new"), old, "c")
	refuses(t, "an instance that doesn't have the new key yet", box(t, "old"), anew, "c")
}

// Whatever is changed in a text, it isn't opened: no byte of it, nor its length, nor how it is written.
func TestTampering(t *testing.T) {
	t.Parallel()
	b := box(t, "a", "b")
	text := b.Seal([]byte("secret"), "c")
	opens(t, b, text, "c", "secret", true)
	for i := range text {
		for _, c := range []byte("AB-_.=\n\r %\x00\xff") {
			if changed := text[:i] + string([]byte{c}) + text[i+1:]; changed != text {
				refuses(t, fmt.Sprintf("byte %d as %q", i, c), b, changed, "c")
			}
			refuses(t, fmt.Sprintf("%q before byte %d", c, i), b, text[:i]+string([]byte{c})+text[i:], "c")
		}
		for bit := range 8 {
			changed := []byte(text)
			changed[i] ^= 1 << bit
			refuses(t, fmt.Sprintf("bit %d of byte %d", bit, i), b, string(changed), "c")
		}
		refuses(t, fmt.Sprintf("without byte %d", i), b, text[:i]+text[i+1:], "c")
		refuses(t, fmt.Sprintf("cut at %d", i), b, text[:i], "c")
		refuses(t, fmt.Sprintf("from %d on", i+1), b, text[i+1:], "c")
	}
	id, body, _ := strings.Cut(text, ".")
	for what, changed := range map[string]string{
		"nothing": "", "a dot": ".", "an id alone": id, "an id and a dot": id + ".", "no id": "." + body, "no dot": id + body, "twice": text + text,
		"padding": text + "=", "a line break at the end": text + "\n", "in the other alphabet": strings.NewReplacer("-", "+", "_", "/").Replace(text) + "+",
		"something else": "secret",
	} {
		refuses(t, what, b, changed, "c")
	}
}

func TestBadKeys(t *testing.T) {
	t.Parallel()
	good := secret("a")
	if _, err := seal.New([][]byte{good}); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		keys [][]byte
		says string
	}{
		"none":                {nil, "no key"},
		"an empty list":       {[][]byte{}, "no key"},
		"an empty one":        {[][]byte{{}}, "key 1 has 0 bytes"},
		"a short one":         {[][]byte{good, good[:31]}, "key 2 has 31 bytes"},
		"a long one":          {[][]byte{append(bytes.Clone(good), 1)}, "key 1 has 33 bytes"},
		"one that is text":    {[][]byte{[]byte(hex.EncodeToString(good))}, "key 1 has 64 bytes"},
		"one all of zeros":    {[][]byte{make([]byte, 32)}, "key 1 are all the same"},
		"one all of one byte": {[][]byte{good, bytes.Repeat([]byte{255}, 32)}, "key 2 are all the same"},
		"the same twice":      {[][]byte{good, secret("b"), bytes.Clone(good)}, "key 3 is there twice"},
	} {
		b, err := seal.New(test.keys)
		if err == nil || b != nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got %v, %v, want an error that says %q", name, b, err, test.says)
			continue
		}
		for _, key := range test.keys {
			if len(key) > 8 && (strings.Contains(err.Error(), string(key[:8])) || strings.Contains(err.Error(), hex.EncodeToString(key[:4]))) {
				t.Errorf("%s: %q tells the key", name, err)
			}
		}
	}
}

// A caller may clear or reuse the slices that it gave.
func TestKeysAreCopied(t *testing.T) {
	t.Parallel()
	key := secret("a")
	b, err := seal.New([][]byte{key})
	if err != nil {
		t.Fatal(err)
	}
	text := b.Seal([]byte("secret"), "c")
	clear(key)
	opens(t, b, text, "c", "secret", true)
	opens(t, box(t, "a"), b.Seal([]byte("secret"), "c"), "c", "secret", true)
}

// However it is printed or logged, and in whatever it stands, a box shows no key.
func TestBoxHidesItsKeys(t *testing.T) {
	t.Parallel()
	b := box(t, "a")
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%p"} {
		fmt.Fprintf(&out, verb+" "+verb+"\n", b, struct{ B *seal.Box }{b})
	}
	fmt.Fprintf(&out, "%v %+v\n", *b, errors.New(fmt.Sprint(b)))
	slog.New(slog.NewTextHandler(&out, nil)).Info("box", "box", b)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("box", "box", b)
	key, derived := secret("a"), seal.Derive(secret("a"), "seal: AES-256-GCM")
	for _, bytes := range [][]byte{key[:8], derived[:8]} {
		for _, shown := range []string{string(bytes), hex.EncodeToString(bytes), strings.Trim(fmt.Sprint(bytes), "[]"), base64.StdEncoding.EncodeToString(bytes)[:8]} {
			if strings.Contains(strings.ToLower(out.String()), strings.ToLower(shown)) {
				t.Errorf("it shows a key as %q:\n%s", shown, out.String())
			}
		}
	}
	const want = "seal.Box[redacted]"
	if got := fmt.Sprintf("%v %+v %#v %d", b, b, b, b); got != strings.Join([]string{want, want, want, want}, " ") {
		t.Errorf("got %s, want %s each", got, want)
	}
	if got := strings.Count(out.String(), `box":"`+want) + strings.Count(out.String(), `box=`+want); got != 2 {
		t.Errorf("got %s, want both logs to say %s", out.String(), want)
	}
}

// Keys of different purposes and secrets differ; the same stay the same for ever, since what is stored depends on them.
func TestDerive(t *testing.T) {
	t.Parallel()
	want, err := hkdf.Key(sha256.New, secret("a"), nil, "github.com/ostiary/auth: state", 32)
	if got := seal.Derive(secret("a"), "state"); err != nil || !bytes.Equal(got[:], want) {
		t.Errorf("got %x, %v, want %x", got, err, want)
	}
	seen := map[[32]byte]string{}
	for _, name := range []string{"a", "b"} {
		for _, purpose := range []string{"", "state", "state ", "seal: key id", "seal: AES-256-GCM"} {
			got := seal.Derive(secret(name), purpose)
			if other, ok := seen[got]; ok {
				t.Errorf("%q gives the key of %q", name+" "+purpose, other)
			}
			seen[got] = name + " " + purpose
		}
	}
}

// A text of an earlier version is opened by all later ones.
func TestOldTexts(t *testing.T) {
	t.Parallel()
	opens(t, box(t, "a"), "Up5fr2-P.uht-hPeSS5rTNtYqmQwl--B1e6slIcpSmapnDujCw0IxJA", "c", "secret", true)
}

func FuzzOpen(f *testing.F) {
	b := box(f, "a", "b")
	f.Add(b.Seal([]byte("secret"), "c"), "c")
	f.Add(box(f, "b").Seal([]byte("secret"), "c"), "c")
	f.Add("", "")
	f.Add("AAAAAAAA.AAAA", "c")
	known := b.Seal([]byte("secret"), "known")
	f.Fuzz(func(t *testing.T, text, context string) {
		plain, _, err := b.Open(text, context)
		if err != nil && (err != seal.ErrOpen || plain != nil) {
			t.Errorf("got %q, %v", plain, err)
		}
		// What opens is one of the seeds as it is; nobody finds another, nor another way to write one.
		if err == nil && (string(plain) != "secret" || context != "c") {
			t.Errorf("%q for %q opens as %q", text, context, plain)
		}
		if text != known {
			if _, _, err := b.Open(known+text, "known"); err == nil && text != "" {
				t.Errorf("with %q at its end it opens", text)
			}
		}
		opens(t, b, b.Seal([]byte(text), context), context, text, true)
	})
}
