package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/ostiary/auth/internal/oidctest"
	"github.com/ostiary/auth/oidcauth"
)

// An issuer is a provider that was named on the command line.
type issuer struct{ name, url string }

func parseIssuer(text string) (issuer, error) {
	name, url, ok := strings.Cut(text, "=")
	if !ok || name == "" || url == "" {
		return issuer{}, errors.New("want name=URL")
	}
	return issuer{name, url}, nil
}

// own are the providers of the command line. Who is in their group "admins" is an admin here, who is in "staff" reads the board.
func own(given []issuer) (list []oidcauth.Provider) {
	for _, i := range given {
		env := strings.ToUpper(strings.ReplaceAll(i.name, "-", "_"))
		list = append(list, oidcauth.Provider{
			Name: i.name, Title: i.name, Issuer: i.url,
			ClientID: os.Getenv(env + "_CLIENT_ID"), ClientSecret: os.Getenv(env + "_CLIENT_SECRET"),
			Mapping: byGroups(),
		})
	}
	return list
}

// byGroups gives the roles here to groups there. A name or an address gives nothing: users may be able to choose them.
func byGroups() oidcauth.Mapping {
	return oidcauth.Mapping{Roles: []string{"groups"}, RoleMap: map[string][]string{"admins": {"admin"}, "staff": {"staff"}}}
}

// A pretence is two providers that ask nobody for a password. They listen on loopback alone.
type pretence struct{ corp, partner *oidctest.Provider }

const clientID, clientSecret = "chain", "between-the-two-of-them-77"

// pretend starts the providers, for a server at public.
func pretend(public string) (p pretence, err error) {
	people := oidctest.People()
	for i, groups := range [][]string{{"admins", "staff"}, {"staff"}} { // alice, bob
		people[i].Claims["groups"] = groups
	}
	if p.corp, err = newProvider(public, "corp", people); err != nil {
		return p, err
	}
	// The partner's alice is somebody else, and so is its admins' group: who maps it says what it means.
	if p.partner, err = newProvider(public, "partner", oidctest.People()); err != nil {
		p.corp.Close()
	}
	return p, err
}

func newProvider(public, name string, people []oidctest.User) (*oidctest.Provider, error) {
	base := public + "/sso"
	p, err := oidctest.New(oidctest.Config{LoginForm: true, Users: people, Clients: []oidctest.Client{{
		ID: clientID, Secret: clientSecret, RedirectURIs: []string{base + "/callback/" + name},
		PostLogoutRedirectURIs: []string{base + "/logged-out"}, BackchannelLogoutURI: base + "/backchannel-logout/" + name,
	}}})
	if err != nil {
		return nil, fmt.Errorf("the provider %q: %w", name, err)
	}
	return p, nil
}

func (p pretence) providers() []oidcauth.Provider {
	return []oidcauth.Provider{
		{Name: "corp", Title: "Corp", Issuer: p.corp.Issuer(), ClientID: clientID, ClientSecret: clientSecret, Mapping: byGroups()},
		{Name: "partner", Title: "Partner", Issuer: p.partner.Issuer(), ClientID: clientID, ClientSecret: clientSecret},
	}
}

// Close ends the providers.
func (p pretence) Close() {
	p.corp.Close()
	p.partner.Close()
}
