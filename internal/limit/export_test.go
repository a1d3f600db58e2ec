package limit

// Keys returns how many keys each table holds.
func (l *Limiter) Keys() (account, address, device int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.account.entries), len(l.address.entries), len(l.device.entries)
}
