package oidcauth

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ostiary/auth/internal/cookie"
	"github.com/ostiary/auth/internal/store"
)

// A flow is one attempt to log in, from leaving for the provider to coming back. It lies sealed in a cookie of the browser
// that began it, one for each attempt: several tabs don't disturb each other, a code that is brought to another browser finds
// no flow there (RFC 9700 section 4.7), and strangers who begin attempts cost no memory and no row. That an attempt is used
// once is in the database, for all instances; see [backend.take].
type flow struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"` // of PKCE; sealed, so it isn't in the browser in clear
	Provider string `json:"p"`
	Next     string `json:"r,omitempty"`
	Started  int64  `json:"t"` // Unix seconds
	Silent   bool   `json:"q,omitempty"`
	Link     string `json:"l,omitempty"` // the session of the account to link, as [Accounts.LoggedIn] names it; empty: to log in
}

const (
	flowAge  = 10 * time.Minute
	maxFlows = 5    // of one browser; beginning one more lets go of the oldest
	maxNext  = 1024 // bytes of a return path that goes along
	// flowRoom is how many bytes of cookies the attempts of a browser take together. It sends them with every request, and
	// common servers refuse a line of 8 KiB: a page elsewhere that begins attempts must not lock its visitors out.
	flowRoom  = 6 << 10
	flowCosts = 64 // bytes of a cookie beside its value
	// clocksDiffer is by how many seconds those of instances may: the browser comes back to another one than it left from.
	clocksDiffer = 60
	flowPrefix   = "-flow-"
	// flowRealm is where used states are remembered.
	flowRealm = "oidc flow"
)

// newFlow begins an attempt. Each of its secrets has 256 bits (RFC 7636 section 7.1 asks for as many of the verifier).
func newFlow(provider, next string, now time.Time) *flow {
	if len(next) > maxNext {
		next = ""
	}
	return &flow{State: secretText(), Nonce: secretText(), Verifier: secretText(), Provider: provider, Next: next, Started: now.Unix()}
}

func secretText() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// challenge is what the provider gets to know of the verifier before it is used: never the verifier itself, as the method
// "plain" would have it.
func (f *flow) challenge() string {
	sum := sha256.Sum256([]byte(f.Verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// flowID is the part of the cookie's name that says which attempt it is of: nothing that could be turned into the state.
func flowID(state string) string {
	sum := sha256.Sum256([]byte("flow " + state))
	return hex.EncodeToString(sum[:4])
}

func (b *backend) flowCookie(id string) cookie.Spec {
	return cookie.Spec{Base: b.cookie.Base + flowPrefix + id, MaxAge: flowAge}
}

// keep gives the browser f, and lets go of its oldest attempts, and of what can't be read, where they are too many or too large.
func (b *backend) keep(w http.ResponseWriter, r *http.Request, f *flow) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false) // six bytes for each "&" of a return path would make a cookie that browsers refuse
	if err := e.Encode(f); err != nil {
		return err // unreachable: texts and numbers
	}
	https := b.site.HTTPS(r)
	id := flowID(f.State)
	sealed := b.flows.Seal(text.Bytes(), flowPrefix+id)
	type kept struct {
		id      string
		started int64
		size    int
	}
	var others []kept
	for _, id := range b.flowsOf(r) {
		value, _ := b.flowCookie(id).Read(r, https)
		k := kept{id: id, size: flowCosts + len(value)}
		if old := b.openFlow(r, id); old != nil {
			k.started = old.Started
		}
		others = append(others, k)
	}
	slices.SortFunc(others, func(x, y kept) int { return cmp.Compare(y.started, x.started) })
	room := flowRoom - flowCosts - len(sealed)
	for i, old := range others {
		room -= old.size
		if i >= maxFlows-1 || room < 0 || old.started == 0 {
			http.SetCookie(w, b.flowCookie(old.id).Delete(r, https))
		}
	}
	http.SetCookie(w, b.flowCookie(id).Set(r, https, sealed))
	return nil
}

// flowsOf lists the attempts that the browser has cookies of.
func (b *backend) flowsOf(r *http.Request) (ids []string) {
	prefix := b.cookie.Base + flowPrefix
	if b.site.HTTPS(r) {
		prefix = "__Host-" + prefix
	}
	for _, c := range r.Cookies() {
		id, ok := strings.CutPrefix(c.Name, prefix)
		id, _, _ = strings.Cut(id, "-") // over http the port follows
		if ok && len(id) == len(flowID("")) && !slices.Contains(ids, id) && len(ids) < 4*maxFlows {
			ids = append(ids, id)
		}
	}
	return ids
}

// openFlow gives the attempt whose cookie the browser has; nil where it has none that is its own, or two.
func (b *backend) openFlow(r *http.Request, id string) *flow {
	value, n := b.flowCookie(id).Read(r, b.site.HTTPS(r))
	if n != 1 {
		return nil
	}
	text, _, err := b.flows.Open(value, flowPrefix+id)
	if err != nil {
		return nil
	}
	var f flow
	if err := json.Unmarshal(text, &f); err != nil {
		return nil // unreachable: it was sealed here
	}
	age := b.now().Unix() - f.Started
	if age < -clocksDiffer || age >= int64(flowAge/time.Second) {
		return nil
	}
	return &f
}

// returned gives the attempt that the provider's answer with this state belongs to, in the browser that began it; nil: none.
func (b *backend) returned(r *http.Request, p *provider, state string) *flow {
	f := b.openFlow(r, flowID(state))
	// The provider is part of the attempt: what one provider answers never counts for another (mix-up, RFC 9700 section 4.4).
	if f == nil || f.Provider != p.Name || subtle.ConstantTimeCompare([]byte(f.State), []byte(state)) != 1 {
		return nil
	}
	return f
}

// take uses the attempt up, for all instances, before anybody is asked about the code that came with it. It is false where
// that has been done before.
func (b *backend) take(r *http.Request, f *flow) (first bool, err error) {
	err = b.store.Write(r.Context(), func(tx *store.Tx) error {
		first, err = tx.Once(flowRealm, sha256.Sum256([]byte(f.State)), f.Started+int64(2*flowAge/time.Second))
		return err
	})
	return first, err
}
