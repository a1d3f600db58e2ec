package password

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"strings"
)

// sha1Hash is Jupyter Server's older form: SHA-1 over password and salt.
type sha1Hash struct{ salt, tag string }

// parseSHA1 reads salt:digest, what stands behind sha1:.
func parseSHA1(s string) (scheme, error) {
	salt, digest, _ := strings.Cut(s, ":")
	tag, err := hex.DecodeString(digest)
	if salt == "" || err != nil || len(tag) != sha1.Size {
		return nil, errors.New("not sha1:salt:digest with 40 hexadecimal digits")
	}
	return sha1Hash{salt, string(tag)}, nil
}

// cost is nothing: it is done before a turn could be had.
func (h sha1Hash) cost() int64 { return 0 }

func (h sha1Hash) matches(password string) (bool, error) {
	sum := sha1.Sum([]byte(password + h.salt))
	return equal(sum[:], h.tag), nil
}
