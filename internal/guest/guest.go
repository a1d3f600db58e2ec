// Package guest gives people without an account an identity to be told apart by: a random or derived id, and a name,
// initials and a colour that follow from it alone. Nothing is stored, so a guest looks the same in every request, on
// every instance and after any eviction, for as long as its id is known.
package guest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// ID identifies one guest. It is public (other people see it as the username), so it must never serve as a credential:
// what proves an id to the server is a secret of its own, from which [DeriveID] may make the id.
type ID [16]byte

// NewID returns a random id. Its 128 bits make a collision, and guessing somebody's id in advance, infeasible.
func NewID() ID {
	var id ID
	rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	return id
}

// DeriveID returns the id that belongs to secret for one purpose: the same arguments give the same id, different ones
// unrelated ids, and the secret can't be computed from the id. It is a truncated SHA-256.
//
// It does not protect a guessable secret. Who sees the id can try guesses against it without asking the server, so
// where an administrator may have chosen a weak token, prepend a random key to it (then the id lasts as long as the key).
func DeriveID(secret []byte, purpose string) ID {
	h := sha256.New()
	// The length keeps the two apart: no choice of one secret can pass for another purpose's.
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(purpose)))
	h.Write(n[:])
	h.Write([]byte(purpose))
	h.Write(secret)

	var sum [sha256.Size]byte
	return ID(h.Sum(sum[:0])[:16])
}

// String returns the id as 32 lower-case hexadecimal digits: the guest's username.
func (id ID) String() string { return hex.EncodeToString(id[:]) }
