package store

import "crypto/sha256"

// endedRealm is where sessions of providers are remembered that have ended there.
const endedRealm = "ended at provider"

// unnamed stands for the name of a provider's session that a login wasn't told.
const unnamed = "unnamed"

// EndedAtProvider ends the sessions that began with a provider's session: see [Tx.DeleteSessionsBySID]. Of a subject whose
// session is named, those without a name end too: nobody can tell that it isn't the one. Until the time until it is
// remembered that they have ended, for logins that are under way: the provider's message can overtake them. Times are Unix
// seconds.
func (t *Tx) EndedAtProvider(issuer, subject, sid string, now, until int64) (n int, err error) {
	if issuer == "" || subject == "" && sid == "" {
		return 0, nil
	}
	if err := t.Mark(endedRealm, providerSession(issuer, subject, sid), now, until); err != nil {
		return 0, err
	}
	if n, err = t.DeleteSessionsBySID(issuer, subject, sid); err != nil || subject == "" || sid == "" {
		return n, err
	}
	if err := t.Mark(endedRealm, providerSession(issuer, subject, "", unnamed), now, until); err != nil {
		return 0, err
	}
	more, err := t.deleteSessions("issuer = ? AND subject = ? AND sid = ''", issuer, subject)
	return n + more, err
}

// HasEndedAtProvider tells whether a login of this subject, which began at since and belongs to the provider's session sid
// ("" unknown), has ended there before it was complete.
func (t *Tx) HasEndedAtProvider(issuer, subject, sid string, since int64) (bool, error) {
	// All of a subject's is what there was at the time, as are those without a name; a name never comes again.
	type mark struct {
		hash   [32]byte
		always bool
	}
	marks := []mark{{providerSession(issuer, subject, ""), false}}
	if sid == "" {
		marks = append(marks, mark{providerSession(issuer, subject, "", unnamed), false})
	} else {
		marks = append(marks, mark{providerSession(issuer, subject, sid), true}, mark{providerSession(issuer, "", sid), true})
	}
	for _, m := range marks {
		at, ended, err := t.Marked(endedRealm, m.hash)
		if err != nil {
			return false, err
		}
		if ended && (m.always || at >= since) {
			return true, nil
		}
	}
	return false, nil
}

// providerSession hashes the texts so that no others are the same.
func providerSession(texts ...string) [sha256.Size]byte {
	h := sha256.New()
	for _, text := range texts {
		sum := sha256.Sum256([]byte(text))
		h.Write(sum[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}
