package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// Derive gives the key for one purpose from a secret of at least 16 random bytes: HKDF with SHA-256 (RFC 5869). Keys of
// different purposes tell nothing of each other, nor of the secret. The same arguments always give the same key, in all
// instances and versions.
func Derive(secret []byte, purpose string) [32]byte {
	derived, err := hkdf.Key(sha256.New, secret, nil, "github.com/ostiary/auth: "+purpose, 32)
	if err != nil {
		panic("seal: " + err.Error()) // unreachable: 32 bytes are not too many
	}
	return [32]byte(derived)
}
