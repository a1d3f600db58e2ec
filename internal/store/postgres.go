package store

import (
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"
)

// postgres is spoken by pgx's driver for database/sql, and by lib/pq's.
var postgres = dialect{
	bind: sqlx.DOLLAR,
	// The collation "C" compares bytes; the database's own may take two names for one, or sort them as people do.
	types:    strings.NewReplacer("{int}", "BIGINT", "{key}", `TEXT COLLATE "C"`, "{text}", "TEXT", "{bytes}", "BYTEA", "{bytes32}", "BYTEA"),
	hasTable: "SELECT COUNT(to_regclass(?))", // where the tables are found that this package names
	// What another encoding has no character for couldn't be stored, so that two engines would answer differently.
	settings: "SELECT name, setting FROM pg_settings WHERE name IN ('server_encoding', 'client_encoding') AND setting <> 'UTF8'",
	// Whatever the operator's default is: with a snapshot of its beginning a transaction that has waited for the lock
	// would not see what was committed meanwhile.
	isolation: sql.LevelReadCommitted,
	snapshot:  sql.LevelRepeatableRead,
	savepoint: true,
	// The timeout, in milliseconds, ends a transaction of this package's whose program stands still: else it would keep
	// all others from writing. None takes so long that doesn't.
	lock:   lockRow("SELECT set_config('idle_in_transaction_session_timeout', '10000', true) FROM auth_counters WHERE name = 'writer' FOR UPDATE"),
	notify: "SELECT pg_notify('ostiary_feed', '')",
	// A number of this package's own, so that nobody else takes the same lock.
	migrate: migrateAtOnce("SELECT pg_advisory_xact_lock(7163384699739271277)", createMigrations),
	// serialization_failure, deadlock_detected, lock_not_available, too_many_connections
	busy: postgresIs("40001", "40P01", "55P03", "53300"),
	lost: func(err error) bool {
		state := postgresState(err) // class 08: connection exception; admin_shutdown, crash_shutdown, idle_in_transaction_session_timeout
		return strings.HasPrefix(state, "08") || state == "57P01" || state == "57P02" || state == "25P03" || lostConnection(err, "conn closed")
	},
	taken:    postgresIs("23505"),                                     // unique_violation
	unusable: postgresIs("42P01", "42703", "42P07", "3F000", "42501"), // undefined_table, undefined_column, duplicate_table, invalid_schema_name, insufficient_privilege
}

// postgresState is the SQLSTATE of an error of the server's, else "".
func postgresState(err error) string {
	var coded interface{ SQLState() string } // not a driver's own type: this package links none
	if errors.As(err, &coded) {
		return coded.SQLState()
	}
	return ""
}

func postgresIs(states ...string) func(error) bool {
	return func(err error) bool { return slices.Contains(states, postgresState(err)) }
}
