package oidcauth_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/oidcauth"
)

// O-27: only members of a group that is named exactly come in, and where the provider tells no groups nobody does.
func TestAllowGroups(t *testing.T) {
	t.Parallel()
	m := oidcauth.Mapping{Roles: []string{"groups", "realm_access.roles"}, AllowGroups: []string{"staff", "/corp/eng"}}
	for name, test := range map[string]struct {
		claims string
		in     bool
	}{
		"O-27: a member":                        {`{"groups":["others","staff"]}`, true},
		"a member of the other":                 {`{"groups":["/corp/eng"]}`, true},
		"by a nested claim":                     {`{"groups":[],"realm_access":{"roles":["staff"]}}`, true},
		"O-27: a string is one name":            {`{"groups":"staff"}`, true},
		"O-27: not a list in a string":          {`{"groups":"others staff"}`, false},
		"nor with commas":                       {`{"groups":"others,staff"}`, false},
		"nor JSON in a string":                  {`{"groups":"[\"staff\"]"}`, false},
		"O-27: missing":                         {`{}`, false},
		"none":                                  {`{"groups":[]}`, false},
		"null":                                  {`{"groups":null}`, false},
		"others":                                {`{"groups":["staffing","taff","STAFF","/corp","/corp/eng/x","corp/eng"," staff"]}`, false},
		"a wildcard":                            {`{"groups":["*"]}`, false},
		"an object":                             {`{"groups":{"staff":{}}}`, false},
		"a list with a number":                  {`{"groups":["staff",1]}`, false},
		"another claim":                         {`{"roles":["staff"],"group":"staff"}`, false},
		"O-27: overage":                         {`{"_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{"endpoint":"https://op.example/groups"}}}`, false},
		"O-27: overage, and a list beside it":   {`{"groups":["staff"],"_claim_names":{"groups":"src1"}}`, false},
		"overage of something else":             {`{"groups":["staff"],"_claim_names":{"address":"src1"}}`, true},
		"overage that another claim makes good": {`{"_claim_names":{"groups":"src1"},"realm_access":{"roles":["staff"]}}`, true},
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); allowed(t, m, test.claims, test.in) })
	}
	_, err := m.Identity(t.Context(), opExample, readClaims(t, `{"_claim_names":{"groups":"src1"}}`))
	if err == nil || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("overage: got %v, want it to say so", err)
	}
}

