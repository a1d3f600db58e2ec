package oidctest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A User is somebody who can sign in.
type User struct {
	Sub string
	// Claims are what userinfo tells: the standard ones by scope (OpenID Connect Core §5.4), others always.
	Claims map[string]any
	// Access are claims for access tokens and introspection, such as permissions, groups or realm_access.
	Access map[string]any
	// ACR and AMR say how the user signs in. An empty ACR: the first of the acr_values that were asked for.
	ACR string
	AMR []string
}

// People are the users of a provider that was given none: alice and bob, with names and e-mail addresses.
func People() []User {
	person := func(sub, given, family string, verified bool) User {
		return User{Sub: sub, AMR: []string{"pwd"}, Claims: map[string]any{
			"name": given + " " + family, "given_name": given, "family_name": family, "preferred_username": sub,
			"locale": "en", "zoneinfo": "UTC", "updated_at": 1700000000,
			"email": sub + "@example.test", "email_verified": verified,
		}}
	}
	return []User{person("alice", "Alice", "Liddell", true), person("bob", "Bob", "Builder", false)}
}

// SetUser adds a user, or changes the one of the same Sub from now on.
func (p *Provider) SetUser(u User) {
	p.mu.Lock()
	defer p.mu.Unlock()
	users := slices.DeleteFunc(slices.Clone(p.users), func(o User) bool { return o.Sub == u.Sub })
	p.users = append(users, u)
}

func (p *Provider) user(sub string) (User, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.users, func(u User) bool { return u.Sub == sub })
	if i < 0 {
		return User{}, false
	}
	return p.users[i], true
}

// A session is one user's at the provider, in one browser.
type session struct {
	sid      string
	sub      string
	authTime time.Time
	clients  []string // who got tokens in it, to be told of its end
}

// SignIn makes sub the current user, who is signed in without being asked, in a new session whose sid is returned. It panics
// for an unknown one: a mistake of the test.
func (p *Provider) SignIn(sub string) (sid string) {
	if _, ok := p.user(sub); !ok {
		panic(fmt.Sprintf("oidctest: SignIn: no user %q", sub))
	}
	s := p.openSession(sub)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = s.sid
	return s.sid
}

// SignOut leaves nobody signed in. Sessions that relying parties know of go on: see Logout.
func (p *Provider) SignOut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = ""
}

func (p *Provider) openSession(sub string) session {
	s := &session{sid: secret(), sub: sub, authTime: p.now()}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions[s.sid] = s
	return *s
}

// session returns a copy of the session.
func (p *Provider) session(sid string) (session, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.sessions[sid]
	if !ok {
		return session{}, false
	}
	return *s, true
}

// joined remembers that a client has got tokens in the session.
func (p *Provider) joined(sid, client string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.sessions[sid]; ok && !slices.Contains(s.clients, client) {
		s.clients = append(slices.Clone(s.clients), client)
	}
}

// scopes are the claims that a scope stands for (OpenID Connect Core §5.4).
var scopes = map[string][]string{
	"profile": {"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
		"website", "gender", "birthdate", "zoneinfo", "locale", "updated_at"},
	"email":   {"email", "email_verified"},
	"address": {"address"},
	"phone":   {"phone_number", "phone_number_verified"},
}

// claimsFor are the claims of u that scope gives out.
func claimsFor(u User, scope string) map[string]any {
	claims := maps.Clone(u.Claims)
	if claims == nil {
		claims = map[string]any{}
	}
	granted := strings.Fields(scope)
	for name, members := range scopes {
		if !slices.Contains(granted, name) {
			maps.DeleteFunc(claims, func(claim string, _ any) bool { return slices.Contains(members, claim) })
		}
	}
	claims["sub"] = u.Sub
	return claims
}
