package oidctest_test

import (
	"encoding/base64"
	"testing"

	"github.com/ostiary/auth/internal/oidctest"
)

// O-15: whatever an identifier and a secret hold, form-urlencoding brings them through; and what is read has one reading only.
func FuzzBasic(f *testing.F) {
	f.Add("app", "secret", []byte("app:secret"))
	f.Add("a:b", "50% a+b:\u00fc", []byte("a:b:c"))
	f.Add("", "", []byte("%zz:+"))
	f.Fuzz(func(t *testing.T, id, secret string, raw []byte) {
		gotID, gotSecret, ok := oidctest.Basic(basic(id, secret))
		if !ok || gotID != id || gotSecret != secret {
			t.Fatalf("got %q, %q, %t, want %q, %q", gotID, gotSecret, ok, id, secret)
		}
		gotID, gotSecret, ok = oidctest.Basic("Basic " + base64.StdEncoding.EncodeToString(raw))
		if !ok {
			return
		}
		againID, againSecret, ok := oidctest.Basic(basic(gotID, gotSecret))
		if !ok || againID != gotID || againSecret != gotSecret {
			t.Fatalf("%q: got %q, %q, read again %q, %q", raw, gotID, gotSecret, againID, againSecret)
		}
	})
}
