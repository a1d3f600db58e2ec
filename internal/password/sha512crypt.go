package password

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// sha512CryptHash is a hash of crypt(3) with SHA-512, as /etc/shadow and `openssl passwd -6` have it (U. Drepper, "Unix
// crypt using SHA-256 and SHA-512").
type sha512CryptHash struct {
	rounds    int
	salt, tag string // the tag as it is spelled
}

const (
	defaultRounds = 5000
	leastRounds   = 1000
	maxRounds     = 1_000_000 // some seconds of work for the longest password

	// maxCrypt is how long a password may be, in bytes: more than MaxRunes can have. The work grows with its square.
	maxCrypt = 1024

	cryptSalt     = 16 // characters at most
	cryptTag      = 86 // characters
	cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// parseSHA512Crypt reads salt$tag or rounds=656000$salt$tag, what stands behind $6$.
func parseSHA512Crypt(s string) (scheme, error) {
	fields := strings.Split(s, "$")
	rounds := uint32(defaultRounds)
	if len(fields) == 3 {
		n, err := parseNumbers(fields[:1], "rounds=")
		if err != nil {
			return nil, err
		}
		rounds, fields = n[0], fields[1:]
	}
	switch {
	case len(fields) != 2:
		return nil, errors.New("not $6$salt$tag or $6$rounds=656000$salt$tag")
	case rounds < leastRounds || rounds > maxRounds: // crypt(3) writes no others: it raises what is less
		return nil, fmt.Errorf("the rounds of SHA-512 crypt are not between %d and %d", leastRounds, maxRounds)
	}
	salt, tag := fields[0], fields[1]
	if salt == "" || len(salt) > cryptSalt || strings.Trim(salt, cryptAlphabet) != "" {
		return nil, fmt.Errorf("the salt of SHA-512 crypt is not 1 to %d of its characters", cryptSalt)
	}
	// The last character has four bits to spare.
	if len(tag) != cryptTag || strings.Trim(tag, cryptAlphabet) != "" || strings.IndexByte(cryptAlphabet, tag[cryptTag-1]) > 3 {
		return nil, fmt.Errorf("the tag of SHA-512 crypt is not %d of its characters", cryptTag)
	}
	return sha512CryptHash{int(rounds), salt, tag}, nil
}

// cost is next to nothing: the turn is for its time.
func (h sha512CryptHash) cost() int64 { return 1 }

func (h sha512CryptHash) matches(password string) (bool, error) {
	if len(password) > maxCrypt {
		return false, nil
	}
	return equal(h.derive([]byte(password)), h.tag), nil
}

// derive is the algorithm. The numbers in the comments are its description's.
func (h sha512CryptHash) derive(password []byte) []byte {
	salt := []byte(h.salt)
	sum := func(parts ...[]byte) []byte {
		d := sha512.New()
		for _, part := range parts {
			_, _ = d.Write(part) // never fails
		}
		return d.Sum(nil)
	}
	// 4 to 12: the first digest mixes in another one, once for each byte of the password and then bit by bit of its length.
	b := sum(password, salt, password)
	first := [][]byte{password, salt, stretch(b, len(password))}
	for n := len(password); n > 0; n >>= 1 {
		if n&1 != 0 {
			first = append(first, b)
		} else {
			first = append(first, password)
		}
	}
	c := sum(first...)
	// 13 to 20: what stands for the password and the salt from here on, each as long as it.
	p := stretch(sum(slices.Repeat([][]byte{password}, len(password))...), len(password))
	s := stretch(sum(slices.Repeat([][]byte{salt}, 16+int(c[0]))...), len(salt))
	// 21: the rounds.
	d := sha512.New()
	for i := range h.rounds {
		d.Reset()
		parts := [4][]byte{c, nil, nil, p}
		if i%2 != 0 {
			parts[0], parts[3] = p, c
		}
		if i%3 != 0 {
			parts[1] = s
		}
		if i%7 != 0 {
			parts[2] = p
		}
		for _, part := range parts {
			_, _ = d.Write(part)
		}
		c = d.Sum(c[:0]) // the last part is written by now
	}
	return cryptEncode(c)
}

// stretch repeats b to n bytes.
func stretch(b []byte, n int) []byte { return bytes.Repeat(b, n/len(b)+1)[:n] }

// cryptEncode spells a digest as 22 of the description does: three bytes at a time, a third of the digest apart and
// turned by one from group to group, each six bits from the lowest on.
func cryptEncode(sum []byte) []byte {
	var out []byte
	spell := func(v uint32, characters int) {
		for range characters {
			out = append(out, cryptAlphabet[v&63])
			v >>= 6
		}
	}
	const third = sha512.Size / 3
	for i := range third {
		group := [3]int{i, i + third, i + 2*third}
		turn := i % 3
		spell(uint32(sum[group[turn]])<<16|uint32(sum[group[(turn+1)%3]])<<8|uint32(sum[group[(turn+2)%3]]), 4)
	}
	spell(uint32(sum[sha512.Size-1]), 2)
	return out
}
