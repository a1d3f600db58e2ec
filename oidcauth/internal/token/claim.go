package token

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"
	"time"
)

const (
	// leeway is by how much our clock and the provider's may differ, for exp, nbf, iat and auth_time alike.
	leeway = time.Minute

	// maxLifetime is the furthest an exp may lie ahead. What is beyond is a mistake, as milliseconds taken for seconds, or
	// meant to never end.
	maxLifetime = 366 * 24 * time.Hour

	// maxSubject is in OpenID Connect Core 2: sub "MUST NOT exceed 255 ASCII characters in length".
	maxSubject = 255
)

// checkIssuer wants iss byte for byte: of two URLs that mean the same to a browser one may be somebody else's tenant.
func (c Claims) checkIssuer(issuer string) error {
	if iss, ok := c.Text("iss"); !ok || iss != issuer {
		return fail("iss", "not the provider")
	}
	return nil
}

// checkSubject wants a sub that can be an identity: printable ASCII, no space at either end, which some databases ignore.
func (c Claims) checkSubject() error {
	sub, ok := c.Text("sub")
	if !ok {
		return fail("sub", "missing or no text")
	}
	if len(sub) > maxSubject {
		return fail("sub", "longer than 255 characters")
	}
	if sub[0] == ' ' || sub[len(sub)-1] == ' ' || strings.ContainsFunc(sub, func(r rune) bool { return r < ' ' || r > '~' }) {
		return fail("sub", "not printable ASCII")
	}
	return nil
}

// audience gives aud, which may be one string or several (RFC 7519 section 4.1.3).
func (c Claims) audience() ([]string, error) {
	aud, ok := c.Texts("aud")
	if !ok || len(aud) == 0 || slices.Contains(aud, "") {
		return nil, fail("aud", "missing or not a list of texts")
	}
	return aud, nil
}

// checkAudience wants client in aud and nobody else but those that are trusted: another audience could have been given the
// token by its person for a purpose of its own, and pass it on (OpenID Connect Core 3.1.3.7).
func (c Claims) checkAudience(client string, trusted []string) error {
	aud, err := c.audience()
	if err != nil {
		return err
	}
	if client == "" || !slices.Contains(aud, client) {
		return fail("aud", "names another client")
	}
	for _, other := range aud {
		if other != client && !slices.Contains(trusted, other) {
			return fail("aud", "names a stranger beside this client")
		}
	}
	return nil
}

// checkExpiry wants exp, not past and not beyond what lifetime allows.
func (c Claims) checkExpiry(now time.Time, lifetime time.Duration) error {
	exp, ok := c.Time("exp")
	switch {
	case !ok:
		return fail("exp", "missing or no time")
	case exp <= now.Add(-leeway).Unix():
		return fail("exp", "expired")
	case exp > now.Add(lifetime+leeway).Unix():
		return fail("exp", "too far ahead")
	}
	return nil
}

// checkIssued wants iat, not ahead of now, and within maxAge unless that is 0.
func (c Claims) checkIssued(now time.Time, maxAge time.Duration) error {
	iat, ok := c.Time("iat")
	switch {
	case !ok:
		return fail("iat", "missing or no time")
	case iat > now.Add(leeway).Unix():
		return fail("iat", "in the future")
	case maxAge != 0 && iat < now.Add(-maxAge).Unix():
		return fail("iat", "too long ago")
	}
	return nil
}

// checkNotBefore wants an nbf that has come, if there is one.
func (c Claims) checkNotBefore(now time.Time) error {
	if _, given := c["nbf"]; !given {
		return nil
	}
	if nbf, ok := c.Time("nbf"); !ok || nbf > now.Add(leeway).Unix() {
		return fail("nbf", "in the future, or no time")
	}
	return nil
}

// require wants these claims as texts that aren't empty.
func (c Claims) require(names ...string) error {
	for _, name := range names {
		if _, ok := c.Text(name); !ok {
			return fail(name, "missing or no text")
		}
	}
	return nil
}

// optional wants these claims, where they are given, as require does.
func (c Claims) optional(names ...string) error {
	for _, name := range names {
		if _, given := c[name]; given {
			if err := c.require(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// first gives the first error of some checks.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// hashes reports whether claim is the base64url of all of the hash of value, as in RFC 9449's ath and RFC 8705's x5t#S256.
func hashes(claim string, value []byte) bool {
	sum := sha256.Sum256(value)
	return same(claim, encoding.EncodeToString(sum[:]))
}

// same compares without telling by its time where two texts differ.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
