package token

import (
	"encoding/base64"
	"strings"
)

// encoding is strict: the bits that the last character leaves unused must be zero, or one token would have several spellings.
var encoding = base64.RawURLEncoding.Strict()

// decode gives the bytes of canonical base64url (RFC 4648 section 5) without padding.
func decode(text string) ([]byte, bool) {
	if strings.IndexByte(text, '\r') >= 0 || strings.IndexByte(text, '\n') >= 0 { // encoding/base64 would skip them
		return nil, false
	}
	data, err := encoding.DecodeString(text)
	return data, err == nil
}
