package userauth

import (
	"crypto/rand"
	"encoding/base64"
	"hash/crc32"
	"strings"
)

// An API token is the prefix, a secret of 256 random bits and a checksum of both:
//
//	ost_ + 43 characters + 6 characters        (ost_[A-Za-z0-9_-]{49})
//
// The prefix is for scanners of repositories and logs, and says at once whose token it is; the checksum tells a typing
// error, and for a scanner a false alarm, without a database. Neither is a secret: only the 43 characters count, and of
// those the database holds the SHA-256.
const (
	tokenPrefix    = "ost_"
	tokenSecretLen = 43 // 32 bytes in base64url
	tokenSumLen    = 6  // 4 bytes in base64url
	tokenLen       = len(tokenPrefix) + tokenSecretLen + tokenSumLen
)

// newToken makes a token and gives its text and the secret in it.
func newToken() (text, secret string) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	secret = base64.RawURLEncoding.EncodeToString(b[:])
	sum := tokenSum(secret)
	return tokenPrefix + secret + string(sum[:]), secret
}

// secretOf gives the secret in the text of a token; ok is false for what can't be one. It allocates nothing, and what it
// refuses was never asked of the database.
func secretOf(text string) (secret string, ok bool) {
	if len(text) != tokenLen || !strings.HasPrefix(text, tokenPrefix) {
		return "", false
	}
	secret = text[len(tokenPrefix):][:tokenSecretLen]
	sum := tokenSum(secret)
	return secret, text[tokenLen-tokenSumLen:] == string(sum[:])
}

// tokenSum is CRC-32 (IEEE 802.3) of prefix and secret, in one spelling only. It is computed here, since the package's own
// way would have the text copied to the heap.
func tokenSum(secret string) (sum [tokenSumLen]byte) {
	crc := ^uint32(0)
	for _, part := range [2]string{tokenPrefix, secret} {
		for i := range len(part) {
			crc = crc32.IEEETable[byte(crc)^part[i]] ^ crc>>8
		}
	}
	crc = ^crc
	base64.RawURLEncoding.Encode(sum[:], []byte{byte(crc >> 24), byte(crc >> 16), byte(crc >> 8), byte(crc)})
	return sum
}

// offered reads the Authorization headers of a request: the scheme "Bearer" or "token" in any case (RFC 9110 section
// 11.1), one or more blanks, and the token exactly as it stands. ours is false where none carries a token of this kind,
// by its prefix; text is empty where there is one that is not alone.
func offered(headers []string) (text string, ours bool) {
	for _, value := range headers {
		if t := credential(value); strings.HasPrefix(t, tokenPrefix) {
			text, ours = t, true
		}
	}
	if len(headers) > 1 {
		text = "" // whoever reads the other one would take the caller for somebody else
	}
	return text, ours
}

// credential is empty for a header of another scheme.
func credential(value string) string {
	scheme, rest, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "token") {
		return ""
	}
	return strings.TrimLeft(rest, " ")
}
