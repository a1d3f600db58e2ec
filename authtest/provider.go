package authtest

import (
	"testing"

	"github.com/ostiary/auth/internal/oidctest"
)

// What the provider of [NewProvider] is made of, and what it deals in.
type (
	// Provider is an OpenID Provider on loopback. It conforms until it is told to misbehave. Issuer is its name, SignIn says who
	// is there, AccessToken mints what programs send, Logout and LogoutSession end what is there, Down and Up are outages,
	// SetHooks, Behave and Fault have it misbehave, Calls tells what it was asked. For all of it and of the types below:
	//
	//	go doc -all github.com/ostiary/auth/internal/oidctest
	Provider = oidctest.Provider
	// ProviderConfig is what it is made of; the zero value is an http provider that knows the users alice and bob.
	ProviderConfig = oidctest.Config
	// ProviderClient is a relying party that is registered with it.
	ProviderClient = oidctest.Client
	// ProviderUser is somebody who can sign in there.
	ProviderUser = oidctest.User
	// ProviderHooks change what it says.
	ProviderHooks = oidctest.Hooks
	// ProviderFault spoils the answers of one endpoint: middleware around what would answer.
	ProviderFault = oidctest.Fault
	// ProviderJWT is a token before it is signed, as hooks and those who mint one may change it.
	ProviderJWT = oidctest.JWT
	// ProviderKey is what it signs with, and what a client proves itself with (DPoP).
	ProviderKey = oidctest.Key
	// ProviderGrant says what a minted access token stands for.
	ProviderGrant = oidctest.Grant
	// ProviderCall is a request that it got.
	ProviderCall = oidctest.Call
	// ProviderDelivery is how a relying party answered a logout token.
	ProviderDelivery = oidctest.Delivery
	// ProviderBehaviour is a named way in which it strays; [ProviderBehaviours] has them all.
	ProviderBehaviour = oidctest.Behaviour
	// ProviderStage is the part of the protocol that a behaviour is about.
	ProviderStage = oidctest.Stage
	// ProviderVerdict is what a conforming relying party does about a behaviour.
	ProviderVerdict = oidctest.Verdict
)

// The stages, and what a test does in each.
const (
	ProviderLogin        = oidctest.Login        // log in
	ProviderRefresh      = oidctest.Refresh      // log in with offline_access, then refresh
	ProviderRPLogout     = oidctest.RPLogout     // log in, then log out at the relying party
	ProviderBackChannel  = oidctest.BackChannel  // log in, then LogoutSession
	ProviderFrontChannel = oidctest.FrontChannel // log in, then load FrontchannelURL in the same browser
)

// The verdicts.
const (
	ProviderAccept = oidctest.Accept
	ProviderRefuse = oidctest.Refuse
	ProviderIgnore = oidctest.Ignore // it is understood, but there is nothing to do: nothing ends
	ProviderEither = oidctest.Either // both are right, but nothing wrong is believed
)

// NewProvider starts an OpenID Provider for the tests of an application that signs its users in by OpenID Connect, and ends
// it with t. No browser is needed: who is signed in there is what SignIn said, and AccessToken mints what API clients send.
// It fails t for a configuration that can't be.
func NewProvider(t testing.TB, cfg ProviderConfig) *Provider {
	t.Helper()
	p, err := oidctest.New(cfg)
	if err != nil {
		t.Fatalf("authtest: %v", err)
	}
	t.Cleanup(p.Close)
	return p
}

// ProviderBehaviours are the ways in which a provider can be broken or hostile, by the names of the OpenID conformance suite's
// tests where it has one, and what a relying party has to do about each. A test of one ranges over them, with a conforming
// provider first.
func ProviderBehaviours() []ProviderBehaviour { return oidctest.Behaviours() }
