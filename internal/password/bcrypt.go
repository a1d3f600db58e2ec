package password

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// bcryptHash is a hash of bcrypt, which is what golang.org/x/crypto/bcrypt reads.
type bcryptHash struct {
	encoded string
	digest  bool // of the SHA-256 of the password, in hexadecimal digits: Django's way past the 72 bytes
}

const (
	// maxBcryptCost is two seconds of work or more; each further one doubles it. Those who chose theirs by OWASP's or a
	// framework's advice have 10 to 14.
	maxBcryptCost = 15

	// maxBcrypt is how much of a password bcrypt reads, in bytes. Programs that hash a longer one cut it there.
	maxBcrypt = 72

	bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// parseBcrypt reads $2b$12$ and behind it 22 characters of salt and 31 of the tag. $2a$ and $2y$ are other programs' names
// for the same; $2x$ is what a program with a well-known mistake made, and $2$ is from before NUL ended a password.
func parseBcrypt(digest bool) func(string) (scheme, error) {
	return func(s string) (scheme, error) {
		if len(s) != 60 || s[:3] != "$2a" && s[:3] != "$2b" && s[:3] != "$2y" || s[3] != '$' || s[6] != '$' {
			return nil, errors.New("not $2b$12$ with 53 characters behind it")
		}
		if cost := s[4:6]; cost < "04" || cost > strconv.Itoa(maxBcryptCost) || strings.Trim(cost, "0123456789") != "" {
			return nil, fmt.Errorf("the cost of bcrypt is not between 04 and %d", maxBcryptCost)
		}
		if strings.Trim(s[7:], bcryptAlphabet) != "" {
			return nil, errors.New("the salt or the tag holds a character that bcrypt doesn't use")
		}
		// The last characters have four and two bits to spare. Where these are set, no password matches.
		if strings.IndexByte(bcryptAlphabet, s[28])%16 != 0 || strings.IndexByte(bcryptAlphabet, s[59])%4 != 0 {
			return nil, errors.New("the salt or the tag is not in bcrypt's one spelling")
		}
		return bcryptHash{s, digest}, nil
	}
}

// parseBcryptBehind is for the table: the prefix is part of what bcrypt itself reads.
func parseBcryptBehind(prefix string) func(string) (scheme, error) {
	return func(s string) (scheme, error) { return parseBcrypt(false)(prefix + s) }
}

// cost is the state that bcrypt works on, rounded up: the turn is for its time.
func (h bcryptHash) cost() int64 { return 5 }

func (h bcryptHash) matches(password string) (bool, error) {
	if h.digest {
		sum := sha256.Sum256([]byte(password))
		password = hex.EncodeToString(sum[:])
	}
	// Never cut short: who has such a password here would share it with everybody whose first 72 bytes are the same. And by
	// bcrypt's definition a NUL ends a password, which then begins again: "a" and "a\x00a" are one.
	if len(password) > maxBcrypt || strings.ContainsRune(password, 0) {
		return false, nil
	}
	err := bcrypt.CompareHashAndPassword([]byte(h.encoded), []byte(password)) // in constant time
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, nil
	}
	return err == nil, err
}
