package op

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	// ErrUnavailable: the provider gave no answer, or none that can be used. It says nothing about the code, token or user
	// that was asked about: 503, and no session ends.
	ErrUnavailable = errors.New("provider unavailable")
	// ErrInactive: the provider says that a token isn't active (RFC 7662 section 2.2).
	ErrInactive = errors.New("token not active")
	// ErrSubject: userinfo is about nobody or somebody else (OpenID Connect Core section 5.3.2).
	ErrSubject = errors.New("userinfo is of another subject")
)

// A RefusedError is the provider's own, well-formed no.
//
// Of the codes only invalid_grant says that a code or a refresh token is no good any more. invalid_client and
// unauthorized_client say that this application's registration is wrong: a session must not end by them, or a mistyped secret
// would end everybody's.
type RefusedError struct {
	Code   string // RFC 6749 section 5.2, as "invalid_grant"; empty where the status is all there is
	Status int    // of the answer
}

func (e *RefusedError) Error() string {
	if e.Code == "" {
		return "refused with status " + strconv.Itoa(e.Status)
	}
	return "refused: " + strconv.Quote(e.Code)
}

// unavailable is an ErrUnavailable with its reason.
func unavailable(format string, a ...any) error {
	return fmt.Errorf("%w: %w", ErrUnavailable, fmt.Errorf(format, a...))
}

// maxSaid is how much of a text that the provider chose goes into a line of the log.
const maxSaid = 200

// said makes a text that the provider chose fit for a log: the secrets of this call, which it may have repeated, left out, cut
// short, and quoted, since it may hold line ends and escapes.
func said(text string, secrets []string) string {
	// The longest first: a code that has the client's ID in it would else be left but for that.
	longest := func(x, y string) int { return cmp.Compare(len(y), len(x)) }
	for _, secret := range slices.SortedFunc(slices.Values(secrets), longest) {
		if len(secret) >= 6 { // nothing shorter is one
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	if len(text) > maxSaid {
		text = text[:maxSaid]
		for !utf8.ValidString(text) && len(text) > maxSaid-utf8.UTFMax {
			text = text[:len(text)-1]
		}
		text += "…"
	}
	return strconv.Quote(text)
}
