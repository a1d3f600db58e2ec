package store_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// newInvitation is one whose hash and id come from its name, from 1000 to 2000.
func newInvitation(name string, by int64) store.Invitation {
	return store.Invitation{
		Hash: sha256.Sum256([]byte(name)), ID: "id-" + name, Roles: []string{"r", "a, b"}, Note: "for " + name, By: by, Created: 1000, Expires: 2000,
	}
}

// invitations are the names of those that can be used.
func invitations(t *testing.T, d *store.DB, now int64) (names []string) {
	t.Helper()
	list, err := d.Invitations(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		names = append(names, strings.TrimPrefix(i.ID, "id-"))
		if one, err := d.Invitation(t.Context(), i.Hash, now); err != nil || fmt.Sprint(one) != fmt.Sprint(i) {
			t.Errorf("%s: got %+v %v, want %+v", i.ID, one, err, i)
		}
	}
	return names
}

func take(t *testing.T, d *store.DB, name string, now int64) error {
	t.Helper()
	return d.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.TakeInvitation(newInvitation(name, 0).Hash, now)
		return err
	})
}

func TestInvitationIsStoredAndTaken(t *testing.T) { storetest.Each(t, testInvitationIsStoredAndTaken) }

func testInvitationIsStoredAndTaken(t *testing.T, on storetest.Engine) {
	d, _, _ := open(t, on)
	ann := addUser(t, d, "ann")
	before := head(t, d)
	want := newInvitation("a", ann)
	write(t, d, func(tx *store.Tx) error {
		return errors.Join(tx.AddInvitation(want), tx.AddInvitation(newInvitation("b", 0)))
	})
	want.ByName = "ANN"
	got, err := d.Invitation(t.Context(), want.Hash, 1999)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v %v, want %+v", got, err, want)
	}
	write(t, d, func(tx *store.Tx) error {
		if got, err := tx.TakeInvitation(want.Hash, 1999); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("taken: got %+v %v, want %+v", got, err, want)
		}
		return nil
	})
	wantError(t, "taken again", take(t, d, "a", 1999), store.ErrNotFound)
	equal(t, "left", invitations(t, d, 1999), []string{"b"})
	write(t, d, func(tx *store.Tx) error { return tx.DeleteInvitation("id-b") })
	wantError(t, "withdrawn", take(t, d, "b", 1999), store.ErrNotFound)
	wantError(t, "withdrawn again", d.Write(t.Context(), func(tx *store.Tx) error { return tx.DeleteInvitation("id-b") }), store.ErrNotFound)
	if head(t, d) != before {
		t.Error("the feed tells of invitations, which nobody keeps in memory")
	}
}

func TestInvitationsThatCannotBeUsed(t *testing.T) {
	storetest.Each(t, testInvitationsThatCannotBeUsed)
}

func testInvitationsThatCannotBeUsed(t *testing.T, on storetest.Engine) {
	for name, spoil := range map[string]func(tx *store.Tx, by int64) error{
		"its maker is disabled": func(tx *store.Tx, by int64) error { return tx.SetDisabled(by, true) },
		"its maker is gone":     func(tx *store.Tx, by int64) error { return tx.DeleteUser(by) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _, _ := open(t, on)
			ann := addUser(t, d, "ann")
			write(t, d, func(tx *store.Tx) error {
				return errors.Join(tx.AddInvitation(newInvitation("a", ann)), tx.AddInvitation(newInvitation("b", 0)))
			})
			equal(t, "before", invitations(t, d, 1000), []string{"a", "b"})
			write(t, d, func(tx *store.Tx) error { return spoil(tx, ann) })
			equal(t, "after", invitations(t, d, 1000), []string{"b"})
			wantError(t, "taken", take(t, d, "a", 1000), store.ErrNotFound)
		})
	}
	t.Run("it is over", func(t *testing.T) {
		t.Parallel()
		d, _, _ := open(t, on)
		write(t, d, func(tx *store.Tx) error { return tx.AddInvitation(newInvitation("a", 0)) })
		equal(t, "in its last second", invitations(t, d, 1999), []string{"a"})
		equal(t, "at its end", invitations(t, d, 2000), nil)
		wantError(t, "taken at its end", take(t, d, "a", 2000), store.ErrNotFound)
		later := newInvitation("b", 0)
		later.Created, later.Expires = 2000, 3000
		write(t, d, func(tx *store.Tx) error { return tx.AddInvitation(later) })
		equal(t, "swept out by the next one, whatever the clock says then", invitations(t, d, 0), []string{"b"})
	})
	t.Run("what took it came to nothing", func(t *testing.T) {
		t.Parallel()
		d, _, _ := open(t, on)
		write(t, d, func(tx *store.Tx) error { return tx.AddInvitation(newInvitation("a", 0)) })
		refused := errors.New("refused")
		err := d.Write(t.Context(), func(tx *store.Tx) error {
			if _, err := tx.TakeInvitation(newInvitation("a", 0).Hash, 1000); err != nil {
				t.Error(err)
			}
			return refused
		})
		wantError(t, "the transaction", err, refused)
		equal(t, "still there", invitations(t, d, 1000), []string{"a"})
	})
}

// RS-04: of many who take it at once, one does, whichever connection they come by.
func TestInvitationIsTakenOnce(t *testing.T) { storetest.Each(t, testInvitationIsTakenOnce) }

func testInvitationIsTakenOnce(t *testing.T, on storetest.Engine) {
	d, _, base := open(t, on)
	other := openDB(t, base.Raw(t, ""))
	write(t, d, func(tx *store.Tx) error { return tx.AddInvitation(newInvitation("a", 0)) })
	var taken atomic.Int64
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			switch err := take(t, []*store.DB{d, other}[i%2], "a", 1000); {
			case err == nil:
				taken.Add(1)
			case !errors.Is(err, store.ErrNotFound):
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if got := taken.Load(); got != 1 {
		t.Errorf("taken %d times, want once", got)
	}
}

func TestInvitationsAreListedNewestFirst(t *testing.T) {
	storetest.Each(t, testInvitationsAreListedNewestFirst)
}

func testInvitationsAreListedNewestFirst(t *testing.T, on storetest.Engine) {
	d, _, _ := open(t, on)
	write(t, d, func(tx *store.Tx) error {
		for n, name := range []string{"c", "a", "b", "d"} {
			i := newInvitation(name, 0)
			i.Roles, i.Created = nil, 1000+int64(n/3)
			if err := tx.AddInvitation(i); err != nil {
				return err
			}
		}
		return nil
	})
	if got, want := invitations(t, d, 1000), []string{"d", "a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
