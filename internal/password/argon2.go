package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// argon2Hash is a hash of Argon2 (RFC 9106).
type argon2Hash struct {
	variant   argon2Variant
	params    Params
	salt, tag string
}

type argon2Variant uint8

const (
	argon2id argon2Variant = iota + 1
	argon2i                // as old configurations have it; none is made
)

// The lengths of our own hashes, in bytes. RFC 9106 section 4: 128-bit salt, 256-bit tag size.
const (
	saltLength = 16
	tagLength  = 32
)

// ownPrefix is how our own hashes begin: what they are replaced by must not begin otherwise.
const ownPrefix = "$argon2id$"

// newHash returns the Argon2id hash of these parts, which the caller has checked.
func newHash(p Params, salt, tag []byte) Hash {
	b64 := base64.RawStdEncoding
	return Hash{
		encoded: fmt.Sprintf(ownPrefix+"v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.Memory, p.Time, p.Threads,
			b64.EncodeToString(salt), b64.EncodeToString(tag)),
		scheme: argon2Hash{argon2id, p, string(salt), string(tag)},
	}
}

// parseArgon2 reads v=19$m=19456,t=2,p=1$salt$tag, what stands behind the variant's name in a PHC string. A version other
// than 19 is refused, the absent one too, which by the specification means 16.
func parseArgon2(variant argon2Variant) func(string) (scheme, error) {
	return func(s string) (scheme, error) {
		fields := strings.Split(s, "$")
		if len(fields) != 4 {
			return nil, errors.New("not v=19$m=,t=,p=$salt$tag behind the algorithm")
		}
		if fields[0] != "v=19" {
			return nil, errors.New("the version is not v=19")
		}
		params, err := parseParams(fields[1])
		if err != nil {
			return nil, err
		}
		salt, tag, err := parseSaltAndTag(rawBase64, fields[2], fields[3])
		return argon2Hash{variant, params, salt, tag}, err
	}
}

// parseParams reads m=…,t=…,p=… and nothing else: keyid= and data= change the hash, so they can't be skipped.
func parseParams(s string) (Params, error) {
	n, err := parseNumbers(strings.Split(s, ","), "m=", "t=", "p=")
	if err != nil {
		return Params{}, err
	}
	if n[2] > maxThreads { // before it is narrowed: 256 would wrap to 0, on which argon2 panics
		return Params{}, fmt.Errorf("threads are not between 1 and %d", maxThreads)
	}
	p := Params{Memory: n[0], Time: n[1], Threads: uint8(n[2])}
	return p, p.check()
}

func (h argon2Hash) cost() int64 { return int64(h.params.Memory) }

func (h argon2Hash) matches(password string) (bool, error) {
	key := argon2.IDKey
	if h.variant == argon2i {
		key = argon2.Key
	}
	p := h.params
	return equal(key([]byte(password), []byte(h.salt), p.Time, p.Memory, p.Threads, uint32(len(h.tag))), h.tag), nil
}
