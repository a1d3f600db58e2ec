package token

import "strings"

// readHeader takes over what the JOSE header says (RFC 7515 section 4, RFC 7519 section 5). withKey allows it a jwk.
func (t *Token) readHeader(data []byte, withKey bool) error {
	header, err := ParseClaims(data)
	if err != nil {
		return fail("header", err.Error())
	}
	if err := exactNames("header.", header, headerNames); err != nil {
		return err
	}
	// Of what crit may list nothing is implemented, and an empty list is forbidden: "Recipients MAY consider the JWS to be
	// invalid if the critical list contains any Header Parameter names defined by this specification". b64 and zip change what
	// the payload is, enc makes it another kind of token. A key that a token brings proves nothing about who signed it, and an
	// address would send us to a host of its choice.
	for _, name := range []string{"crit", "b64", "zip", "enc", "jwk", "jku", "x5u", "x5c"} {
		if _, given := header[name]; given && (name != "jwk" || !withKey) {
			return fail("header."+name, "not allowed")
		}
	}
	for _, name := range []string{"alg", "kid", "typ"} {
		if value, given := header[name]; given {
			if _, ok := value.(string); !ok {
				return fail("header."+name, "no string")
			}
		}
	}
	t.Alg, _ = header.Text("alg")
	t.KeyID, _ = header.Text("kid")
	t.Type, _ = header.Text("typ")
	if content, given := header["cty"]; given {
		if text, ok := content.(string); !ok || isType(text, "jwt") {
			return fail("header.cty", "a token within a token")
		}
	}
	if _, known := algorithms[t.Alg]; !known {
		return fail("header.alg", "missing or not one that is taken")
	}
	t.header = header
	return nil
}

// isType reports whether a typ or cty names this media type, given in lower case and without "application/". RFC 7515 section
// 4.1.9 lets the prefix be omitted; RFC 2045 section 5.1: "Matching of media type and subtype is ALWAYS case-insensitive."
func isType(value, mediaType string) bool {
	folded := fold(value)
	return folded == mediaType || strings.TrimPrefix(folded, "application/") == mediaType
}
