package store_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// Nothing that happens per request, login or clean-up reads a whole table: every statement finds its rows by an index
// (S-19), but for those that are about all rows.
func TestStatementsUseIndexes(t *testing.T) {
	t.Parallel()
	d, faults, base := open(t, storetest.SQLite)
	steps := everything(t, d)
	steps["writes"] = func(ctx context.Context) error {
		return d.Write(ctx, func(tx *store.Tx) error {
			s, p := newSession(1, "b", 1), []store.Permission{{"a", "b"}}
			s.Issuer, s.Subject, s.SID = "i", "s", "x"
			_, err1 := tx.DeleteSessionByID(1, "userauth", "x")
			_, err2 := tx.DeleteSessions(1, "userauth", &s.Hash)
			_, err3 := tx.DeleteSessionsBySID("i", "s", "x")
			_, err4 := tx.DeleteSessionsBySID("i", "", "x")
			_, err5 := tx.PutRole(store.Role{Name: "r"}, 1)
			_, err6 := tx.DeleteSession(newSession(1, "a", 1).Hash)
			return errors.Join(err1, err2, err3, err4, err5, err6, tx.AddSession(s, 1), tx.Grant(1, p), tx.Revoke(1, p), tx.AddRoles(1, []string{"r"}),
				tx.RemoveRoles(1, []string{"r"}), tx.SetPassword(1, "hash of ann", "x", 1), tx.SetDisabled(1, true), tx.DeleteRole("r"), tx.DeleteUser(1))
		})
	}
	everyRow := map[string]bool{ // a listing of roles, of which there are few
		"SCAN r": true, "SCAN r USING INDEX sqlite_autoindex_auth_roles_1": true,
	}
	db := base.Raw(t, "")
	checked := 0
	for _, name := range slices.Sorted(maps.Keys(steps)) { // "writes" is the last
		faults.Heal()
		if err := steps[name](t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, statement := range faults.Calls() {
			if !strings.Contains(statement, "auth_") || strings.HasPrefix(statement, "prepare") {
				continue
			}
			rows, err := db.QueryxContext(t.Context(), "EXPLAIN QUERY PLAN "+statement, make([]any, strings.Count(statement, "?"))...)
			if err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
			for rows.Next() {
				var id, parent, unused int
				var detail string
				if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(detail, "SCAN") && !strings.HasSuffix(detail, "CONSTANT ROW") && !strings.HasSuffix(detail, "VALUES CLAUSE") && !everyRow[detail] {
					t.Errorf("%s: %q reads a table: %s", name, statement, detail)
				}
			}
			if err := rows.Close(); err != nil {
				t.Fatal(err)
			}
			checked++
		}
	}
	if checked < 50 {
		t.Errorf("only %d statements were checked", checked)
	}
}
