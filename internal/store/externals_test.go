package store_test

import (
	"errors"
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

func TestExternals(t *testing.T) { storetest.Each(t, testExternals) }

func testExternals(t *testing.T, on storetest.Engine) {
	d, _, _ := open(t, on)
	ann, bob := addUser(t, d, "ann"), addUser(t, d, "bob")
	put := func(e store.External) error {
		return d.Write(t.Context(), func(tx *store.Tx) error { return tx.PutExternal(e) })
	}
	wantError(t, "of nobody", put(store.External{"iss", "sub", 99, ""}), store.ErrNotFound)
	_, err := d.External(t.Context(), "iss", "sub")
	wantError(t, "reading what isn't there", err, store.ErrNotFound)

	for _, step := range []struct {
		name string
		e    store.External
		want error
		then store.External
	}{
		{"new", store.External{"iss", "sub", ann, `{"a":1}`}, nil, store.External{"iss", "sub", ann, `{"a":1}`}},
		{"the same again", store.External{"iss", "sub", ann, `{"a":1}`}, nil, store.External{"iss", "sub", ann, `{"a":1}`}},
		{"new claims", store.External{"iss", "sub", ann, `{"a":2}`}, nil, store.External{"iss", "sub", ann, `{"a":2}`}},
		{"RS-20: another user's", store.External{"iss", "sub", bob, `{"a":3}`}, store.ErrExists, store.External{"iss", "sub", ann, `{"a":2}`}},
		{"another user's, of nobody", store.External{"iss", "sub", 99, `{"a":3}`}, store.ErrNotFound, store.External{"iss", "sub", ann, `{"a":2}`}},
		{"another subject", store.External{"iss", "SUB", bob, ""}, nil, store.External{"iss", "SUB", bob, ""}},
		{"another issuer", store.External{"iss/", "sub", bob, ""}, nil, store.External{"iss/", "sub", bob, ""}},
		{"a subject with a blank at its end", store.External{"iss", "sub ", bob, ""}, nil, store.External{"iss", "sub ", bob, ""}},
		{"a subject with more behind a NUL", store.External{"iss", "sub\x00", bob, ""}, store.ErrInvalid, store.External{"iss", "sub", ann, `{"a":2}`}},
	} {
		wantError(t, step.name, put(step.e), step.want)
		if got, err := d.External(t.Context(), step.then.Issuer, step.then.Subject); err != nil || got != step.then {
			t.Errorf("%s: got %+v, %v, want %+v", step.name, got, err, step.then)
		}
	}
	if got := account(t, d, ann).Externals; len(got) != 1 {
		t.Errorf("ann has %v", got)
	}

	remove := func(user int64, issuer, subject string) error {
		return d.Write(t.Context(), func(tx *store.Tx) error {
			before, beforeErr := tx.External(issuer, subject)
			err := tx.DeleteExternal(user, issuer, subject)
			after, afterErr := tx.External(issuer, subject)
			if deleted := errors.Is(afterErr, store.ErrNotFound) && beforeErr == nil; deleted != (err == nil) || before.User != user && deleted {
				t.Errorf("before %+v, %v; DeleteExternal: %v; after %+v, %v", before, beforeErr, err, after, afterErr)
			}
			return err
		})
	}
	wantError(t, "RS-20: deleting another user's", remove(bob, "iss", "sub"), store.ErrNotFound)
	wantError(t, "deleting what isn't there", remove(ann, "iss", "sub/"), store.ErrNotFound)
	wantError(t, "deleting with a NUL", remove(ann, "iss", "sub\x00"), store.ErrInvalid)
	wantError(t, "deleting", remove(ann, "iss", "sub"), nil)
	wantError(t, "deleting twice", remove(ann, "iss", "sub"), store.ErrNotFound)
	if a, b := account(t, d, ann).Externals, account(t, d, bob).Externals; len(a) != 0 || len(b) != 3 {
		t.Errorf("ann has %v, bob has %v", a, b)
	}
}
