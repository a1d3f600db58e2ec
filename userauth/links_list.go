package userauth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/ostiary/auth/internal/password"
	"github.com/ostiary/auth/internal/store"
)

// Link is a sign-in at a provider that an account is linked to.
type Link struct {
	ID      string    `json:"id"` // its name in the routes
	Issuer  string    `json:"issuer"`
	Subject string    `json:"subject"`
	Linked  time.Time `json:"linked,omitzero"` // zero: what is stored of it can't be read
	ByRule  bool      `json:"by_rule"`         // not by the user's own act, but by [Links.LinkAs]
}

// linkPrefix keeps links apart from what other backends store of the same people.
const linkPrefix = "link "

func linkIssuer(issuer string) string { return linkPrefix + issuer }

// List gives the user's links, sorted by issuer and subject. [ErrNotFound] if there is no such user.
func (l *Links) List(ctx context.Context, username string) ([]Link, error) {
	user, err := l.b.accounts.find(ctx, username)
	if err != nil {
		return nil, err
	}
	return linksOf(user), nil
}

// Unlink says that the person whom issuer calls subject may not sign in to the user's account any more, and ends the sessions
// that began with this sign-in. [ErrNotFound] if it isn't the user's. It may be the user's only way to sign in.
func (l *Links) Unlink(ctx context.Context, username, issuer, subject string) error {
	user, err := l.b.accounts.find(ctx, username)
	if err != nil {
		return err
	}
	err = l.b.engine.Write(ctx, func(tx *store.Tx) error { return unlink(tx, user.ID, issuer, subject) })
	return failure("a link of "+naming(username), err)
}

// unlink ends the sessions in the same transaction: none outlives its ground.
func unlink(tx *store.Tx, user int64, issuer, subject string) error {
	if err := tx.DeleteExternal(user, linkIssuer(issuer), subject); err != nil {
		return err
	}
	_, err := tx.DeleteSessionsBySID(issuer, subject, "")
	return err
}

// unlinkAll unlinks whatever there is.
func unlinkAll(tx *store.Tx, user *store.Account) error {
	for _, l := range linksOf(user) {
		if err := unlink(tx, user.ID, l.Issuer, l.Subject); err != nil {
			return err
		}
	}
	return nil
}

// unlinkOwn unlinks one of the user's by its id, unless it is all that the user can sign in with.
func (b *backend) unlinkOwn(ctx context.Context, user int64, id string) (gone Link, err error) {
	err = b.engine.Write(ctx, func(tx *store.Tx) error {
		account, err := tx.Account(user)
		if err != nil {
			return err
		}
		links := linksOf(account)
		i := slices.IndexFunc(links, func(l Link) bool { return l.ID == id })
		if i < 0 {
			return store.ErrNotFound
		}
		if _, err := password.Parse(account.Hash); err != nil && len(links) == 1 {
			return errOnlyWay
		}
		gone = links[i]
		return unlink(tx, user, gone.Issuer, gone.Subject)
	})
	return gone, err
}

func linksOf(user *store.Account) []Link {
	links := []Link{}
	for _, e := range user.Externals {
		issuer, ok := strings.CutPrefix(e.Issuer, linkPrefix)
		if !ok {
			continue
		}
		link := Link{ID: linkID(issuer, e.Subject), Issuer: issuer, Subject: e.Subject}
		data := linkDataOf(e.Claims)
		if link.ByRule = data.ByRule; data.Linked > 0 {
			link.Linked = time.Unix(data.Linked, 0).UTC()
		}
		links = append(links, link)
	}
	return links
}

// linkID is short enough for an address, and holds no character that means something there.
func linkID(issuer, subject string) string {
	sum := sha256.Sum256([]byte(issuer + "\x00" + subject)) // neither can hold a NUL
	return hex.EncodeToString(sum[:10])
}

// linkData is what is stored of a link.
type linkData struct {
	Linked int64 `json:"linked"` // Unix seconds
	ByRule bool  `json:"by_rule,omitempty"`
}

func (d linkData) encode() (string, error) {
	text, err := json.Marshal(d)
	return string(text), err
}

// linkDataOf takes a link that can't be read for one that nobody has made by an own act.
func linkDataOf(text string) (d linkData) {
	if err := json.Unmarshal([]byte(text), &d); err != nil || d.Linked <= 0 {
		return linkData{ByRule: true}
	}
	return d
}
