package oidctest

import (
	"fmt"
	"net/url"
	"slices"
)

// A Behaviour is a named way in which the provider strays from what it does by itself, or a conforming one that a client must
// cope with, and what the client has to do about it.
type Behaviour struct {
	// Name is the OpenID conformance suite's name of the test. Those that the suite hasn't begin with the case that they
	// belong to, such as "J-23", and say what happens.
	Name string
	// Does says what the provider does, as far as the name doesn't.
	Does string
	// Stage is the part of the protocol that it is about.
	Stage Stage
	// Want is what a conforming client does.
	Want Verdict
	// NotCalled are endpoints that a client which refuses doesn't ask once it has met the behaviour.
	NotCalled []string
	// Asks are parameters that the authorization request must have for the behaviour to show.
	Asks url.Values
	// Register changes the client's registration; whoever registers it calls this first. Nil: it stays.
	Register func(*Client)
	// Hooks makes the provider behave so. They are new for each call. Nil: it conforms.
	Hooks func(*Provider) Hooks
}

// A Stage is a part of the protocol.
type Stage string

// The stages, and what a test does in each.
const (
	Login        Stage = "login"         // log in
	Refresh      Stage = "refresh"       // log in with offline_access, then refresh
	RPLogout     Stage = "rp logout"     // log in, then log out at the relying party
	BackChannel  Stage = "back-channel"  // log in, then LogoutSession; see Does for those that take two
	FrontChannel Stage = "front-channel" // log in, then load FrontchannelURL in the same browser
)

// A Verdict is what a conforming client does about a behaviour.
type Verdict string

// The verdicts. What a refusal is depends on the stage: a login leaves no session; a refresh ends the session; a logout token,
// like a front-channel request, ends none.
const (
	Accept Verdict = "accept"
	Refuse Verdict = "refuse"
	Ignore Verdict = "ignore" // it is understood, but there is nothing to do: nothing ends
	Either Verdict = "either" // both are right, but in bounded time and memory, and nothing wrong is believed
)

// Behaviours returns all named behaviours, in the order of the conformance suite's plans, then those of this package. They
// speak of the users alice, who signs in, and bob. Left out are the suite's tests of what a client needn't do: form_post,
// session management, JARM's details, and clients that ask for bound tokens themselves.
func Behaviours() []Behaviour {
	return slices.Concat(basicPlan(), configPlan(), refreshPlan(), logoutPlan(), fapiPlan(), idTokens(), signatures(), answers(),
		callbacks(), metadata(), transport())
}

// Named returns the behaviour of that name. It panics for one that there isn't: a mistake of the test.
func Named(name string) Behaviour {
	all := Behaviours()
	i := slices.IndexFunc(all, func(b Behaviour) bool { return b.Name == name })
	if i < 0 {
		panic(fmt.Sprintf("oidctest: no behaviour is named %q", name))
	}
	return all[i]
}

// Behave sets the hooks of b.
func (p *Provider) Behave(b Behaviour) {
	if b.Hooks == nil {
		p.SetHooks(Hooks{})
		return
	}
	p.SetHooks(b.Hooks(p))
}

// idToken is a behaviour of logins whose ID token is changed.
func idToken(name, does string, want Verdict, change func(*JWT)) Behaviour {
	b := Behaviour{Name: name, Does: does, Stage: Login, Want: want,
		Hooks: func(*Provider) Hooks { return Hooks{OnIDToken: change} }}
	if want == Refuse {
		b.NotCalled = []string{"userinfo"}
	}
	return b
}

// signedBy is a behaviour of logins whose ID token is signed by another key, which is in the JWKS if publish.
func signedBy(name, does string, key func(*Provider) Key, publish func(Key) map[string]any) Behaviour {
	return Behaviour{Name: name, Does: does, Stage: Login, Want: Refuse, NotCalled: []string{"userinfo"},
		Hooks: func(p *Provider) Hooks {
			k := key(p)
			h := Hooks{OnIDToken: func(t *JWT) { t.SignWith(k) }}
			if publish != nil {
				h.OnJWKS = func(keys []map[string]any) []map[string]any { return append(keys, publish(k)) }
			}
			return h
		}}
}

// set returns a change of one claim.
func set(name string, value any) func(*JWT) { return func(t *JWT) { t.Claims[name] = value } }

// without returns a change that takes claims away.
func without(names ...string) func(*JWT) {
	return func(t *JWT) {
		for _, name := range names {
			delete(t.Claims, name)
		}
	}
}

// raw returns a change that adds members, as they stand, behind the claims.
func raw(members string) func(*JWT) {
	return func(t *JWT) { t.RawClaims = addMembers(mustJSON(t.Claims), members) }
}

// addMembers adds members, as they stand, at the end of a JSON object that has some. Anything else stays as it is.
func addMembers(object []byte, members string) []byte {
	if len(object) < len(`{"":0}`) {
		return object
	}
	return slices.Concat(object[:len(object)-1], []byte(","+members+"}"))
}

// seconds is the number of a numeric date.
func seconds(claim any) int64 {
	n, ok := claim.(int64)
	if !ok {
		panic(fmt.Sprintf("oidctest: %v is no numeric date", claim)) // unreachable: the provider wrote it
	}
	return n
}

// later returns a change that moves a date.
func later(name string, by int64) func(*JWT) {
	return func(t *JWT) { t.Claims[name] = seconds(t.Claims[name]) + by }
}

// flipSignature changes one bit in the middle of the signature.
func flipSignature(compact string) string {
	at := len(compact) - 20
	other := byte('A')
	if compact[at] == 'A' {
		other = 'B'
	}
	return compact[:at] + string(other) + compact[at+1:]
}