// O-27, J-44: only an address that the provider has verified, in exactly one of the domains.
func TestAllowDomains(t *testing.T) {
	t.Parallel()
	m := oidcauth.Mapping{AllowDomains: []string{"corp.example", "Second.example", "bücher.example"}}
	for name, test := range map[string]struct {
		claims string
		in     bool
	}{
		"O-27: an address":                     {`{"email":"x@corp.example","email_verified":true}`, true},
		"O-27: domains have no case":           {`{"email":"x@CORP.Example","email_verified":true}`, true},
		"nor in the configuration":             {`{"email":"x@second.example","email_verified":true}`, true},
		"with other letters":                   {`{"email":"x@bücher.example","email_verified":true}`, true},
		"with a tag":                           {`{"email":"x+tag@corp.example","email_verified":true}`, true},
		"O-27: two domains":                    {`{"email":"x@evil.example@corp.example","email_verified":true}`, false},
		"two domains the other way":            {`{"email":"x@corp.example@evil.example","email_verified":true}`, false},
		"a quoted one":                         {`{"email":"\"x@evil.example\"@corp.example","email_verified":true}`, false},
		"O-27: a longer domain":                {`{"email":"x@corp.example.evil","email_verified":true}`, false},
		"one below it":                         {`{"email":"x@sub.corp.example","email_verified":true}`, false},
		"one that ends so":                     {`{"email":"x@evilcorp.example","email_verified":true}`, false},
		"a dot at the end":                     {`{"email":"x@corp.example.","email_verified":true}`, false},
		"a blank at the end":                   {`{"email":"x@corp.example ","email_verified":true}`, false},
		"a line break":                         {`{"email":"x@corp.example\nx@evil.example","email_verified":true}`, false},
		"a display name":                       {`{"email":"X <x@corp.example>","email_verified":true}`, false},
		"several addresses":                    {`{"email":"x@evil.example,y@corp.example","email_verified":true}`, false},
		"a route":                              {`{"email":"x%evil.example@corp.example","email_verified":true}`, true},
		"letters that only look so":            {`{"email":"x@bücher.exampl\u0435","email_verified":true}`, false},
		"a letter that isn't seen":             {`{"email":"x@corp.example\u200b","email_verified":true}`, false},
		"no name":                              {`{"email":"@corp.example","email_verified":true}`, false},
		"no domain":                            {`{"email":"corp.example","email_verified":true}`, false},
		"nothing behind the @":                 {`{"email":"x@","email_verified":true}`, false},
		"too long":                             {`{"email":"` + strings.Repeat("x", 250) + `@corp.example","email_verified":true}`, false},
		"a list":                               {`{"email":["x@corp.example"],"email_verified":true}`, false},
		"missing":                              {`{"email_verified":true}`, false},
		"O-27: hd alone":                       {`{"hd":"corp.example","email":"x@gmail.example","email_verified":true}`, false},
		"another claim":                        {`{"upn":"x@corp.example","preferred_username":"x@corp.example","email_verified":true}`, false},
		"J-44: not verified":                   {`{"email":"x@corp.example","email_verified":false}`, false},
		"J-44: verified as text":               {`{"email":"x@corp.example","email_verified":"true"}`, false},
		"J-44: not told":                       {`{"email":"x@corp.example"}`, false},
		"J-44: verified as a number":           {`{"email":"x@corp.example","email_verified":1}`, false},
		"J-44: null":                           {`{"email":"x@corp.example","email_verified":null}`, false},
		"J-44: a list":                         {`{"email":"x@corp.example","email_verified":[true]}`, false},
		"J-44: verified by another claim":      {`{"email":"x@corp.example","Email_verified":true,"emailVerified":true}`, false},
		"a claim that stands below another":    {`{"user":{"email":"x@corp.example","email_verified":true}}`, false},
		"K that is none (U+212A), in a domain": {`{"email":"x@boo\u212a.example","email_verified":true}`, false},
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); allowed(t, m, test.claims, test.in) })
	}
	allowed(t, oidcauth.Mapping{AllowDomains: []string{"book.example"}}, `{"email":"x@boo\u212a.example","email_verified":true}`, false)

	// Who switches it on takes the text, and no other.
	text := oidcauth.Mapping{AllowDomains: []string{"corp.example"}, EmailVerifiedText: true}
	for verified, in := range map[string]bool{`"true"`: true, `true`: true, `"false"`: false, `"True"`: false, `"1"`: false, `""`: false, `1`: false, `false`: false} {
		allowed(t, text, `{"email":"x@corp.example","email_verified":`+verified+`}`, in)
	}

	// Both have to hold.
	both := oidcauth.Mapping{AllowDomains: []string{"corp.example"}, Roles: []string{"groups"}, AllowGroups: []string{"staff"}}
	allowed(t, both, `{"email":"x@corp.example","email_verified":true,"groups":["staff"]}`, true)
	allowed(t, both, `{"email":"x@corp.example","email_verified":true,"groups":[]}`, false)
	allowed(t, both, `{"email":"x@else.example","email_verified":true,"groups":["staff"]}`, false)
}

// allowed wants the user to come in, or to be refused for good.
func allowed(t *testing.T, m oidcauth.Mapping, text string, in bool) {
	t.Helper()
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	id, err := m.Identity(t.Context(), opExample, readClaims(t, text))
	if in && (err != nil || id == nil) || !in && (!errors.Is(err, auth.ErrForbidden) || id != nil) {
		t.Errorf("%s: got %v, %v, want to come in: %v", text, id, err, in)
	}
	if err != nil && strings.Contains(err.Error(), "@") {
		t.Errorf("%q tells the address", err)
	}
}

// J-44: linking accounts asks for the same.
func TestVerifiedAddress(t *testing.T) {
	t.Parallel()
	m := oidcauth.Mapping{}
	for text, want := range map[string]string{
		`{"email":"Ann@corp.example","email_verified":true}`:                             "Ann@corp.example",
		`{"email":"Ann@corp.example","email_verified":false}`:                            "",
		`{"email":"Ann@corp.example","email_verified":"true"}`:                           "",
		`{"email":"Ann@corp.example"}`:                                                   "",
		`{"email":"a@b@corp.example","email_verified":true}`:                             "",
		`{"email_verified":true}`:                                                        "",
		`{"email":"a@","email_verified":true}`:                                           "",
		`{"email":"a\u202eb@corp.example","email_verified":true}`:                        "",
		`{"email":"a\u2003b@corp.example","email_verified":true}`:                        "",
		`{"email":"` + strings.Repeat("a", 242) + `@b.example.x","email_verified":true}`: strings.Repeat("a", 242) + "@b.example.x",
		`{"email":"` + strings.Repeat("a", 243) + `@b.example.x","email_verified":true}`: "",
	} {
		if got, verified := m.Email(readClaims(t, text)); got != want || verified != (want != "") {
			t.Errorf("%s: got %q, %v, want %q", text, got, verified, want)
		}
	}
}
