// Package seal keeps secrets that have to be read again, such as refresh tokens, unreadable in the database and in its
// backups: with keys that are elsewhere.
//
// It doesn't hide how long a secret is, nor that a row has another row's older value: a value is bound to the context
// that it was sealed for, not to a time.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// KeySize is how long a key is, in bytes: AES-256's.
const KeySize = 32

// ErrOpen means that a text can't be opened: it isn't a sealed one, was changed, was sealed for another context, or under
// a key that the box doesn't have. Which of these it is isn't told.
var ErrOpen = errors.New("seal: can't be opened")

// A Box seals and opens. It is safe for concurrent use.
type Box struct{ keys []key }

// A key seals under its id.
type key struct {
	id   string // derived from the key, so that whoever gives keys needn't name them; tells nothing of it
	aead cipher.AEAD
}

// New makes a box. The first key seals; all of them open, so that keys can be rotated: a new one is put first, and the old
// ones stay for as long as something is sealed under them. Each has [KeySize] random bytes. The error names a bad key by
// its place.
func New(keys [][]byte) (*Box, error) {
	if len(keys) == 0 {
		return nil, errors.New("seal: no key")
	}
	b := &Box{}
	for i, secret := range keys {
		if len(secret) != KeySize {
			return nil, fmt.Errorf("seal: key %d has %d bytes, not %d", i+1, len(secret), KeySize)
		}
		if strings.Count(string(secret), string(secret[:1])) == KeySize { // as one that nobody has filled has
			return nil, fmt.Errorf("seal: the bytes of key %d are all the same", i+1)
		}
		k, err := newKey(secret)
		if err != nil {
			return nil, fmt.Errorf("seal: key %d: %w", i+1, err)
		}
		if b.key(k.id) != nil {
			return nil, fmt.Errorf("seal: key %d is there twice", i+1)
		}
		b.keys = append(b.keys, k)
	}
	return b, nil
}

// newKey doesn't use the secret itself: the application may have other uses for it.
func newKey(secret []byte) (key, error) {
	id, encryption := Derive(secret, "seal: key id"), Derive(secret, "seal: AES-256-GCM")
	block, err := aes.NewCipher(encryption[:])
	if err != nil {
		return key{}, err // unreachable: the length is right
	}
	// Random nonces of 96 bits: safe for 2^32 values under one key (NIST SP 800-38D section 8.3), which is far more refresh
	// tokens than any key will see.
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return key{}, err // unreachable
	}
	return key{base64.RawURLEncoding.EncodeToString(id[:6]), aead}, nil
}

func (b *Box) key(id string) *key {
	for i := range b.keys {
		if b.keys[i].id == id {
			return &b.keys[i]
		}
	}
	return nil
}

// Seal gives plain as a text that [Box.Open] opens for the same context only. context says what the value belongs to, such
// as a row's key, so that who can write to the database can't move it to another row. It isn't in the text, and needn't be
// secret. The text is of base64url's characters with one dot; the same plain never gives the same text twice.
func (b *Box) Seal(plain []byte, context string) string {
	k := &b.keys[0]
	sealed := k.aead.Seal(nil, nil, plain, []byte(context)) //nolint:gosec // no fixed nonce: it makes a random one
	return k.id + "." + base64.RawURLEncoding.EncodeToString(sealed)
}

// Open gives what was sealed. current is false where that was under another key than the first: it should be sealed anew.
// Every error is [ErrOpen].
func (b *Box) Open(text, context string) (plain []byte, current bool, err error) {
	id, body, _ := strings.Cut(text, ".")
	k := b.key(id)
	if k == nil {
		return nil, false, ErrOpen
	}
	sealed, err := base64.RawURLEncoding.DecodeString(body)
	// One text for each value: the decoder passes over line breaks and bits at the end.
	if err != nil || base64.RawURLEncoding.EncodeToString(sealed) != body {
		return nil, false, ErrOpen
	}
	plain, err = k.aead.Open(nil, nil, sealed, []byte(context))
	if err != nil {
		return nil, false, ErrOpen
	}
	return plain, k == &b.keys[0], nil
}

const redacted = "seal.Box[redacted]"

// Format implements [fmt.Formatter]: no verb shows a key.
func (b *Box) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements [slog.LogValuer].
func (b *Box) LogValue() slog.Value { return slog.StringValue(redacted) }
