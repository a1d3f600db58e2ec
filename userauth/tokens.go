package userauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/session"
)

// API tokens are sessions in a realm and an engine of their own: what ends a session, in whichever process, ends a token
// and what it has opened in the same way and time. A token is nobody's login, though: it isn't listed among the sessions,
// ends with no idleness, and is taken from the Authorization header only. There no page can put it on behalf of its
// visitor, and no browser, history or Referer keeps it (ASVS 14.2.1).
const (
	tokenRealm = "userauth-token"

	// noEnd is stored for a token without an end: the last second of the year 9999, which every database can hold.
	noEnd = 253402300799
	// neverIdle is as long as a duration can be.
	neverIdle = time.Duration(math.MaxInt64)
)

// A tokenScope is what a token may do of what its owner may. Nil: all.
type tokenScope = auth.Permissions

// A tokenUser is what the tokens of a user have in common, and, once bound to one of them, whom that proves.
type tokenUser struct {
	id     auth.Identity // bound, without an ID: nobody
	scopes map[[32]byte]tokenScope
}

// loadTokens gives what the owners of tokens are now, with the tokens' scopes.
func (b *backend) loadTokens(ctx context.Context, users []int64) (map[int64]*tokenUser, error) {
	identities, err := b.load(ctx, users)
	if err != nil {
		return nil, err
	}
	rows, err := b.store.SessionsIn(ctx, tokenRealm, users)
	if err != nil {
		return nil, err
	}
	owners := make(map[int64]*tokenUser, len(identities))
	for user, id := range identities {
		owners[user] = &tokenUser{id: *id, scopes: map[[32]byte]tokenScope{}}
	}
	for _, row := range rows {
		owner := owners[row.User]
		if owner == nil {
			continue
		}
		data, err := tokenDataOf(row.Data)
		if err != nil {
			// Fail closed: a token whose scope can't be read proves nobody.
			auth.Report(b.auth, nil, auth.Event{Kind: auth.EventFault, UserID: owner.id.ID, Reason: fmt.Sprintf("token %s: %v", row.ID, err)})
			continue
		}
		owner.scopes[row.Hash] = data.Permissions
	}
	return owners, nil
}

// bindToken is whom one token proves: its owner, with what both the owner and the scope hold now.
func (b *backend) bindToken(owner *tokenUser, s *session.Session[tokenUser]) tokenUser {
	scope, known := owner.scopes[s.Hash()]
	if !known {
		return tokenUser{}
	}
	id := narrowed(b.auth, &owner.id, scope)
	id.Explicit, id.Session = true, tokenSession{s}
	if s.Expires().Unix() < noEnd {
		id.Expires = s.Expires()
	}
	return tokenUser{id: id}
}

// narrowed is id within scope. It has no roles: their names would let it through where a role is asked for, with what the
// scope leaves out.
func narrowed(a auth.Auth, id *auth.Identity, scope tokenScope) auth.Identity {
	n := *id
	if scope == nil {
		return n
	}
	held := auth.Held(a, id)
	if id.Unrestricted {
		held = auth.Permissions{"*": {"*"}}
	}
	n.Permissions, n.Roles, n.Unrestricted = intersect(held, scope), nil, false
	return n
}

// bearer is whom an API token in the Authorization header proves. What has our prefix is ours to judge, whatever else the
// request carries; another credential there may be known to another backend of a chain. Nothing limits guesses: of 2^256
// tokens none is found by trying, and each try costs a look-up, as a made-up cookie does.
func (b *backend) bearer(r *http.Request) (*auth.Identity, error) {
	text, ours := offered(r.Header["Authorization"])
	if !ours {
		return nil, auth.ErrNoCredentials
	}
	secret, ok := secretOf(text)
	if !ok {
		return nil, auth.ErrInvalidCredentials
	}
	for range 2 {
		bound, err := b.tokens.Find(r.Context(), secret)
		switch {
		case err == auth.ErrSessionEnded: //nolint:errorlint // as in browser
			return nil, auth.ErrInvalidCredentials
		case err != nil:
			return nil, err
		case bound.id.ID != "":
			return &bound.id, nil
		}
		// Another process has just made it, and what memory knows of its owner is older.
		b.tokens.CatchUp(r.Context())
	}
	return nil, auth.ErrInvalidCredentials // its row can't be read
}

// bearerRealm is what a challenge calls the place.
const bearerRealm = "ostiary"

// challengeFor follows RFC 6750 section 3: the error attribute stands only where a token was sent. The 401 follows.
func challengeFor(r *http.Request) []string {
	for _, value := range r.Header["Authorization"] {
		if credential(value) != "" {
			return []string{fmt.Sprintf("Bearer realm=%q, error=%q", bearerRealm, "invalid_token")}
		}
	}
	return []string{fmt.Sprintf("Bearer realm=%q", bearerRealm)}
}

// A tokenSession is a token as the [auth.Session] of its identity.
type tokenSession struct {
	*session.Session[tokenUser]
}

// Current implements [auth.Session].
func (t tokenSession) Current() (*auth.Identity, error) {
	bound, err := t.Session.Current()
	if err != nil {
		return nil, err
	}
	if bound.id.ID == "" {
		return nil, auth.ErrSessionEnded
	}
	return &bound.id, nil
}

// tokenData is what is stored of a token beside its times. That it holds everything is said in words: of a row that lost
// its permissions none must become all.
type tokenData struct {
	Name        string           `json:"name"`
	Everything  bool             `json:"everything,omitempty"`
	Permissions auth.Permissions `json:"permissions,omitempty"`
}

func (d tokenData) encode() (string, error) {
	text, err := json.Marshal(d)
	return string(text), err
}

func tokenDataOf(text string) (d tokenData, err error) {
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return tokenData{}, err
	}
	if d.Everything == (d.Permissions != nil) {
		return tokenData{}, errors.New("no scope, or two")
	}
	if err := d.Permissions.Validate(); err != nil {
		return tokenData{}, err
	}
	return d, nil
}

// newTokens is the engine of the tokens.
func (b *backend) newTokens(ctx context.Context, cfg Config, log func(doing string, err error)) (*session.Engine[tokenUser], error) {
	return session.New(ctx, session.Config[tokenUser]{
		DB: b.store, Realm: tokenRealm, Load: b.loadTokens, Bind: b.bindToken,
		Idle: neverIdle, Lifetime: neverIdle, Cache: cfg.CacheSessions, Now: cfg.Auth.Now,
		Ended: auth.ErrSessionEnded, Unavailable: auth.ErrUnavailable, Closed: http.ErrServerClosed, Log: log,
	})
}
