package token

import "errors"

// ErrInvalid is what every refusal of a token, a proof or a key wraps: it is wrong and stays wrong. Any other error means that
// nobody can tell now, since the provider's keys can't be had.
var ErrInvalid = errors.New("token: invalid")

// Error is a refusal. Its text says what is wrong where, and nothing that is secret, so it may be logged.
type Error struct {
	Field   string // a claim ("aud"), a header parameter ("header.typ"), or empty for the token as a whole
	Problem string // as "missing" or "names another client"
}

// Error returns the problem behind the field: `token: "aud": names another client`.
func (e *Error) Error() string {
	if e.Field == "" {
		return "token: " + e.Problem
	}
	return `token: "` + e.Field + `": ` + e.Problem
}

// Is makes errors.Is(err, ErrInvalid) true.
func (e *Error) Is(target error) bool { return target == ErrInvalid }

func fail(field, problem string) error { return &Error{Field: field, Problem: problem} }
