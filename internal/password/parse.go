package password

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// What a stored hash may be made of. The shortest salt is RFC 9106's ("MUST be [...] at least 8 bytes" in the PHC
// specification); a tag under 16 bytes could be met by chance, and an empty one equals anything's.
const (
	maxEncoded = 512
	minSalt    = 8
	maxSalt    = 64
	minTag     = 16
	maxTag     = 64
)

// Parse reads a stored hash:
//
//   - $argon2id$v=19$m=19456,t=2,p=1$salt$tag, the PHC string format in its one canonical spelling: exactly these
//     fields in this order, plain decimal numbers, unpadded base64;
//   - argon2: followed by such a string with argon2id or argon2i, as Jupyter Server writes it;
//   - sha1:salt:digest, Jupyter Server's older form, SHA-1 over password and salt in 40 hexadecimal digits. It is no
//     protection for a weak password once the hash is known.
//
// A version other than 19 is refused, the absent one too, which by the specification means 16. So is a cost over what
// [Params] allows, before anything is allocated. Anything else is an error as well; none repeats the input, since
// what isn't a hash may be a password.
func Parse(encoded string) (Hash, error) {
	h, err := parse(encoded)
	if err != nil {
		return Hash{}, fmt.Errorf("password: parsing a hash: %w", err)
	}
	h.encoded = encoded
	return h, nil
}

func parse(encoded string) (Hash, error) {
	if len(encoded) > maxEncoded {
		return Hash{}, errors.New("too long")
	}
	switch prefix, rest, _ := strings.Cut(encoded, ":"); {
	case prefix == "argon2":
		return parsePHC(rest, true)
	case prefix == "sha1":
		return parseSHA1(rest)
	default:
		return parsePHC(encoded, false)
	}
}

func parsePHC(s string, jupyter bool) (Hash, error) {
	fields := strings.Split(s, "$")
	if len(fields) != 6 || fields[0] != "" {
		return Hash{}, errors.New("neither $argon2id$v=19$m=,t=,p=$salt$tag nor a hash of Jupyter's")
	}
	var h Hash
	switch {
	case fields[1] == "argon2id":
		h.scheme = argon2id
	case fields[1] == "argon2i" && jupyter:
		h.scheme = argon2i
	default:
		return Hash{}, errors.New("the algorithm is not offered")
	}
	if fields[2] != "v=19" {
		return Hash{}, errors.New("the version is not v=19")
	}
	var err error
	if h.params, err = parseParams(fields[3]); err != nil {
		return Hash{}, err
	}
	if h.salt, err = parseBase64(fields[4]); err != nil || len(h.salt) < minSalt || len(h.salt) > maxSalt {
		return Hash{}, fmt.Errorf("the salt is not %d to %d bytes in unpadded base64", minSalt, maxSalt)
	}
	if h.tag, err = parseBase64(fields[5]); err != nil || len(h.tag) < minTag || len(h.tag) > maxTag {
		return Hash{}, fmt.Errorf("the tag is not %d to %d bytes in unpadded base64", minTag, maxTag)
	}
	return h, nil
}

// parseParams reads m=…,t=…,p=… and nothing else: keyid= and data= change the hash, so they can't be skipped.
func parseParams(s string) (Params, error) {
	fields := strings.Split(s, ",")
	if len(fields) != 3 {
		return Params{}, errors.New("the parameters are not m, t and p")
	}
	var n [3]uint32
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(fields[i], name)
		if !ok {
			return Params{}, errors.New("the parameters are not m, t and p")
		}
		if n[i], ok = parseNumber(digits); !ok {
			return Params{}, errors.New("a parameter is not a decimal number in range")
		}
	}
	if n[2] > maxThreads { // before it is narrowed: 256 would wrap to 0, on which argon2 panics
		return Params{}, fmt.Errorf("threads are not between 1 and %d", maxThreads)
	}
	p := Params{Memory: n[0], Time: n[1], Threads: uint8(n[2])}
	return p, p.check()
}

// parseNumber reads digits only: no sign, no leading zero, no underscore.
func parseNumber(s string) (uint32, bool) {
	if s == "" || s[0] < '1' || s[0] > '9' { // no parameter may be 0
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}

func parseBase64(s string) (string, error) {
	if strings.ContainsAny(s, "\r\n") { // encoding/base64 skips these even when strict
		return "", errors.New("line break")
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	return string(b), err
}

func parseSHA1(s string) (Hash, error) {
	salt, digest, _ := strings.Cut(s, ":")
	tag, err := hex.DecodeString(digest)
	if salt == "" || err != nil || len(tag) != sha1.Size {
		return Hash{}, errors.New("not sha1:salt:digest with 40 hexadecimal digits")
	}
	return Hash{scheme: jupyterSHA, salt: salt, tag: string(tag)}, nil
}
