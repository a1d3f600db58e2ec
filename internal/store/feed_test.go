package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

func TestFeedTellsWhatChanged(t *testing.T) { storetest.Each(t, testFeedTellsWhatChanged) }

func testFeedTellsWhatChanged(t *testing.T, on storetest.Engine) {
	ptr := func(s string) *string { return &s }
	at := func(user int64, name string) string {
		return fmt.Sprintf("user %d session %.4x", user, newSession(user, name, 0).Hash)
	}
	read := []store.Permission{{Resource: "contents", Action: "read"}}
	for name, test := range map[string]struct {
		fn   func(tx *store.Tx) error // ann is 1 with sessions a, b; bob is 2 with session c; the role "editor" is bob's
		want []string
	}{
		"nothing":                         {func(*store.Tx) error { return nil }, nil},
		"a new user":                      {func(tx *store.Tx) error { _, err := tx.AddUser(store.User{Key: "eve"}); return err }, nil},
		"a deleted user":                  {func(tx *store.Tx) error { return tx.DeleteUser(1) }, []string{"user 1"}},
		"a password":                      {func(tx *store.Tx) error { return tx.SetPassword(1, "hash of ann", "new", 2) }, []string{"user 1"}},
		"a replaced password":             {func(tx *store.Tx) error { return tx.ReplacePassword(1, "new", 2) }, []string{"user 1"}},
		"a new hash of the same password": {func(tx *store.Tx) error { return tx.Rehash(1, "hash of ann", "new") }, nil},
		"disabled":                        {func(tx *store.Tx) error { return tx.SetDisabled(1, true) }, []string{"user 1"}},
		"a profile":                       {func(tx *store.Tx) error { return tx.UpdateProfile(1, store.ProfileUpdate{Color: ptr("red")}) }, []string{"user 1"}},
		"an empty profile update":         {func(tx *store.Tx) error { return tx.UpdateProfile(1, store.ProfileUpdate{}) }, nil},
		"a grant":                         {func(tx *store.Tx) error { return tx.Grant(1, read) }, []string{"user 1"}},
		"an empty grant":                  {func(tx *store.Tx) error { return tx.Grant(1, nil) }, nil},
		"a revocation":                    {func(tx *store.Tx) error { return tx.Revoke(1, read) }, []string{"user 1"}},
		"a role given":                    {func(tx *store.Tx) error { return tx.AddRoles(1, []string{"editor"}) }, []string{"user 1"}},
		"a role taken":                    {func(tx *store.Tx) error { return tx.RemoveRoles(2, []string{"editor"}) }, []string{"user 2"}},
		"a new role":                      {func(tx *store.Tx) error { _, err := tx.PutRole(store.Role{Name: "new"}, 0); return err }, []string{"user 0"}},
		"a changed role":                  {func(tx *store.Tx) error { _, err := tx.PutRole(store.Role{Name: "editor"}, 1); return err }, []string{"user 0"}},
		"a deleted role":                  {func(tx *store.Tx) error { return tx.DeleteRole("editor") }, []string{"user 0"}},
		"an external identity":            {func(tx *store.Tx) error { return tx.PutExternal(store.External{Issuer: "i", Subject: "s", User: 1}) }, []string{"user 1"}},
		"a new session":                   {func(tx *store.Tx) error { return tx.AddSession(newSession(1, "new", 1), 5) }, nil},
		"a session that pushes one out":   {func(tx *store.Tx) error { return tx.AddSession(newSession(1, "new", 1), 2) }, []string{at(1, "a")}},
		"a logout":                        {func(tx *store.Tx) error { _, err := tx.DeleteSession(newSession(1, "a", 0).Hash); return err }, []string{at(1, "a")}},
		"a logout of nobody":              {func(tx *store.Tx) error { _, err := tx.DeleteSession([32]byte{1}); return err }, nil},
		"a session by its id":             {func(tx *store.Tx) error { _, err := tx.DeleteSessionByID(2, "userauth", "id-c"); return err }, []string{at(2, "c")}},
		"all sessions":                    {func(tx *store.Tx) error { _, err := tx.DeleteSessions(1, "", nil); return err }, []string{"user 1"}},
		"all sessions of none":            {func(tx *store.Tx) error { _, err := tx.DeleteSessions(1, "oidc", nil); return err }, nil},
		"the same thing twice":            {func(tx *store.Tx) error { tx.SetDisabled(1, true); return tx.Grant(1, read) }, []string{"user 1"}},
		"two things, in their order":      {func(tx *store.Tx) error { tx.SetDisabled(2, true); return tx.SetDisabled(1, true) }, []string{"user 2", "user 1"}},
		"a session of a user who is told of": {func(tx *store.Tx) error {
			tx.DeleteSession(newSession(1, "a", 0).Hash)
			return tx.SetDisabled(1, true)
		}, []string{at(1, "a"), "user 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _, _ := open(t, on)
			addUser(t, d, "ann")
			addUser(t, d, "bob")
			addSessions(t, d, newSession(1, "a", 10), newSession(1, "b", 20), newSession(2, "c", 30))
			write(t, d, func(tx *store.Tx) error {
				if _, err := tx.PutRole(store.Role{Name: "editor", Permissions: read}, 0); err != nil {
					return err
				}
				return tx.AddRoles(2, []string{"editor"})
			})
			equal(t, "told", told(t, d, test.fn), test.want)
		})
	}
}

