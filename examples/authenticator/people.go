package main

import (
	"context"
	"crypto/subtle"
	"fmt"
	"strconv"
	"strings"
)

// people stand in for a directory, so that this example runs by itself. A real one keeps its passwords to itself.
var people = inMemory{
	{entry{"uid=ada,ou=people", "5f2c6a8e", "ada", "Ada Lovelace", []string{"staff", "readers", "editors"}, false}, "correct-horse-7"},
	{entry{"uid=bob,ou=people", "9b1d40c3", "bob", "Bob Byron", []string{"staff", "readers"}, false}, "battery-staple-8"},
	{entry{"uid=eve,ou=people", "c07e915b", "eve", "Eve Moran", []string{"staff", "editors"}, true}, "left-last-year-9"},
}

type inMemory []struct {
	entry
	password string
}

// Search implements [directory] for filters of the form (uid=VALUE), where "*" at the end stands for anything, as in LDAP.
func (m inMemory) Search(_ context.Context, filter string) (found []entry, err error) {
	value, isUID := strings.CutPrefix(filter, "(uid=")
	value, closed := strings.CutSuffix(value, ")")
	if !isUID || !closed || strings.ContainsAny(value, "()") {
		return nil, fmt.Errorf("filter %q is not understood", filter)
	}
	begins, more := strings.CutSuffix(value, "*")
	if begins, err = unescape(begins); err != nil {
		return nil, err
	}
	for _, p := range m {
		if p.UID == begins || more && strings.HasPrefix(p.UID, begins) {
			found = append(found, p.entry)
		}
	}
	return found, nil
}

func unescape(value string) (string, error) {
	var b strings.Builder
	for {
		before, behind, escaped := strings.Cut(value, `\`)
		b.WriteString(before)
		if !escaped {
			return b.String(), nil
		}
		if len(behind) < 2 {
			return "", fmt.Errorf("escape %q is cut off", behind)
		}
		c, err := strconv.ParseUint(behind[:2], 16, 8)
		if err != nil {
			return "", fmt.Errorf("escape %q: %w", behind[:2], err)
		}
		b.WriteByte(byte(c))
		value = behind[2:]
	}
}

// Bind implements [directory]. Like most directories it says yes to an empty password.
func (m inMemory) Bind(_ context.Context, dn, password string) error {
	for _, p := range m {
		if p.DN == dn && (password == "" || subtle.ConstantTimeCompare([]byte(p.password), []byte(password)) == 1) {
			return nil
		}
	}
	return errBadPassword
}
