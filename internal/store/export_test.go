package store

// SQLiteCode is sqliteCode, for tests.
var SQLiteCode = sqliteCode
