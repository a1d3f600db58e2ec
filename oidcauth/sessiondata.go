package oidcauth

import (
	"encoding/json"
	"time"

	"github.com/ostiary/auth/internal/store"
	"github.com/ostiary/auth/oidcauth/internal/seal"
	"github.com/ostiary/auth/oidcauth/internal/token"
)

// sessionData is what is stored of a session beside its times.
type sessionData struct {
	// IDToken is the one of the login, sealed under the session's own token, which only the browser has: it is for the hint at
	// logout, and of no use to who reads the database.
	IDToken string `json:"id_token,omitempty"`
	// Refresh is the refresh token, sealed under Config.RefreshKeys; empty: there is none.
	Refresh string `json:"refresh,omitempty"`
	// Said is what to remember of the last ID token, sealed like Refresh, for refreshes that bring none.
	Said string `json:"said,omitempty"`
	// Due is when Refresh is to be used next, in Unix seconds, and Lease until when one instance is at it.
	Due   int64 `json:"due,omitempty"`
	Lease int64 `json:"lease,omitempty"`
	// Login is what the ID tokens of refreshes have to say again.
	Login token.Facts `json:"login"`
}

func (d sessionData) encode() (string, error) {
	text, err := json.Marshal(d)
	return string(text), err
}

func sessionDataOf(text string) (d sessionData, err error) {
	if text == "" {
		return d, nil
	}
	err = json.Unmarshal([]byte(text), &d)
	return d, err
}

// newData is what is kept of a login.
func (b *backend) newData(l *login, secret string, now time.Time) (string, error) {
	issuer, tokens, proof := l.provider.Issuer, l.tokens, l.proof
	d := sessionData{Login: proof.facts}
	var err error
	if len(tokens.ID) <= maxHintURL { // else it will never be a hint
		if d.IDToken, err = sealHint(secret, tokens.ID); err != nil {
			return "", err
		}
	}
	if b.refreshKeys != nil && tokens.Refresh != "" {
		d.Refresh = b.refreshKeys.Seal([]byte(tokens.Refresh), refreshContext(issuer, proof.subject))
		d.Due = nextRefresh(tokens, now)
		if d.Said, err = b.sealClaims(issuer, proof.subject, proof.rest); err != nil {
			return "", err
		}
	}
	return d.encode()
}

func setData(tx *store.Tx, s store.Session, data sessionData) error {
	text, err := data.encode()
	if err != nil {
		return err
	}
	return tx.SetSessionData(s.Hash, s.User, text)
}

// hintPurpose separates the key of the ID token from whatever else may be derived of a session's token.
const hintPurpose = "ostiary oidcauth: ID token of the login"

// hintBox is that of the session whose token is secret.
func hintBox(secret string) (*seal.Box, error) {
	key := seal.Derive([]byte(secret), hintPurpose)
	return seal.New([][]byte{key[:]})
}

func sealHint(secret, idToken string) (string, error) {
	box, err := hintBox(secret)
	if err != nil {
		return "", err
	}
	return box.Seal([]byte(idToken), hintPurpose), nil
}

// openHint gives the ID token that sealHint has sealed; empty: none that this session has sealed.
func openHint(secret, sealed string) string {
	box, err := hintBox(secret)
	if err != nil {
		return ""
	}
	hint, _, err := box.Open(sealed, hintPurpose)
	if err != nil {
		return ""
	}
	return string(hint)
}

// sealClaims keeps what an ID token said. It is no secret of the provider's, but all that a person is there.
func (b *backend) sealClaims(issuer, subject string, said token.Claims) (string, error) {
	text, err := json.Marshal(said)
	if err != nil {
		return "", err
	}
	return b.refreshKeys.Seal(text, claimsContext(issuer, subject)), nil
}

// lastSaid is what is remembered of the last ID token.
func (b *backend) lastSaid(l *lease) (token.Claims, error) {
	text, _, err := b.refreshKeys.Open(l.data.Said, claimsContext(l.session.Issuer, l.session.Subject))
	if err != nil {
		return nil, errNoKey
	}
	return token.ParseClaims(text)
}

// claimsContext and refreshContext bind what is sealed to whose it is: moved into somebody else's row, it opens no more.
func claimsContext(issuer, subject string) string  { return "claims " + personKey(issuer, subject) }
func refreshContext(issuer, subject string) string { return "refresh " + personKey(issuer, subject) }
