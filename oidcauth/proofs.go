package oidcauth

import (
	"sync"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/oidcauth/internal/token"
)

// proofSweep is how many seconds lie between two looks at what is over.
const proofSweep = 10

// usedProofs remembers DPoP proofs (RFC 9449 section 11.1), each of which counts once, in the bounded memory of this process.
// Another instance doesn't know of it: there a stolen proof counts for the minute that it lasts, with the token that it is for
// and for the same method and address.
type usedProofs struct {
	limit int

	mu   sync.Mutex
	seen map[proofID]int64 // until when, in Unix seconds
	of   map[string]int    // how many of a key
	next int64             // when what is over is let go
}

type proofID struct{ thumbprint, id string }

func newUsedProofs(limit int) *usedProofs {
	return &usedProofs{limit: limit, seen: map[proofID]int64{}, of: map[string]int{}}
}

// use uses a proof, or fails where it has been used. Where there is no room nobody can tell: what can't be remembered must not
// count. When half of the room is taken, keys that have taken more than their share are refused first.
func (u *usedProofs) use(p *token.Proof, now time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	at := now.Unix()
	if at >= u.next {
		for key, until := range u.seen {
			if until <= at {
				delete(u.seen, key)
				if u.of[key.thumbprint]--; u.of[key.thumbprint] == 0 {
					delete(u.of, key.thumbprint)
				}
			}
		}
		u.next = at + proofSweep
	}
	key := proofID{p.Thumbprint, p.ID}
	if _, used := u.seen[key]; used {
		return auth.ErrInvalidCredentials
	}
	if len(u.seen) >= u.limit || len(u.seen) >= u.limit/2 && u.of[key.thumbprint] > u.limit/100 {
		return auth.ErrUnavailable
	}
	u.seen[key] = p.Until.Unix() + 1
	u.of[key.thumbprint]++
	return nil
}
