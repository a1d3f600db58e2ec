package store_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// everything calls all that a store can do, over a user with sessions; what is there stays as it was.
func everything(t *testing.T, d *store.DB) map[string]func(ctx context.Context) error {
	t.Helper()
	ann := addUser(t, d, "ann")
	s := newSession(ann, "a", 1)
	addSessions(t, d, s)
	write(t, d, func(tx *store.Tx) error {
		if _, err := tx.PutRole(store.Role{Name: "r", Permissions: []store.Permission{{"a", "b"}}}, 0); err != nil {
			return err
		}
		tx.AddRoles(ann, []string{"r"})
		tx.AddInvitation(newInvitation("a", ann))
		tx.Mark("ended", s.Hash, 1, 1<<40)
		return tx.PutExternal(store.External{Issuer: "i", Subject: "s", User: ann})
	})
	if _, err := d.Secret(t.Context(), "key", func() []byte { return []byte("secret") }); err != nil {
		t.Fatal(err)
	}
	return map[string]func(ctx context.Context) error{
		"Live":            func(ctx context.Context) error { _, err := d.Live(ctx, s.Hash); return err },
		"SessionsByHash":  func(ctx context.Context) error { _, err := d.SessionsByHash(ctx, [][32]byte{s.Hash}); return err },
		"SessionsOf":      func(ctx context.Context) error { _, err := d.SessionsOf(ctx, ann); return err },
		"SessionsIn":      func(ctx context.Context) error { _, err := d.SessionsIn(ctx, "userauth", []int64{ann, 2}); return err },
		"Accounts of one": func(ctx context.Context) error { _, err := d.Accounts(ctx, []int64{ann}); return err },
		"Accounts of two": func(ctx context.Context) error { _, err := d.Accounts(ctx, []int64{ann, 2}); return err },
		"AccountByKey":    func(ctx context.Context) error { _, err := d.AccountByKey(ctx, "", "ann"); return err },
		"AccountsAfter":   func(ctx context.Context) error { _, err := d.AccountsAfter(ctx, "", "", "", 10); return err },
		"CountUsers":      func(ctx context.Context) error { _, err := d.CountUsers(ctx, ""); return err },
		"External":        func(ctx context.Context) error { _, err := d.External(ctx, "i", "s"); return err },
		"Roles":           func(ctx context.Context) error { _, err := d.Roles(ctx); return err },
		"Role":            func(ctx context.Context) error { _, err := d.Role(ctx, "r"); return err },
		"Invitations":     func(ctx context.Context) error { _, err := d.Invitations(ctx, 1000); return err },
		"Invitation": func(ctx context.Context) error {
			_, err := d.Invitation(ctx, newInvitation("a", ann).Hash, 1000)
			return err
		},
		"Feed":  func(ctx context.Context) error { _, _, err := d.Feed(ctx, 0, 10); return err },
		"Touch": func(ctx context.Context) error { return d.Touch(ctx, map[[32]byte]int64{s.Hash: 1}) },
		"Purge": func(ctx context.Context) error {
			_, err := d.Purge(ctx, map[string]int64{"userauth": 0}, 0, 10)
			return err
		},
		"TrimFeed":       func(ctx context.Context) error { _, err := d.TrimFeed(ctx, 0, 0, 10); return err },
		"Secret":         func(ctx context.Context) error { _, err := d.Secret(ctx, "key", nil); return err },
		"an empty Write": func(ctx context.Context) error { return d.Write(ctx, func(*store.Tx) error { return nil }) },
	}
}

// D-01, D-03: whichever call to the database fails or hangs, the answer is "unavailable": never "not found", never a
// part, never a wait beyond the context; and the next call is fine.
func TestEachCallBroken(t *testing.T) { storetest.Each(t, testEachCallBroken) }

func testEachCallBroken(t *testing.T, on storetest.Engine) {
	d, faults, _ := open(t, on)
	for name, do := range everything(t, d) {
		t.Run(name, func(t *testing.T) { // one after another: they share the faults
			for mode, set := range map[string]func(int){"fails": faults.FailAt, "answer lost": faults.LoseAt, "hangs": faults.HangAt} {
				for k := 1; ; k++ {
					ctx, cancel := context.WithCancel(t.Context())
					set(k)
					if reached := faults.Reached(); mode == "hangs" {
						go func() {
							select {
							case <-reached:
							case <-ctx.Done():
							}
							cancel()
						}()
					}
					err := do(ctx)
					cancel()
					broken := faults.Broken()
					faults.Heal()
					if broken == 0 {
						if k == 1 {
							t.Errorf("%s: made no call", mode)
						}
						break
					}
					if err == nil && mode == "answer lost" {
						continue // what was lost was that there are no more rows, which the driver says as an error
					}
					wantError(t, fmt.Sprintf("call %d %s", k, mode), err, store.ErrUnavailable)
					if err := do(t.Context()); err != nil {
						t.Fatalf("after call %d %s: %v", k, mode, err)
					}
				}
			}
		})
	}
	if n := len(names(t, d, 1)); n != 1 {
		t.Errorf("got %d sessions, want 1", n)
	}
}

