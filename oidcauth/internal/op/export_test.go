package op

import (
	"time"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

// ParseMetadata reads metadata as it comes from an issuer.
func ParseMetadata(body []byte, issuer string) (*Metadata, error) {
	u, err := checkIssuer(issuer)
	if err != nil {
		return nil, err
	}
	return parseMetadata(body, u)
}

// ParseTokens reads the body of a token response.
func ParseTokens(body []byte, asked time.Time) (*Tokens, error) {
	object, err := token.ParseClaims(body)
	if err != nil {
		return nil, err
	}
	return parseTokens(object, asked)
}

// RefuseLinkLocal is what the default transport asks before it dials.
var RefuseLinkLocal = refuseLinkLocal