// More changes than one INSERT takes keep their order and have no gap; every entry has a mark of its own.
func TestManyChangesAtOnce(t *testing.T) { storetest.Each(t, testManyChangesAtOnce) }

func testManyChangesAtOnce(t *testing.T, on storetest.Engine) {
	d, _, base := open(t, on)
	const n = 110
	ann := addUser(t, d, "ann")
	var all []store.Session
	for i := range n {
		all = append(all, newSession(ann, fmt.Sprint(i), 1))
	}
	insertSessions(t, base, all)
	write(t, d, func(tx *store.Tx) error {
		for _, s := range all {
			if ended, err := tx.DeleteSession(s.Hash); err != nil || !ended {
				return fmt.Errorf("%v %w", ended, err)
			}
		}
		return nil
	})
	newest, list, err := d.Feed(t.Context(), 1, 1000)
	if err != nil || newest != n || len(list) != n {
		t.Fatalf("got head %d, %d entries, %v, want %d", newest, len(list), err, n)
	}
	marks := map[int64]bool{}
	for i, c := range list {
		if c.Seq != int64(i)+1 || [32]byte(c.Session) != all[i].Hash {
			t.Errorf("entry %d: got %+v", i, c)
		}
		marks[c.Mark] = true
	}
	if len(marks) != n {
		t.Errorf("got %d different marks, want %d", len(marks), n)
	}
}

func TestFeedPages(t *testing.T) { storetest.Each(t, testFeedPages) }

func testFeedPages(t *testing.T, on storetest.Engine) {
	d, faults, _ := open(t, on)
	if newest, list, err := d.Feed(t.Context(), 0, 10); newest != 0 || list != nil || err != nil {
		t.Errorf("a new feed: got %d %v %v", newest, list, err)
	}
	ann := addUser(t, d, "ann")
	for i := range 5 {
		write(t, d, func(tx *store.Tx) error { return tx.SetDisabled(ann, i%2 == 0) })
	}
	for _, test := range []struct {
		from  int64
		limit int
		want  []int64
	}{
		{0, 10, []int64{1, 2, 3, 4, 5}}, {1, 2, []int64{1, 2}}, {3, 2, []int64{3, 4}}, {5, 10, []int64{5}},
		{6, 10, nil}, {100, 10, nil}, {-5, 1, []int64{1}}, {2, 0, []int64{2}},
	} {
		faults.Heal()
		newest, list, err := d.Feed(t.Context(), test.from, test.limit)
		if err != nil || newest != 5 {
			t.Errorf("from %d: got head %d, %v, want 5", test.from, newest, err)
		}
		var got []int64
		for _, c := range list {
			got = append(got, c.Seq)
		}
		equal(t, fmt.Sprintf("from %d, %d", test.from, test.limit), got, test.want)
		if calls := faults.Calls(); len(calls) != 1 {
			t.Errorf("got %d round trips %q, want 1", len(calls), calls)
		}
	}
}

