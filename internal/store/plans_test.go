package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/internal/store/storetest"
)

// Nothing that happens per request, login or clean-up reads a whole table: every statement finds its rows by an index
// (S-19), but for those that are about all rows.
func TestStatementsUseIndexes(t *testing.T) { storetest.Each(t, testStatementsUseIndexes) }

func testStatementsUseIndexes(t *testing.T, on storetest.Engine) {
	d, faults, base := open(t, on)
	steps := everything(t, d)
	steps["Purge of marks"] = func(ctx context.Context) error {
		err := d.Write(ctx, func(tx *store.Tx) error { return tx.Mark("over", [32]byte{}, 0, 0) })
		if err != nil {
			return err
		}
		if n, err := d.Purge(ctx, nil, 0, 10); err != nil || n != 1 {
			return fmt.Errorf("got %d, %w", n, err)
		}
		return nil
	}
	steps["writes"] = func(ctx context.Context) error {
		return d.Write(ctx, func(tx *store.Tx) error {
			s, p := newSession(1, "b", 1), []store.Permission{{"a", "b"}}
			s.Issuer, s.Subject, s.SID = "i", "s", "x"
			_, err14 := tx.Session(newSession(1, "a", 1).Hash)
			err15 := tx.SetSessionData(newSession(1, "a", 1).Hash, 1, "x")
			_, err1 := tx.DeleteSessionByID(1, "userauth", "x")
			_, err2 := tx.DeleteSessions(1, "userauth", &s.Hash)
			_, err3 := tx.DeleteSessionsBySID("i", "s", "x")
			_, err4 := tx.DeleteSessionsBySID("i", "", "x")
			_, err5 := tx.PutRole(store.Role{Name: "r"}, 1)
			_, err6 := tx.DeleteSession(newSession(1, "a", 1).Hash)
			_, err7 := tx.HasSession(s.Hash)
			_, err8 := tx.TakeInvitation(newInvitation("a", 1).Hash, 1000)
			err9 := errors.Join(tx.AddInvitation(newInvitation("b", 0)), tx.DeleteInvitation("id-b"))
			_, err12 := tx.Inviting(1000)
			err13 := tx.DeleteInvitationsBy(1, 1000)
			_, err16 := tx.Once("ended", s.Hash, 1)
			err17 := tx.Mark("ended", s.Hash, 1, 1)
			_, _, err18 := tx.Marked("ended", s.Hash)
			_, err10 := tx.SessionsOfIssuer("i")
			_, err11 := tx.RolePermissions([]string{"r"})
			return errors.Join(err14, err15, err16, err17, err18, err10, err11, err12, err13, err8, err9, err1, err2, err3, err4, err5, err6, err7, tx.AddToken(newToken(1, "t"), 1, 0), tx.AddSession(s, 1), tx.Grant(1, p), tx.Revoke(1, p), tx.AddRoles(1, []string{"r"}),
				tx.RemoveRoles(1, []string{"r"}), tx.SetPassword(1, "hash of ann", "x", 1), tx.SetDisabled(1, true), tx.DeleteRole("r"), tx.DeleteUser(1))
		})
	}
	db := base.Raw(t, "")
	db.SetMaxOpenConns(1) // what is set for the connection holds for all that follows
	explain := map[storetest.Engine]func(*testing.T, *sqlx.DB, string) []string{
		storetest.SQLite: scansOfSQLite, storetest.Postgres: scansOfPostgres, storetest.MySQL: scansOfMySQL,
	}[on]
	checked := 0
	for _, name := range slices.Sorted(maps.Keys(steps)) { // "writes" is the last
		faults.Heal()
		if err := steps[name](t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, statement := range faults.Calls() {
			if !strings.Contains(statement, "auth_") || strings.HasPrefix(statement, "prepare") || strings.Contains(statement, "SAVEPOINT") {
				continue
			}
			scans := explain(t, db, statement)
			if whole := name == "Roles"; (len(scans) > 0) != whole { // the listing of all roles, of which there are few
				t.Errorf("%s: %q reads whole tables: %q, want %v", name, statement, scans, whole)
			}
			checked++
		}
	}
	if checked < 50 {
		t.Errorf("only %d statements were checked", checked)
	}
}

// scansOfSQLite gives the steps of a statement's plan that read a whole table or index.
func scansOfSQLite(t *testing.T, db *sqlx.DB, statement string) (scans []string) {
	rows, err := db.QueryxContext(t.Context(), "EXPLAIN QUERY PLAN "+statement, make([]any, strings.Count(statement, "?"))...)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(detail, "SCAN") && !strings.HasSuffix(detail, "CONSTANT ROW") && !strings.HasSuffix(detail, "VALUES CLAUSE") {
			scans = append(scans, detail)
		}
	}
	return scans
}

// scansOfPostgres likewise, of a plan for any arguments. The tables are small: without these settings they would be
// read whole, and with them only those are for which there is no other way.
func scansOfPostgres(t *testing.T, db *sqlx.DB, statement string) (scans []string) {
	none := ""
	if n := strings.Count(statement, "$"); n > 0 {
		none = "(NULL" + strings.Repeat(", NULL", n-1) + ")"
	}
	for _, setup := range []string{"SET enable_seqscan = off", "SET enable_hashjoin = off", "SET enable_mergejoin = off", "SET enable_material = off", "SET plan_cache_mode = force_generic_plan", "PREPARE statement AS " + statement} {
		if _, err := db.ExecContext(t.Context(), setup); err != nil {
			t.Fatalf("%s: %v", setup, err)
		}
	}
	var plan []string
	if err := db.SelectContext(t.Context(), &plan, "EXPLAIN EXECUTE statement"+none); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	db.MustExecContext(t.Context(), "DEALLOCATE statement")
	for i, line := range plan {
		index := strings.Contains(line, "Index Scan") || strings.Contains(line, "Index Only Scan")
		if strings.Contains(line, "Seq Scan") || index && (i+1 == len(plan) || !strings.Contains(plan[i+1], "Index Cond")) {
			scans = append(scans, line)
		}
	}
	return scans
}

// scansOfMySQL likewise. Of small tables the planner prefers to read all: what counts is whether it knows an index.
func scansOfMySQL(t *testing.T, db *sqlx.DB, statement string) (scans []string) {
	if strings.Contains(statement, " VALUES (") {
		return nil // reads nothing
	}
	statement = strings.ReplaceAll(statement, "LIMIT ?", "LIMIT 1")
	args := make([]any, strings.Count(statement, "?"))
	for i := range args {
		args[i] = "1" // NULL would make conditions impossible, which then need no plan
	}
	rows, err := db.QueryxContext(t.Context(), "EXPLAIN "+statement, args...)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer rows.Close()
	for rows.Next() {
		row := map[string]any{}
		if err := rows.MapScan(row); err != nil {
			t.Fatal(err)
		}
		if way := fmt.Sprintf("%s", row["type"]); (way == "ALL" || way == "index") && row["possible_keys"] == nil && row["select_type"] != nil {
			if table := fmt.Sprintf("%s", row["table"]); !strings.HasPrefix(table, "<") { // a result of the statement's own
				scans = append(scans, fmt.Sprintf("%s %s", way, table))
			}
		}
	}
	return scans
}
