package password

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// A Hash is a parsed password hash, as [Parse] or [Hasher.Hash] return it. It shows itself as [redacted] wherever it
// is printed or logged: whoever reads a hash can guess at the password offline. The zero Hash is no password's. Hashes
// may be compared.
type Hash struct {
	encoded string
	scheme  scheme // nil: no password's
}

// A scheme is a hash of one family. It is of a comparable type.
type scheme interface {
	// matches does the work, which parsing has capped so that it can't be a burden, nor panic. An error says that it
	// couldn't be done.
	matches(password string) (bool, error)

	// cost is the memory that it takes, in KiB. 0: it isn't worth waiting for a turn.
	cost() int64
}

// Encoded returns the text of the hash for storing it: exactly what was parsed, or for a new hash a PHC string. It is
// a secret.
func (h Hash) Encoded() string { return h.encoded }

// Weaker reports whether h should be replaced by a hash with the parameters p when its password is next at hand: it
// takes less memory or fewer passes, has a salt shorter than ours, or isn't spelled as ours are, so that one format is
// left in the end. The number of threads doesn't count: it changes how long the work takes, not how much it is.
func (h Hash) Weaker(p Params) bool {
	own, ok := h.scheme.(argon2Hash)
	return !ok || !strings.HasPrefix(h.encoded, ownPrefix) ||
		own.params.Memory < p.Memory || own.params.Time < p.Time || len(own.salt) < saltLength
}

// cost is the memory that matching a password takes, in KiB.
func (h Hash) cost() int64 { return h.scheme.cost() }

// matches does the work.
func (h Hash) matches(password string) (bool, error) {
	ok, err := h.scheme.matches(password)
	if err != nil {
		return false, errors.New("password: verifying: the hash can't be computed") // not its own words: they may quote it
	}
	return ok, nil
}

// equal compares in constant time: how far a guess's tag agrees must not show.
func equal(got []byte, tag string) bool {
	return subtle.ConstantTimeCompare(got, []byte(tag)) == 1
}

const redacted = "[redacted]"

// String returns "[redacted]".
func (h Hash) String() string { return redacted }

// Format writes "[redacted]" whatever the verb, so that not even %#v or %x show the hash.
func (h Hash) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (h Hash) LogValue() slog.Value { return slog.StringValue(redacted) }
