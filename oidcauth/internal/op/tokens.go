package op

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

// Tokens are what the token endpoint gave. They are secrets: printing, logging or marshalling them shows none.
type Tokens struct {
	Access  string
	Refresh string    // empty: none, or on a refresh that the old one stays
	ID      string    // the ID token, not yet verified; on a refresh it may be empty
	Scope   string    // empty: what was asked for (RFC 6749 section 5.1)
	Expires time.Time // of Access; zero: the provider didn't say
}

// Format implements [fmt.Formatter].
func (t Tokens) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "op.Tokens"+redacted) }

// LogValue implements [slog.LogValuer].
func (t Tokens) LogValue() slog.Value { return slog.StringValue("op.Tokens" + redacted) }

// MarshalJSON implements json.Marshaler.
func (t Tokens) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// maxExpiresIn bounds expires_in, in seconds: some providers say "never" with a number that no duration holds.
const maxExpiresIn = 10 * 365 * 24 * 3600

// parseTokens reads a token response (RFC 6749 section 5.1, OpenID Connect Core section 3.1.3.3) to a request that was sent at
// asked. Only bearer tokens are taken, since this client has no proof to offer for others. expires_in must be a number: one in
// quotes is a malformed answer, and none at all is not.
func parseTokens(object token.Claims, asked time.Time) (*Tokens, error) {
	var t Tokens
	for name, to := range map[string]*string{
		"access_token": &t.Access, "refresh_token": &t.Refresh, "id_token": &t.ID, "scope": &t.Scope,
	} {
		text, ok := object[name].(string)
		if !ok && object[name] != nil || !visible(text) {
			return nil, unavailable("its %s isn't text, or none that can be one", name)
		}
		*to = text
	}
	if t.Access == "" {
		return nil, unavailable("it gave no access_token")
	}
	// Case doesn't count (RFC 6749 section 5.1).
	if kind, _ := object.Text("token_type"); !strings.EqualFold(kind, "Bearer") {
		return nil, unavailable("it gave a token_type that isn't Bearer")
	}
	if object["expires_in"] != nil {
		seconds, ok := object.Time("expires_in")
		if !ok || seconds < 0 {
			return nil, unavailable("its expires_in isn't a number of seconds")
		}
		t.Expires = asked.Add(time.Duration(min(seconds, maxExpiresIn)) * time.Second)
	}
	return &t, nil
}

// visible tells whether text has printable ASCII only, as codes, tokens and scopes have (RFC 6749 appendix A). Other bytes
// could not be sent on in a header.
func visible(text string) bool {
	for i := range len(text) {
		if text[i] < 0x20 || text[i] > 0x7e {
			return false
		}
	}
	return true
}