func TestAllCallsBroken(t *testing.T) { storetest.Each(t, testAllCallsBroken) }

func testAllCallsBroken(t *testing.T, on storetest.Engine) {
	d, faults, _ := open(t, on)
	steps := everything(t, d)
	for mode, set := range map[string]func(){"fails": faults.Fail, "hangs": faults.Hang} {
		for name, do := range steps {
			set()
			ctx, cancel := context.WithCancel(t.Context())
			if mode == "hangs" {
				reached := faults.Reached()
				go func() { <-reached; cancel() }()
			}
			err := do(ctx)
			cancel()
			wantError(t, name+" "+mode, err, store.ErrUnavailable)
			want := error(storetest.ErrInjected)
			if mode == "hangs" {
				want = context.Canceled
			}
			wantError(t, name+" "+mode+", and why", err, want)
		}
	}
	faults.Heal()
	for name, do := range steps {
		if err := do(t.Context()); err != nil {
			t.Errorf("%s afterwards: %v", name, err)
		}
	}
}

// What is asked often needs no second thought of the database: statements are prepared once, also after the tables were
// altered or all connections were lost.
func TestPreparedStatementsSurvive(t *testing.T) { storetest.Each(t, testPreparedStatementsSurvive) }

func testPreparedStatementsSurvive(t *testing.T, on storetest.Engine) {
	base := on.New(t)
	db, faults := base.Open(t)
	d := openDB(t, db)
	steps := everything(t, d)
	often := []string{"Live", "Accounts of one", "AccountByKey", "Feed"}
	check := func(what string, prepared bool) {
		t.Helper()
		for _, name := range often {
			faults.Heal()
			if err := steps[name](t.Context()); err != nil {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			if calls := faults.Calls(); prepared && (len(calls) != 1 || strings.HasPrefix(calls[0], "prepare")) {
				t.Errorf("%s, %s: got calls %q, want one", name, what, calls)
			}
		}
	}
	check("at first", true)
	other := base.Raw(t, "")
	other.MustExecContext(t.Context(), "ALTER TABLE auth_sessions ADD COLUMN later TEXT")
	other.MustExecContext(t.Context(), "ALTER TABLE auth_users ADD COLUMN later TEXT")
	check("altered", true)
	db.SetMaxIdleConns(0) // closes all connections, and each after its use
	check("reconnected", false)
	db.SetMaxIdleConns(8)
	check("connected", false)
	check("at last", true)
}

// G-01, D-16: no error tells what is stored, and no token is stored that could be told.
func TestErrorsTellNoHash(t *testing.T) { storetest.Each(t, testErrorsTellNoHash) }

func testErrorsTellNoHash(t *testing.T, on storetest.Engine) {
	d, faults, base := open(t, on)
	steps := everything(t, d)
	s := newSession(1, "a", 1)
	tells := func(name string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: got no error", name)
			return
		}
		for _, secret := range []string{string(s.Hash[:]), hex.EncodeToString(s.Hash[:]), fmt.Sprint(s.Hash), "hash of ann", "new hash", "secret\n"} {
			if strings.Contains(strings.ToLower(err.Error()), secret) {
				t.Errorf("%s: %q tells %q", name, err, secret)
			}
		}
	}
	for name, fn := range map[string]func(tx *store.Tx) error{
		"a hash that is there":  func(tx *store.Tx) error { return tx.AddSession(s, 0) },
		"a key that is there":   func(tx *store.Tx) error { _, err := tx.AddUser(store.User{Key: "ann", Hash: "new hash"}); return err },
		"another password":      func(tx *store.Tx) error { return tx.SetPassword(1, "other", "new hash", 1) },
		"a session of nobody's": func(tx *store.Tx) error { s := s; s.User = 99; return tx.AddSession(s, 0) },
	} {
		tells(name, d.Write(t.Context(), fn))
	}
	faults.Fail()
	for name, do := range steps {
		tells(name, do(t.Context()))
	}
	faults.Heal()
	base.Raw(t, "").MustExecContext(t.Context(), "DROP TABLE auth_sessions")
	tells("Live without its table", steps["Live"](t.Context()))
}
