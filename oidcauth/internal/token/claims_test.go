package token_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

func TestClaims(t *testing.T) {
	t.Parallel()
	c := must(token.ParseClaims([]byte(`{"t":"x","e":"","n":1.9,"neg":-1.5,"big":1e300,"max":9223372036854775808,"b":true,"z":null,
		"l":["a","b"],"none":[],"mixed":["a",1],"o":{}}`)))
	for name, want := range map[string]string{"t": "x", "e": "", "n": "", "z": "", "l": "", "missing": "", "T": ""} {
		if got, ok := c.Text(name); got != want || ok != (want != "") {
			t.Errorf("Text(%q): got %q, %v, want %q", name, got, ok, want)
		}
	}
	for name, want := range map[string]int64{"n": 1, "neg": -2} {
		if got, ok := c.Time(name); got != want || !ok {
			t.Errorf("Time(%q): got %d, %v, want %d", name, got, ok, want)
		}
	}
	for _, name := range []string{"t", "e", "b", "z", "l", "o", "missing", "big", "max"} {
		if got, ok := c.Time(name); ok {
			t.Errorf("Time(%q): got %d, want none", name, got)
		}
	}
	for name, want := range map[string][]string{"t": {"x"}, "e": {""}, "l": {"a", "b"}, "none": nil} {
		if got, ok := c.Texts(name); !reflect.DeepEqual(got, want) || !ok {
			t.Errorf("Texts(%q): got %q, %v, want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"n", "b", "z", "mixed", "o", "missing"} {
		if got, ok := c.Texts(name); ok {
			t.Errorf("Texts(%q): got %q, want none", name, got)
		}
	}
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  *token.Error
		want string
	}{
		{&token.Error{Field: "aud", Problem: "names another client"}, `token: "aud": names another client`},
		{&token.Error{Problem: "longer than 16 KiB"}, "token: longer than 16 KiB"},
	} {
		if c.err.Error() != c.want || !errors.Is(c.err, token.ErrInvalid) || errors.Is(c.err, errors.ErrUnsupported) {
			t.Errorf("got %v, want %s, which is ErrInvalid", c.err, c.want)
		}
	}
}
