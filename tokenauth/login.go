package tokenauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"sync"
	"time"

	"github.com/ostiary/auth/internal/guest"
)

// A login is what a cookie says: which guest, by which grant, since when. The cookie isn't the token: it can't be used
// elsewhere, and ends with the process.
type login struct {
	guest  guest.ID
	grant  [8]byte
	issued time.Time // to the second
	number uint64    // counts the logins of this process
}

const (
	loginVersion = 1
	loginLen     = 1 + len(guest.ID{}) + 8 + 8 + 8
	cookieLen    = loginLen + sha256.Size
)

// encoding refuses every second spelling of the same bytes.
var encoding = base64.RawURLEncoding.Strict()

// sign gives the cookie's value, under the key of the login's grant.
func (l login) sign(key []byte) string {
	b := make([]byte, 0, cookieLen)
	b = append(b, loginVersion)
	b = append(b, l.guest[:]...)
	b = append(b, l.grant[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(l.issued.Unix()))
	b = binary.BigEndian.AppendUint64(b, l.number)
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(b)
	return encoding.EncodeToString(mac.Sum(b))
}

// parseLogin reads a cookie's value. keyOf gives the key of a grant, nil for an unknown one: the signature is checked
// before anything in the cookie is believed.
func parseLogin(value string, keyOf func(grant [8]byte) []byte) (l login, ok bool) {
	if len(value) != encoding.EncodedLen(cookieLen) {
		return login{}, false
	}
	b, err := encoding.DecodeString(value)
	if err != nil || len(b) != cookieLen || b[0] != loginVersion { // the decoder skips line ends
		return login{}, false
	}
	body, sum := b[:loginLen], b[loginLen:]
	rest := body[1:]
	rest = rest[copy(l.guest[:], rest):]
	rest = rest[copy(l.grant[:], rest):]
	key := keyOf(l.grant)
	if key == nil {
		return login{}, false
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(body)
	if !hmac.Equal(sum, mac.Sum(nil)) {
		return login{}, false
	}
	l.issued = time.Unix(int64(binary.BigEndian.Uint64(rest)), 0)
	l.number = binary.BigEndian.Uint64(rest[8:])
	return l, true
}

// revocations are the logins that have ended before their time, in bounded memory: so many by each grant. When there are
// too many, all logins by that grant up to the newest of them end: fail closed, nobody who logged out is ever let in again.
// By each grant, since the holder of one token could else log everybody out by logging in and out often enough.
type revocations struct {
	limit int

	mu      sync.RWMutex
	byGrant map[[8]byte]*endedLogins
}

type endedLogins struct {
	numbers map[uint64]struct{}
	floor   uint64 // logins up to this number have ended
}

func newRevocations(limit int) *revocations {
	return &revocations{limit: limit, byGrant: map[[8]byte]*endedLogins{}}
}

func (v *revocations) has(l login) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	e := v.byGrant[l.grant]
	return e != nil && e.has(l)
}

func (e *endedLogins) has(l login) bool {
	_, ended := e.numbers[l.number]
	return ended || l.number <= e.floor
}

// add ends l, which has been signed by its grant's key. It reports whether others ended with it, and whether l was still
// alive.
func (v *revocations) add(l login) (others, alive bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.byGrant[l.grant]
	if e == nil {
		e = &endedLogins{numbers: map[uint64]struct{}{}}
		v.byGrant[l.grant] = e
	}
	if e.has(l) {
		return false, false
	}
	e.numbers[l.number] = struct{}{}
	if len(e.numbers) <= v.limit {
		return false, true
	}
	for number := range maps.Keys(e.numbers) {
		e.floor = max(e.floor, number)
	}
	clear(e.numbers)
	return true, true
}
