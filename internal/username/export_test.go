package username

// KeyByTables is Key without the short way for ASCII.
func KeyByTables(name string) (string, error) {
	if err := check(name); err != nil {
		return "", err
	}
	return canonical(name), nil
}
