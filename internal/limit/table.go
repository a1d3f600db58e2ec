package limit

import "time"

// A table counts the attempts of the keys of one kind, under the Limiter's lock. Its size is bounded as Config.Keys
// says. Times are since New.
type table struct {
	rule    Rule
	keys    int
	entries map[uint64]*entry
	shared  entry // what new keys count against when the table is full of limited ones
}

type entry struct {
	failures int
	until    time.Duration // no attempt before this; where there is no wait, when the last one was
	before   time.Duration // until, as it was before the last attempt
}

// sample is how many entries are looked at for one to give up.
const sample = 8

func newTable(rule Rule, keys int) table {
	return table{rule: rule, keys: keys, entries: make(map[uint64]*entry)}
}

// A place is where an attempt counts: an entry, or the room for a new one. The zero place is nowhere.
type place struct {
	table       *table
	entry       *entry
	key, victim uint64
	evict       bool
}

// find finds the place of key. It changes nothing: a refused attempt must not push anybody out.
func (t *table) find(key uint64, now time.Duration) place {
	p := place{table: t, key: key, entry: t.entries[key]}
	if p.entry != nil || len(t.entries) < t.keys {
		return p
	}
	var weakest *entry
	looked := 0
	for k, e := range t.entries { // begins at random
		if t.forgotten(e, now) {
			p.victim, p.evict = k, true
			return p
		}
		// Only those that are still free: else an attacker could guess at other names until a limited one is
		// forgotten. An entry in its free attempts is worth at most these, and costs about a table's worth of counted
		// attempts to hit.
		if e.failures < t.rule.Free && (weakest == nil || e.failures < weakest.failures) {
			weakest, p.victim, p.evict = e, k, true
		}
		if looked++; looked == sample {
			break
		}
	}
	if !p.evict {
		p.entry = &t.shared // fail closed, in bounded memory: together the new ones get what one would
	}
	return p
}

func (t *table) forgotten(e *entry, now time.Duration) bool {
	return now >= e.until+t.rule.Forget
}

// wait is how long the place is limited yet.
func (p place) wait(now time.Duration) time.Duration {
	if p.entry == nil {
		return 0
	}
	return p.entry.until - now
}

// count counts a failure, and returns until when the place is limited by it.
func (p place) count(now time.Duration) time.Duration {
	if p.table == nil {
		return 0
	}
	e := p.entry
	switch {
	case e == nil:
		if p.evict {
			delete(p.table.entries, p.victim)
		}
		e = &entry{}
		p.table.entries[p.key] = e
	case p.table.forgotten(e, now):
		*e = entry{}
	}
	e.failures++
	e.before, e.until = e.until, now+p.table.rule.delay(e.failures)
	if e.until == now {
		return 0
	}
	return e.until
}

// giveBack takes one failure back, and the wait that came with it: else a busy office that is past its free attempts
// would wait after each login that succeeds. Where another attempt got in between (the hashing took longer than the
// wait), it is that one's wait: one guess comes early, paid for with the turn that this attempt had waited for.
//
// What the shared entry counted is not given back: it can't be told who counted there, and it is the last defence.
func (t *table) giveBack(key uint64) {
	e := t.entries[key]
	if e == nil {
		return
	}
	e.failures--
	e.until = e.before
	if e.failures <= 0 {
		delete(t.entries, key)
	}
}

func (t *table) reset(key uint64) { delete(t.entries, key) }

// A bucket limits a rate: it leaks one attempt each rate.Every, and has room for rate.Burst.
type bucket struct {
	rate  Rate
	empty time.Duration // when all that was counted will have leaked
}

func (b *bucket) wait(now time.Duration) time.Duration {
	return max(b.empty, now) + b.rate.Every - time.Duration(b.rate.Burst)*b.rate.Every - now
}

// count counts an attempt, and returns until when there is no room for another.
func (b *bucket) count(now time.Duration) time.Duration {
	b.empty = max(b.empty, now) + b.rate.Every
	if wait := b.wait(now); wait > 0 {
		return now + wait
	}
	return 0
}

func (b *bucket) giveBack() { b.empty -= b.rate.Every }
