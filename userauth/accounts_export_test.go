package userauth

var (
	// OpenAccountsWith is OpenAccounts with the tests' own hasher, whose hashes cost next to nothing.
	OpenAccountsWith = openAccounts
	// NewAccountsOver is how a server makes them.
	NewAccountsOver = newAccounts
)
