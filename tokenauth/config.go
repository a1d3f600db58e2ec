package tokenauth

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/password"
)

// Mode says what people log in with.
type Mode int

const (
	// TokenMode is a shared token: given, or generated when the server starts.
	TokenMode Mode = iota
	// PasswordMode is a shared password.
	PasswordMode
)

// Config configures [New]. The zero value generates a token. It holds secrets and redacts itself in fmt, slog and JSON.
type Config struct {
	Auth auth.Config
	Mode Mode
	// Token is the shared token of TokenMode: visible ASCII characters. Empty: the environment's AUTH_TOKEN, or the
	// content of the file that AUTH_TOKEN_FILE names, less one trailing newline; without either a random one of 192 bits
	// is generated. Who holds it may do everything. A token under 32 characters is warned about: it can be guessed.
	Token string
	// Password is the shared password of PasswordMode. It is kept only as an argon2id hash.
	Password string
	// PasswordHash is that password's hash instead: argon2id as a PHC string, which `useradmin hash` prints, one of
	// Jupyter's ("argon2:…", "sha1:salt:digest"), or any other that docs/useradmin.md lists.
	PasswordHash string
	// Tokens are further tokens, in both modes.
	Tokens []Token
	// Lifetime is how long a browser stays logged in. 0: 30 days. A restart ends it in any case.
	Lifetime time.Duration
	// CookieName is for two servers on one https host. Empty: "ostiary-token".
	CookieName string
	// Guests is how many guests' profile changes are kept in memory. 0: 10,000.
	Guests int
}

// A Token is a named token with rights of its own.
type Token struct {
	Name        string // for people and logs; unique, not secret. The holder's identity is derived from it
	Token       string // as Config.Token, and required
	Permissions auth.Permissions
	Roles       []string  // names in auth.Config.Roles
	Expires     time.Time // zero: never
}

const redacted = "[redacted]"

// Format implements [fmt.Formatter].
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "tokenauth.Config"+redacted) }

// LogValue implements [slog.LogValuer].
func (c Config) LogValue() slog.Value { return slog.StringValue("tokenauth.Config" + redacted) }

// MarshalJSON implements json.Marshaler.
func (c Config) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Format implements [fmt.Formatter].
func (t Token) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "tokenauth.Token(%q)%s", t.Name, redacted)
}

// LogValue implements [slog.LogValuer].
func (t Token) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(t)) }

// MarshalJSON implements json.Marshaler.
func (t Token) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// sharedToken is the token of TokenMode, and whether it was generated.
func (c Config) sharedToken() (token string, generated bool, err error) {
	token = cmp.Or(c.Token, os.Getenv("AUTH_TOKEN"))
	if file := os.Getenv("AUTH_TOKEN_FILE"); token == "" && file != "" {
		data, err := os.ReadFile(file) //nolint:gosec // the operator names the file
		if err != nil {
			return "", false, fmt.Errorf("AUTH_TOKEN_FILE: %w", err)
		}
		data = bytes.TrimSuffix(data, []byte("\n"))
		if token = string(bytes.TrimSuffix(data, []byte("\r"))); token == "" {
			// Fail closed: an empty file is a mistake, not a wish for a token that nobody gets to see.
			return "", false, errors.New("AUTH_TOKEN_FILE: the file is empty")
		}
	}
	if token == "" {
		var random [24]byte
		_, _ = rand.Read(random[:]) // never fails
		return hex.EncodeToString(random[:]), true, nil
	}
	return token, false, validToken(token)
}

// validToken refuses what can't be sent in a header as it is. An empty token would be one that everybody presents.
func validToken(token string) error {
	if token == "" {
		return errors.New("is empty")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return errors.New("holds white space, a control character or one beyond ASCII")
	}
	return nil
}

// passwordHash is the hash of PasswordMode.
func (c Config) passwordHash(ctx context.Context, h *password.Hasher) (password.Hash, error) {
	switch {
	case c.Password != "" && c.PasswordHash != "":
		return password.Hash{}, errors.New("both Password and PasswordHash are set")
	case c.PasswordHash != "":
		hash, err := password.Parse(c.PasswordHash)
		if err != nil {
			return password.Hash{}, fmt.Errorf("PasswordHash: %w", err)
		}
		return hash, nil
	case c.Password != "":
		return h.Hash(ctx, c.Password)
	}
	return password.Hash{}, errors.New("PasswordMode needs Password or PasswordHash")
}

// check reports settings that can't be meant together.
func (c Config) check() error {
	switch {
	case c.Mode != TokenMode && c.Mode != PasswordMode:
		return fmt.Errorf("unknown Mode %d", c.Mode)
	case c.Mode == TokenMode && (c.Password != "" || c.PasswordHash != ""):
		return errors.New("a Password needs PasswordMode")
	case c.Mode == PasswordMode && c.Token != "":
		return errors.New("a Token needs TokenMode: name it in Tokens")
	case c.Lifetime < 0:
		return fmt.Errorf("negative Lifetime %s", c.Lifetime)
	case c.Guests < 0:
		return fmt.Errorf("negative Guests %d", c.Guests)
	}
	return nil
}