func TestTrimFeed(t *testing.T) { storetest.Each(t, testTrimFeed) }

func testTrimFeed(t *testing.T, on storetest.Engine) {
	now := time.Now().Unix()
	for name, test := range map[string]struct {
		before      int64
		keep, batch int
		want        []int64
	}{
		"all that is old":          {now - 50, 0, 100, []int64{4, 5}},
		"the newest are kept":      {now + 50, 2, 100, []int64{4, 5}},
		"a batch of the oldest":    {now + 50, 0, 2, []int64{3, 4, 5}},
		"nothing is old":           {now - 500, 0, 100, []int64{1, 2, 3, 4, 5}},
		"everything":               {now + 50, 0, 100, nil},
		"fewer than are kept":      {now + 50, 9, 100, []int64{1, 2, 3, 4, 5}},
		"an empty batch":           {now + 50, 0, 0, []int64{1, 2, 3, 4, 5}},
		"behind a young one: kept": {now - 150, 0, 100, []int64{2, 3, 4, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _, base := open(t, on)
			ann := addUser(t, d, "ann")
			for i := range 5 {
				write(t, d, func(tx *store.Tx) error { return tx.SetDisabled(ann, i%2 == 0) })
			}
			// The second was written by a clock that runs ahead of the third's: gaps must not come of it.
			for seq, age := range map[int]int64{1: 200, 2: 100, 3: 200, 4: 0, 5: 0} {
				base.Exec(t, "UPDATE auth_feed SET created_at = ? WHERE seq = ?", now-age, seq)
			}
			n, err := d.TrimFeed(t.Context(), test.before, test.keep, test.batch)
			if err != nil || n != 5-len(test.want) {
				t.Errorf("got %d, %v, want %d", n, err, 5-len(test.want))
			}
			newest, list, err := d.Feed(t.Context(), 0, 100)
			if err != nil || newest != 5 {
				t.Errorf("head: got %d, %v, want 5", newest, err)
			}
			var got []int64
			for _, c := range list {
				got = append(got, c.Seq)
			}
			equal(t, "left", got, test.want)
		})
	}
}

// Without its counter the feed must not look like an empty one, and nothing may change that it can't tell.
func TestCounterThatWasMeddledWith(t *testing.T) { storetest.Each(t, testCounterThatWasMeddledWith) }

func testCounterThatWasMeddledWith(t *testing.T, on storetest.Engine) {
	d, _, base := open(t, on)
	ann := addUser(t, d, "ann")
	write(t, d, func(tx *store.Tx) error { return tx.SetDisabled(ann, false) })
	db := base.Raw(t, "")
	db.MustExecContext(t.Context(), "UPDATE auth_counters SET value = 0 WHERE name = 'feed'")
	err := d.Write(t.Context(), func(tx *store.Tx) error { return tx.SetDisabled(ann, true) })
	wantError(t, "writing", err, store.ErrUnavailable)
	db.MustExecContext(t.Context(), "DELETE FROM auth_counters WHERE name = 'feed'")
	_, _, err = d.Feed(t.Context(), 0, 1)
	wantError(t, "reading", err, store.ErrUnavailable)
	err = d.Write(t.Context(), func(tx *store.Tx) error { return tx.SetDisabled(ann, true) })
	if err == nil || account(t, d, ann).Disabled {
		t.Errorf("got %v, want an error and no change that nobody is told", err)
	}
}
