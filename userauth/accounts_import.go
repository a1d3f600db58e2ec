package userauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/store"
)

// ImportedAccount is a user of another program, for [Accounts.Import]. It holds a hash and redacts itself in fmt, slog
// and JSON.
type ImportedAccount struct {
	Username string // as for [NewAccount]
	// Hash is of the user's password, in one of the formats that docs/useradmin.md lists; at the user's next login it is
	// replaced by one of ours. Any other is an error. Empty: the user can't log in by password until one is set.
	Hash        string
	Profile     auth.UserUpdate
	Roles       []string // must exist
	Permissions auth.Permissions
	Disabled    bool
	Created     time.Time // to the second, from 1970 on and not in the future; zero: now
}

// Format implements [fmt.Formatter].
func (u ImportedAccount) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "userauth.ImportedAccount(%q)%s", u.Username, redacted)
}

// LogValue implements [slog.LogValuer].
func (u ImportedAccount) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(u)) }

// MarshalJSON implements [json.Marshaler].
func (u ImportedAccount) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// ImportOptions are for [Accounts.Import].
type ImportOptions struct {
	// DryRun stores nothing, and finds what an import would end at. It keeps 16 bytes of each name in memory.
	DryRun bool
	// SkipExisting leaves users alone whose names are taken, in any spelling. Otherwise such a name is [ErrExists].
	SkipExisting bool
}

// Imported counts what an import has stored, or in a dry run would have.
type Imported struct{ Added, Skipped int }

// ImportError says at which user an import has ended.
type ImportError struct {
	Number int   // counted from 1: the line, where users come one a line
	Err    error // as of [Accounts.Add], or the sequence's own
}

func (e *ImportError) Error() string {
	return fmt.Sprintf("userauth: importing number %d: %v", e.Number, e.Err)
}

// Unwrap gives Err.
func (e *ImportError) Unwrap() error { return e.Err }

// importBatch is how many users a transaction adds: few enough for the time that one has on a slow database.
const importBatch = 50

// Import adds users with the hashes that another program has made of their passwords. No policy is asked: nobody knows
// the passwords.
//
// Users are stored in their order, 50 at a time, each fifty whole or not at all; it holds no more of them in memory,
// however many there are. It ends at the first error, with an [*ImportError] where one user is at fault: of users then
// comes whatever the sequence gave as error, of names that are taken [ErrExists], of roles that don't exist and other
// values an [*auth.FieldError]. Imported says how many users are stored nevertheless. Once the user is mended, an import
// with SkipExisting does the rest.
func (a *Accounts) Import(ctx context.Context, users iter.Seq2[ImportedAccount, error], o ImportOptions) (Imported, error) {
	var done Imported
	batch := importing{accounts: a, options: o}
	if o.DryRun {
		batch.seen = map[[16]byte]bool{}
	}
	number := 0
	for user, err := range users {
		number++
		if err == nil && ctx.Err() != nil { // the next fifty may take its time to come
			err = failure("importing", ctx.Err())
		}
		if err == nil {
			err = batch.take(ctx, number, user)
		}
		if err == nil && len(batch.users) == importBatch {
			err = batch.store(ctx, &done)
		}
		if err != nil {
			return done, numbered(number, err)
		}
	}
	return done, batch.store(ctx, &done)
}

// numbered leaves an error alone that knows already which user it is about, or that it is about none.
func numbered(number int, err error) error {
	var known *ImportError
	if errors.As(err, &known) || errors.Is(err, auth.ErrUnavailable) {
		return err
	}
	return &ImportError{Number: number, Err: err}
}

// importing are the users of one transaction.
type importing struct {
	accounts *Accounts
	options  ImportOptions
	users    []importedUser
	seen     map[[16]byte]bool // the names of a dry run, hashed; there is no transaction to know them
}

type importedUser struct {
	number int
	row    store.User
	n      NewAccount
}

// take checks everything that needs no database.
func (b *importing) take(ctx context.Context, number int, user ImportedAccount) error {
	a := b.accounts
	// What stands for the password is its hash, so to hash it is to read it.
	n := NewAccount{Username: user.Username, Password: user.Hash, Profile: user.Profile, Roles: user.Roles, Permissions: user.Permissions}
	row, err := a.newUser(ctx, n, func(_ context.Context, _, encoded string) (password.Hash, error) {
		hash, err := password.Parse(encoded)
		if err != nil { // its text says why, and repeats nothing
			return hash, &auth.FieldError{Field: "password_hash", Problem: strings.TrimPrefix(err.Error(), "password: parsing a hash: ")}
		}
		return hash, nil
	})
	if err != nil {
		return err
	}
	row.Disabled = user.Disabled
	if !user.Created.IsZero() {
		row.Created = user.Created.Unix()
	}
	if row.Created < 0 || user.Created.After(a.now()) {
		return &auth.FieldError{Field: "created", Problem: "before 1970 or in the future"}
	}
	b.users = append(b.users, importedUser{number, row, n})
	return nil
}

// store adds the users that were taken to the database, and to the counts of what is done.
func (b *importing) store(ctx context.Context, done *Imported) error {
	if len(b.users) == 0 {
		return nil
	}
	var now Imported
	var err error
	if b.options.DryRun {
		now, err = b.check(ctx)
	} else {
		err = b.accounts.write(ctx, func(tx *store.Tx) error { // may run more than once
			now, err = b.insert(tx)
			return err
		})
	}
	var one *ImportError
	switch {
	case errors.As(err, &one): // first: it may wrap what failure would take out of it
		return one
	case err != nil:
		return failure(fmt.Sprintf("importing numbers %d to %d", b.users[0].number, b.users[len(b.users)-1].number), err)
	}
	done.Added += now.Added
	done.Skipped += now.Skipped
	b.users = b.users[:0]
	return nil
}

func (b *importing) insert(tx *store.Tx) (now Imported, err error) {
	for _, user := range b.users {
		// Asked first, not learned from a failed INSERT: nothing can come between, since there is one writer.
		exists, err := tx.HasKey(localRealm, user.row.Key)
		switch {
		case err != nil:
			return now, user.failure(err)
		case exists && b.options.SkipExisting:
			now.Skipped++
			continue
		case exists:
			return now, user.failure(store.ErrExists)
		}
		if _, err := insertUser(tx, user.row, user.n); err != nil {
			return now, user.failure(err)
		}
		now.Added++
	}
	return now, nil
}

// check finds what insert would fail at.
func (b *importing) check(ctx context.Context) (now Imported, err error) {
	a := b.accounts
	for _, user := range b.users {
		_, err := a.store.AccountByKey(ctx, localRealm, user.row.Key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return now, err
		}
		sum := sha256.Sum256([]byte(user.row.Key))
		name := [16]byte(sum[:16])
		exists := err == nil || b.seen[name]
		b.seen[name] = true
		switch {
		case exists && b.options.SkipExisting:
			now.Skipped++
			continue
		case exists:
			return now, user.failure(store.ErrExists)
		}
		if err := a.rolesExist(ctx, "roles", user.n.Roles); err != nil {
			return now, user.failure(err)
		}
		now.Added++
	}
	return now, nil
}

// failure is err with the number of the user, unless the database is at fault.
func (u importedUser) failure(err error) error {
	err = failure(naming(u.n.Username), err)
	if errors.Is(err, auth.ErrUnavailable) {
		return err
	}
	return &ImportError{Number: u.number, Err: err}
}
