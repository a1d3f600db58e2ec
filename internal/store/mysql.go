package store

import (
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"
)

// mysql is MySQL and MariaDB, with InnoDB's tables.
var mysql = dialect{
	bind: sqlx.QUESTION,
	// Binary types compare bytes, also blanks at the end, and take no part in the connection's character set. 1024 bytes
	// are what an index can hold twice.
	types: strings.NewReplacer("{int}", "BIGINT", "{key}", "VARBINARY(1024)", "{text}", "LONGBLOB", "{bytes}", "LONGBLOB", "{bytes32}", "VARBINARY(32)"),
	// Not the server's defaults, which may be an engine without transactions and a format with shorter indexes.
	table:    " ENGINE=InnoDB ROW_FORMAT=DYNAMIC",
	hasTable: "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?",
	// Without autocommit each read would begin a transaction that goes on seeing the state of its beginning: a session
	// that was ended since would stay alive. Uncommitted is what nobody may rely on.
	settings: "SHOW SESSION VARIABLES WHERE Variable_name = 'autocommit' AND Value <> 'ON' OR " +
		"Variable_name IN ('transaction_isolation', 'tx_isolation') AND Value = 'READ-UNCOMMITTED'",
	// Any isolation will do: under the lock nobody else writes, and a snapshot is taken by the first read after it.
	snapshot: sql.LevelRepeatableRead,
	lock:     lockRow("SELECT value FROM auth_counters WHERE name = 'writer' FOR UPDATE"),
	migrate:  migrateStepwise,
	busy:     mysqlIs(1205, 1213, 1040, 1203), // lock wait timeout, deadlock, too many connections, of one user
	lost: func(err error) bool {
		// shutdown in progress, connection killed, network errors
		return mysqlIs(1053, 1927, 1152, 1158, 1159, 1160, 1161)(err) || lostConnection(err, "invalid connection")
	},
	taken:    mysqlIs(1062),
	unusable: mysqlIs(1146, 1054, 1050, 1142), // no such table, no such column, table exists, a privilege is missing
}

// mysqlCode is the number of an error of the server's, else 0. The driver tells it in a field, which only who links the
// driver can read, and in the text.
func mysqlCode(err error) int {
	if err == nil {
		return 0
	}
	_, text, _ := strings.Cut(err.Error(), "Error ")
	end := strings.IndexAny(text, " :")
	if end < 0 {
		return 0
	}
	code, err := strconv.Atoi(text[:end])
	if err != nil {
		return 0
	}
	return code
}

func mysqlIs(codes ...int) func(error) bool {
	return func(err error) bool { return slices.Contains(codes, mysqlCode(err)) }
}
