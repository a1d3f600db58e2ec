package limit

import (
	"hash/maphash"
	"net/netip"
)

// keys turns names into numbers of one size, so that an entry is small however long the name, and what people typed
// (a password in the wrong field) isn't kept. The seed is this process's secret: nobody can search for a name that
// shares somebody's number.
type keys struct {
	seed maphash.Seed
}

func newKeys() keys { return keys{maphash.MakeSeed()} }

func (k keys) account(name string) uint64 { return maphash.String(k.seed, name) }

// device belongs to one account: else guesses at one would be forgotten after logging in to another in the same
// browser.
func (k keys) device(account, device string) uint64 {
	return maphash.Comparable(k.seed, struct {
		account uint64
		device  string
	}{k.account(account), device})
}

// address of IPv6 is the /64, the least that a customer is given: a single address is one of 2^64 to choose from.
func (k keys) address(addr netip.Addr) uint64 {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		prefix, _ := addr.Prefix(64) // fails for more bits than there are
		addr = prefix.Addr()
	}
	bytes := addr.As16()
	return maphash.Bytes(k.seed, bytes[:])
}
