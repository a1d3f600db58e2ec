package userauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/store"
)

// Accounts manages users and roles: for admin commands, set-up and an application's own admin pages. It asks nobody
// whether the caller may: that is for the guard in front of it. Whoever may call it may grant anything.
//
// A user is named by any spelling that the login form takes: upper and lower case are one. A name that nobody can have
// is [ErrNotFound]. A value that can't be taken is an [*auth.FieldError], and nothing has changed then; every other
// error is one of [ErrNotFound], [ErrExists], [ErrChanged] and [ErrLastAdmin], or wraps [auth.ErrUnavailable].
//
// Changes made through an Accounts of [OpenAccounts] reach running servers within a second. All methods may be called
// concurrently.
type Accounts struct {
	store  *store.DB
	write  func(context.Context, func(*store.Tx) error) error // the server's, where there is one, so that it acts at once
	hasher *password.Hasher
	policy password.Policy
	now    func() time.Time
	close  func() error

	defaultRoles []string             // a server's: what they hold, everybody holds
	configRoles  map[string]auth.Role // a server's Config.Auth.Roles

	hooks      Hooks
	hookFailed func(user Account, err error) // an After hook, when all is done; called only where there are hooks
}

// Policy says which passwords are taken. They may be 256 characters long and hold any; common ones, and those made of
// the username or of BlockedWords, are refused.
type Policy struct {
	// MinPassword is the least length, in characters. 0: 15, which holds without a second factor. Under 8 is an error.
	MinPassword int
	// BlockedWords are refused beside the common passwords: the application's and the company's name.
	BlockedWords []string
}

func (p Policy) passwords() (password.Policy, error) {
	if p.MinPassword != 0 && (p.MinPassword < password.LeastMin || p.MinPassword > password.MaxRunes) {
		return password.Policy{}, fmt.Errorf("MinPassword is %d: want %d to %d", p.MinPassword, password.LeastMin, password.MaxRunes)
	}
	policy := password.Policy{Min: p.MinPassword, Words: slices.Clone(p.BlockedWords)}
	if err := policy.Validate(); err != nil {
		return password.Policy{}, fmt.Errorf("BlockedWords: %w", err)
	}
	return policy, nil
}

// OpenAccounts gives the accounts in db without a server, and migrates the database. The caller closes db, after
// Close. ctx is for opening only.
func OpenAccounts(ctx context.Context, db *sqlx.DB, p Policy) (*Accounts, error) {
	if db == nil {
		return nil, errors.New("userauth: opening the accounts: no database")
	}
	hasher, err := password.NewHasher(password.Config{})
	if err != nil {
		return nil, fmt.Errorf("userauth: opening the accounts: %w", err)
	}
	return openAccounts(ctx, db, p, hasher)
}

func openAccounts(ctx context.Context, db *sqlx.DB, p Policy, hasher *password.Hasher) (*Accounts, error) {
	st, err := store.Open(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("userauth: opening the accounts: %w", err)
	}
	a, err := newAccounts(st, st.Write, hasher, p, time.Now)
	if err != nil {
		_ = st.Close() // the first error is the one to tell
		return nil, fmt.Errorf("userauth: opening the accounts: %w", err)
	}
	a.close = st.Close
	return a, nil
}

// newAccounts is also how a server makes them: over its own store, hasher and way of writing.
func newAccounts(st *store.DB, write func(context.Context, func(*store.Tx) error) error, hasher *password.Hasher, p Policy, now func() time.Time) (*Accounts, error) {
	policy, err := p.passwords()
	if err != nil {
		return nil, fmt.Errorf("Policy: %w", err)
	}
	return &Accounts{store: st, write: write, hasher: hasher, policy: policy, now: now, close: func() error { return nil }}, nil
}

// Close gives back what [OpenAccounts] took. The Accounts of a server end with the server.
func (a *Accounts) Close() error {
	if err := a.close(); err != nil {
		return fmt.Errorf("userauth: closing the accounts: %w", err)
	}
	return nil
}

// Format implements [fmt.Formatter]: the database that it leads to may know its own password.
func (a *Accounts) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "userauth.Accounts"+redacted)
}

// LogValue implements [slog.LogValuer].
func (a *Accounts) LogValue() slog.Value { return slog.StringValue("userauth.Accounts" + redacted) }
