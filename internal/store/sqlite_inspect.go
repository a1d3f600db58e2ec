package store

import (
	"fmt"
	"path/filepath"

	"github.com/jmoiron/sqlx"
)

// InspectSQLite opens the SQLite database in an existing file to read what it is, with [Pending] as an example, and
// changes nothing about it. [OpenSQLite] would turn the write-ahead log on, which stays in the file: nothing that may be
// done to another program's. Whether it is a database shows when it is asked.
func InspectSQLite(path string) (*sqlx.DB, error) {
	doing := fmt.Sprintf("inspecting %q", path)
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, failed(doing, err)
	}
	// Not mode=ro, which can't read beside a write-ahead log whose companions aren't there.
	db, err := sqlx.Open("sqlite", sqliteURI(full)+"?mode=rw&_pragma=busy_timeout(1000)&_pragma=query_only(1)")
	return db, failed(doing, err)
}
