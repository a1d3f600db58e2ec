package password

import (
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

// formats are the hashes that are known, by how they begin; parse reads what stands behind that. No two begin alike.
var formats = []struct {
	prefix string
	parse  func(string) (scheme, error)
}{
	{ownPrefix, parseArgon2(argon2id)},
	{"$argon2i$", parseArgon2(argon2i)},
	{"argon2:$argon2id$", parseArgon2(argon2id)}, // Jupyter Server
	{"argon2:$argon2i$", parseArgon2(argon2i)},
	{"argon2$argon2id$", parseArgon2(argon2id)}, // Django
	{"argon2$argon2i$", parseArgon2(argon2i)},

	{"$2a$", parseBcryptBehind("$2a$")},
	{"$2b$", parseBcryptBehind("$2b$")},
	{"$2y$", parseBcryptBehind("$2y$")},
	{"bcrypt$", parseBcrypt(false)}, // Django
	{"bcrypt_sha256$", parseBcrypt(true)},

	{"$scrypt$", parseScryptPHC},
	{"scrypt$", parseScryptDjango},
	{"scrypt:", parseScryptWerkzeug},

	{"$pbkdf2-sha256$", parsePBKDF2(sha256Digest, passlibParts)},
	{"$pbkdf2-sha512$", parsePBKDF2(sha512Digest, passlibParts)},
	{"pbkdf2_sha256$", parsePBKDF2(sha256Digest, djangoParts)},
	{"pbkdf2_sha1$", parsePBKDF2(sha1Digest, djangoParts)},
	{"pbkdf2:sha256:", parsePBKDF2(sha256Digest, werkzeugParts)},
	{"pbkdf2:sha512:", parsePBKDF2(sha512Digest, werkzeugParts)},

	{"$6$", parseSHA512Crypt},
	{"sha1:", parseSHA1}, // Jupyter Server
}

// Parse reads a stored hash:
//
//   - $argon2id$v=19$m=19456,t=2,p=1$salt$tag and $argon2i$, the PHC string format; behind argon2: as Jupyter Server
//     writes it, or behind argon2$ as Django does;
//   - $2a$, $2b$ and $2y$ of bcrypt, and Django's bcrypt$ and bcrypt_sha256$ with one of these behind them. A password
//     of more than 72 bytes, or with a NUL, matches none of them but bcrypt_sha256$;
//   - $scrypt$ln=16,r=8,p=1$salt$tag, Django's scrypt$ and Werkzeug's scrypt:;
//   - PBKDF2 as passlib ($pbkdf2-sha256$, $pbkdf2-sha512$), Django (pbkdf2_sha256$, pbkdf2_sha1$) and Werkzeug
//     (pbkdf2:sha256:, pbkdf2:sha512:) write it. A password that ends with a NUL matches none of them, nor of scrypt's;
//   - $6$ of crypt(3), SHA-512, with or without rounds=, for passwords of up to 1,024 bytes;
//   - sha1:salt:digest, Jupyter Server's older form, SHA-1 over password and salt in 40 hexadecimal digits. It is no
//     protection for a weak password once the hash is known.
//
// Each in its one canonical spelling: exactly these fields in this order, plain decimal numbers, base64 as the format
// has it. A cost over what [Params] allows, or as much for another algorithm, is refused before anything is allocated.
// Anything else is an error as well; none repeats the input, since what isn't a hash may be a password.
func Parse(encoded string) (Hash, error) {
	s, err := parse(encoded)
	if err != nil {
		return Hash{}, fmt.Errorf("password: parsing a hash: %w", err)
	}
	return Hash{encoded: encoded, scheme: s}, nil
}

func parse(encoded string) (scheme, error) {
	if len(encoded) > maxEncoded {
		return nil, errors.New("too long")
	}
	for _, format := range formats {
		if rest, ok := strings.CutPrefix(encoded, format.prefix); ok {
			return format.parse(rest)
		}
	}
	return nil, errors.New("not in a format that is known")
}

// parseNumbers reads one number behind each name, and nothing else.
func parseNumbers(fields []string, names ...string) ([]uint32, error) {
	if len(fields) != len(names) {
		return nil, errors.New("not the parameters of its format")
	}
	n := make([]uint32, len(names))
	for i, name := range names {
		digits, ok := strings.CutPrefix(fields[i], name)
		if !ok {
			return nil, errors.New("not the parameters of its format")
		}
		if n[i], ok = parseNumber(digits); !ok {
			return nil, errors.New("a parameter is not a decimal number in range")
		}
	}
	return n, nil
}

// parseNumber reads digits only: no sign, no leading zero, no underscore.
func parseNumber(s string) (uint32, bool) {
	if s == "" || s[0] < '1' || s[0] > '9' { // no parameter may be 0
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}

// The ways to spell bytes. Each has one spelling for each sequence of them.
var (
	rawBase64    = strict(base64.RawStdEncoding)
	paddedBase64 = strict(base64.StdEncoding)
	// passlib's own has "." instead of "+".
	dottedBase64 = strict(base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./").WithPadding(base64.NoPadding))
)

type decoding func(string) ([]byte, error)

func strict(e *base64.Encoding) decoding {
	e = e.Strict()
	return func(s string) ([]byte, error) {
		if strings.ContainsAny(s, "\r\n") { // encoding/base64 skips these even when strict
			return nil, errors.New("line break")
		}
		return e.DecodeString(s)
	}
}

func lowerHex(s string) ([]byte, error) {
	if strings.ContainsAny(s, "ABCDEF") {
		return nil, errors.New("upper case")
	}
	return hex.DecodeString(s)
}

// parseSaltAndTag reads both in the same spelling.
func parseSaltAndTag(decode decoding, salt, tag string) (s, t string, err error) {
	b, err := decode(salt)
	if err != nil || len(b) < minSalt || len(b) > maxSalt {
		return "", "", fmt.Errorf("the salt is not %d to %d bytes in its format's base64", minSalt, maxSalt)
	}
	t, err = parseTag(decode, tag)
	return string(b), t, err
}

// parseTextSaltAndTag reads a salt that is used as it stands.
func parseTextSaltAndTag(decode decoding, salt, tag string) (s, t string, err error) {
	unprintable := func(r rune) bool { return r <= ' ' || r >= 0x7f }
	if len(salt) < minSalt || len(salt) > maxSalt || strings.ContainsFunc(salt, unprintable) {
		return "", "", fmt.Errorf("the salt is not %d to %d characters of ASCII", minSalt, maxSalt)
	}
	t, err = parseTag(decode, tag)
	return salt, t, err
}

func parseTag(decode decoding, tag string) (string, error) {
	b, err := decode(tag)
	if err != nil || len(b) < minTag || len(b) > maxTag {
		return "", fmt.Errorf("the tag is not %d to %d bytes as its format spells them", minTag, maxTag)
	}
	return string(b), nil
}

func passlibParts(salt, tag string) (string, string, error) {
	return parseSaltAndTag(dottedBase64, salt, tag)
}

func djangoParts(salt, tag string) (string, string, error) {
	return parseTextSaltAndTag(paddedBase64, salt, tag)
}

func werkzeugParts(salt, tag string) (string, string, error) {
	return parseTextSaltAndTag(lowerHex, salt, tag)
}
