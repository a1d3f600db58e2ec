package password

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"strings"
)

// pbkdf2Hash is a hash of PBKDF2 with HMAC (RFC 8018 section 5.2).
type pbkdf2Hash struct {
	digest    digest
	rounds    int
	salt, tag string
}

// A digest is the hash function below HMAC.
type digest uint8

const (
	sha1Digest digest = iota + 1
	sha256Digest
	sha512Digest
)

// maxPBKDF2 is some seconds of work. Frameworks have come to a million and more.
const maxPBKDF2 = 5_000_000

// parsePBKDF2 reads 260000$salt$tag, what stands behind the name of the digest.
func parsePBKDF2(d digest, parts func(salt, tag string) (string, string, error)) func(string) (scheme, error) {
	return func(s string) (scheme, error) {
		fields := strings.Split(s, "$")
		if len(fields) != 3 {
			return nil, errors.New("not the rounds of PBKDF2, $salt and $tag")
		}
		n, err := parseNumbers(fields[:1], "")
		if err != nil {
			return nil, err
		}
		if n[0] > maxPBKDF2 {
			return nil, fmt.Errorf("the rounds of PBKDF2 are over %d", maxPBKDF2)
		}
		salt, tag, err := parts(fields[1], fields[2])
		if err != nil {
			return nil, err
		}
		// Each further block would be the whole work again; and a shorter tag is cut.
		if len(tag) != d.size() {
			return nil, errors.New("the tag is not as long as the digest of PBKDF2")
		}
		return pbkdf2Hash{d, int(n[0]), salt, tag}, nil
	}
}

func (d digest) size() int {
	switch d {
	case sha1Digest:
		return sha1.Size
	case sha256Digest:
		return sha256.Size
	}
	return sha512.Size
}

// cost is next to nothing: the turn is for its time.
func (h pbkdf2Hash) cost() int64 { return 1 }

func (h pbkdf2Hash) matches(password string) (bool, error) {
	if paddable(password) {
		return false, nil
	}
	var got []byte
	var err error
	switch h.digest {
	case sha1Digest:
		got, err = deriveKey(sha1.New, h, password)
	case sha256Digest:
		got, err = deriveKey(sha256.New, h, password)
	case sha512Digest:
		got, err = deriveKey(sha512.New, h, password)
	}
	return err == nil && equal(got, h.tag), err
}

func deriveKey(digest func() hash.Hash, h pbkdf2Hash, password string) ([]byte, error) {
	return pbkdf2.Key(digest, password, []byte(h.salt), h.rounds, len(h.tag))
}

// paddable reports a password that HMAC can't tell from the one without the NULs at its end: it fills the key up with
// them. No program that people log in to takes one that ends so, and none of two passwords may stand for the other.
func paddable(password string) bool { return strings.HasSuffix(password, "\x00") }
