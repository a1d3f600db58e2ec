package password

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"

	"golang.org/x/crypto/argon2"
)

// A Hash is a parsed password hash, as [Parse] or [Hasher.Hash] return it. It shows itself as [redacted] wherever it
// is printed or logged: whoever reads a hash can guess at the password offline. The zero Hash is no password's.
type Hash struct {
	encoded   string
	scheme    scheme
	params    Params // of argon2i and argon2id
	salt, tag string
}

type scheme uint8

const (
	none scheme = iota
	argon2id
	argon2i    // Jupyter's argon2: prefix only
	jupyterSHA // sha1(password + salt)
)

// The lengths of our own hashes, in bytes. RFC 9106 section 4: 128-bit salt, 256-bit tag size.
const (
	saltLength = 16
	tagLength  = 32
)

// newHash returns the Argon2id hash of these parts, which the caller has checked.
func newHash(p Params, salt, tag []byte) Hash {
	b64 := base64.RawStdEncoding
	return Hash{
		encoded: fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.Memory, p.Time, p.Threads,
			b64.EncodeToString(salt), b64.EncodeToString(tag)),
		scheme: argon2id,
		params: p,
		salt:   string(salt),
		tag:    string(tag),
	}
}

// Encoded returns the text of the hash for storing it: exactly what was parsed, or for a new hash a PHC string. It is
// a secret.
func (h Hash) Encoded() string { return h.encoded }

// Weaker reports whether h should be replaced by a hash with the parameters p when its password is next at hand: it
// takes less memory or fewer passes, is not Argon2id, or has a salt shorter than ours. The number of threads doesn't
// count: it changes how long the work takes, not how much it is.
func (h Hash) Weaker(p Params) bool {
	return h.scheme != argon2id || h.params.Memory < p.Memory || h.params.Time < p.Time || len(h.salt) < saltLength
}

// cost is the memory that matching a password takes, in KiB.
func (h Hash) cost() int64 { return int64(h.params.Memory) }

// matches does the work. Parse and newHash have seen to it that it can't panic.
func (h Hash) matches(password string) bool {
	var got []byte
	switch h.scheme {
	case argon2id:
		got = argon2.IDKey([]byte(password), []byte(h.salt), h.params.Time, h.params.Memory, h.params.Threads, uint32(len(h.tag)))
	case argon2i:
		got = argon2.Key([]byte(password), []byte(h.salt), h.params.Time, h.params.Memory, h.params.Threads, uint32(len(h.tag)))
	case jupyterSHA:
		sum := sha1.Sum([]byte(password + h.salt))
		got = sum[:]
	default:
		return false // fail closed: the zero Hash; its empty tag would equal an empty result
	}
	// In constant time: how far a guess's tag agrees must not show.
	return subtle.ConstantTimeCompare(got, []byte(h.tag)) == 1
}

const redacted = "[redacted]"

// String returns "[redacted]".
func (h Hash) String() string { return redacted }

// Format writes "[redacted]" whatever the verb, so that not even %#v or %x show the hash.
func (h Hash) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (h Hash) LogValue() slog.Value { return slog.StringValue(redacted) }
