package password

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"golang.org/x/crypto/scrypt"
)

// scryptHash is a hash of scrypt (RFC 7914).
type scryptHash struct {
	n, r, p   int
	salt, tag string
}

// maxScrypt is how much memory one hash may fill in all its p passes, in KiB: some seconds of work.
const maxScrypt = 1 << 20

// newScrypt checks the parameters. One pass takes 128 times n times r bytes.
func newScrypt(n, r, p uint64, salt, tag string) (scheme, error) {
	pass := n * r / 8 // KiB; both have 32 bits, so it can't overflow
	switch {
	case n < 2 || bits.OnesCount64(n) != 1:
		return nil, errors.New("n of scrypt is not a power of two")
	case r < 1 || pass > maxMemory:
		return nil, fmt.Errorf("memory is over %d KiB", maxMemory)
	case p < 1 || p > maxThreads || pass*p > maxScrypt:
		return nil, fmt.Errorf("p of scrypt is not between 1 and %d, or fills over %d KiB", maxThreads, maxScrypt)
	}
	return scryptHash{int(n), int(r), int(p), salt, tag}, nil
}

// parseScryptPHC reads ln=16,r=8,p=1$salt$tag, what stands behind $scrypt$. ln is the binary logarithm of n.
func parseScryptPHC(s string) (scheme, error) {
	fields := strings.Split(s, "$")
	if len(fields) != 3 {
		return nil, errors.New("not $scrypt$ln=,r=,p=$salt$tag")
	}
	n, err := parseNumbers(strings.Split(fields[0], ","), "ln=", "r=", "p=")
	if err != nil {
		return nil, err
	}
	if n[0] > 31 {
		return nil, errors.New("ln of scrypt is over 31")
	}
	salt, tag, err := parseSaltAndTag(rawBase64, fields[1], fields[2])
	if err != nil {
		return nil, err
	}
	return newScrypt(1<<n[0], uint64(n[1]), uint64(n[2]), salt, tag)
}

// parseScryptDjango reads 16384$salt$8$5$tag, what stands behind scrypt$.
func parseScryptDjango(s string) (scheme, error) {
	fields := strings.Split(s, "$")
	if len(fields) != 5 {
		return nil, errors.New("not scrypt$n$salt$r$p$tag")
	}
	n, err := parseNumbers([]string{fields[0], fields[2], fields[3]}, "", "", "")
	if err != nil {
		return nil, err
	}
	salt, tag, err := parseTextSaltAndTag(paddedBase64, fields[1], fields[4])
	if err != nil {
		return nil, err
	}
	return newScrypt(uint64(n[0]), uint64(n[1]), uint64(n[2]), salt, tag)
}

// parseScryptWerkzeug reads 32768:8:1$salt$tag, what stands behind scrypt:.
func parseScryptWerkzeug(s string) (scheme, error) {
	fields := strings.Split(s, "$")
	if len(fields) != 3 {
		return nil, errors.New("not scrypt:n:r:p$salt$tag")
	}
	n, err := parseNumbers(strings.Split(fields[0], ":"), "", "", "")
	if err != nil {
		return nil, err
	}
	salt, tag, err := parseTextSaltAndTag(lowerHex, fields[1], fields[2])
	if err != nil {
		return nil, err
	}
	return newScrypt(uint64(n[0]), uint64(n[1]), uint64(n[2]), salt, tag)
}

func (h scryptHash) cost() int64 { return int64(h.r)*int64(h.n+h.p)/8 + 1 }

func (h scryptHash) matches(password string) (bool, error) {
	if paddable(password) {
		return false, nil
	}
	got, err := scrypt.Key([]byte(password), []byte(h.salt), h.n, h.r, h.p, len(h.tag))
	return err == nil && equal(got, h.tag), err
}
