package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/strictjson"
	"github.com/ostiary/auth/oidcauth"
)

const opExample = "https://op.example"

// readClaims reads a provider's JSON; "sub" is ann where it isn't given.
func readClaims(t testing.TB, text string) oidcauth.Claims {
	t.Helper()
	object, err := strictjson.Object([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	c := oidcauth.Claims(object)
	if _, ok := c["sub"]; !ok {
		c["sub"] = "ann"
	}
	return c
}

// mapped is the identity, where there has to be one.
func mapped(t testing.TB, m oidcauth.Mapping, text string) *auth.Identity {
	t.Helper()
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	id, err := m.Identity(t.Context(), opExample, readClaims(t, text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return id
}

func TestTheZeroMappingGrantsNothing(t *testing.T) {
	t.Parallel()
	id := mapped(t, oidcauth.Mapping{}, `{"sub":"s-1","preferred_username":"ann","name":"Ann A.","nickname":"Annie","picture":"https://op.example/a.png",
		"scope":"contents:read","scp":["contents:read"],"permissions":["contents:read"],"roles":["admin"],"groups":["admin"],
		"realm_access":{"roles":["admin"]},"unrestricted":true,"admin":true,"email":"ann@corp.example","email_verified":true}`)
	want := &auth.Identity{
		ID: "oidc:https://op.example#s-1", Permissions: auth.Permissions{},
		User: auth.User{Username: "ann", Name: "Ann A.", DisplayName: "Annie", AvatarURL: "https://op.example/a.png"},
	}
	if !reflect.DeepEqual(id, want) {
		t.Errorf("got %+v, want %+v", id, want)
	}
}

// J-41, JV59, FP03, FP05: a permission is one exact entry of a claim that was named for it, in the form that it was named for.
func TestPermissionsByClaims(t *testing.T) {
	t.Parallel()
	lists := oidcauth.Mapping{Permissions: []string{"permissions", "scp", "realm_access.roles", "https://app.example/permissions"}}
	scopes := oidcauth.Mapping{Scopes: []string{"scope", "scp"}}
	both := oidcauth.Mapping{Permissions: []string{"permissions", "scp"}, Scopes: []string{"scope", "scp"}}
	for name, test := range map[string]struct {
		mapping oidcauth.Mapping
		claims  string
		want    string // as auth.ParsePermissions reads it
	}{
		"JV59: a list":                        {lists, `{"permissions":["contents:read"]}`, "contents:read"},
		"FP03: another scope":                 {scopes, `{"scope":"openid"}`, ""},
		"FP03: the scope":                     {scopes, `{"scope":"openid contents:read"}`, "contents:read"},
		"FP05: another permission":            {lists, `{"permissions":["castles:read"]}`, "castles:read"},
		"FP05: the permission":                {lists, `{"permissions":["castles:read","castles:create"]}`, "castles:read,create"},
		"several claims, and the same twice":  {both, `{"permissions":["a:b","a:b"],"scope":"a:b a:c","scp":["d:e"]}`, "a:b,c d:e"},
		"nested":                              {lists, `{"realm_access":{"roles":["a:b","offline_access"]}}`, "a:b"},
		"a name that is a URL":                {lists, `{"https://app.example/permissions":["a:b"]}`, "a:b"},
		"the last colon separates":            {lists, `{"permissions":["urn:app:contents:read"]}`, "urn:app:contents:read"},
		"J-41: a list where a scope is meant": {scopes, `{"scope":["a:b"]}`, ""},
		"J-41: a list that was named as one":  {both, `{"scp":["a:b"]}`, "a:b"},
		"J-41: scp as one string":             {both, `{"scp":"a:b c:d"}`, "a:b c:d"},
		"J-41: a string for a list":           {lists, `{"permissions":"a:b"}`, ""},
		"J-41: several in one string":         {lists, `{"permissions":"a:b c:d"}`, ""},
		"J-41: several in one entry":          {lists, `{"permissions":["a:b c:d"]}`, ""},
		"J-41: not parted":                    {scopes, `{"scope":"a:bc:d"}`, "a:bc:d"},
		"J-41: commas don't part":             {scopes, `{"scope":"a:b,c:d"}`, ""},
		"J-41: two actions in one entry":      {lists, `{"permissions":["a:b,c"]}`, ""},
		"J-41: more spaces":                   {scopes, `{"scope":"  a:b   c:d "}`, "a:b c:d"},
		"J-41: tabs and line breaks":          {scopes, `{"scope":"a:b\tc:d e:f\ng:h i:j"}`, "i:j"},
		"J-41: a space that is none":          {scopes, `{"scope":"a:b\u00a0c:d"}`, ""},
		"J-41: a claim that wasn't named":     {scopes, `{"permissions":["a:b"],"Scope":"a:b","scopes":"a:b"}`, ""},
		"J-41: missing":                       {both, `{}`, ""},
		"J-41: null":                          {both, `{"permissions":null,"scope":null}`, ""},
		"J-41: other types":                   {both, `{"permissions":{"a:b":true},"scope":true,"scp":17}`, ""},
		"a list with a number in it":          {lists, `{"permissions":["a:b",1]}`, ""},
		"a list with a list in it":            {lists, `{"permissions":["a:b",["c:d"]]}`, ""},
		"no action or no resource":            {lists, `{"permissions":["a:",":b",":","a","","a:b"]}`, "a:b"},
		"other case":                          {lists, `{"permissions":["A:B"]}`, "A:B"},
		"wildcards": {
			both, `{"permissions":["*:*","a:*","a*:b","*:b","a/*:b","*"],"scope":"*:* a:* * a*:b c:d"}`, "c:d",
		},
		"wildcards that are wanted": {
			oidcauth.Mapping{Permissions: []string{"permissions"}, Wildcards: true},
			`{"permissions":["a:*","b/*:read","c*d:x","e:f*","*"]}`, "a:* b/*:read",
		},
		"wildcards that would cover admin": {
			oidcauth.Mapping{Permissions: []string{"permissions"}, Wildcards: true},
			`{"permissions":["*:*","*:read","a*:*","adm*:write","admin*:x","admin:*","b*:x"]}`, "b*:x",
		},
		"admin":                       {both, `{"permissions":["admin:write","admin:read"],"scope":"admin:org a:b","scp":"admin:x"}`, "a:b"},
		"what begins like admin":      {both, `{"permissions":["admins:read","admin/x:read"]}`, "admins:read admin/x:read"},
		"claims that are elsewhere":   {lists, `{"permissions":["a:b"],"_claim_names":{"permissions":"src1"},"scp":["c:d"]}`, "c:d"},
		"scopes that are elsewhere":   {both, `{"scope":"a:b","_claim_names":{"scope":"src1"},"scp":"c:d"}`, "c:d"},
		"a whole name before a path":  {lists, `{"realm_access.roles":["a:b"],"realm_access":{"roles":["c:d"]}}`, "a:b"},
		"a whole name of wrong type":  {lists, `{"realm_access.roles":"a:b","realm_access":{"roles":["c:d"]}}`, ""},
		"a path through a list":       {lists, `{"realm_access":[{"roles":["c:d"]}]}`, ""},
		"characters that aren't seen": {lists, `{"permissions":["a:b\u0000","a\u0007:b","c:d\ufffd"]}`, "c:d\ufffd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := mapped(t, test.mapping, test.claims)
			want, err := auth.ParsePermissions(test.want)
			if err != nil {
				t.Fatal(err)
			}
			if got.Permissions.String() != want.String() || len(got.Roles) > 0 || got.Unrestricted {
				t.Errorf("got %q, roles %q, want %q", got.Permissions, got.Roles, want)
			}
		})
	}
}

// Roles come by RoleMap alone, whatever the provider calls its own.
func TestRolesByClaims(t *testing.T) {
	t.Parallel()
	m := oidcauth.Mapping{
		Roles: []string{"groups", "realm_access.roles", "resource_access.my.app.roles", "https://app.example/roles"},
		RoleMap: map[string][]string{
			"staff": {"editor", "viewer"}, "/corp/admins": {"admin"}, "visitors": {"viewer"}, "Editors,Staff": {"odd"},
		},
	}
	for name, test := range map[string]struct {
		claims string
		want   []string
	}{
		"a group":                         {`{"groups":["staff","others"]}`, []string{"editor", "viewer"}},
		"a nested role":                   {`{"realm_access":{"roles":["visitors"]}}`, []string{"viewer"}},
		"a nested role of a dotted name":  {`{"resource_access":{"my.app":{"roles":["visitors"]}}}`, []string{"viewer"}},
		"a claim that is a URL":           {`{"https://app.example/roles":["visitors"]}`, []string{"viewer"}},
		"all of them, each role once":     {`{"groups":["visitors","staff","visitors"],"realm_access":{"roles":["staff"]}}`, []string{"editor", "viewer"}},
		"one string is one name":          {`{"groups":"staff"}`, []string{"editor", "viewer"}},
		"and isn't split":                 {`{"groups":"staff visitors"}`, nil},
		"not even at commas":              {`{"groups":"visitors,staff"}`, nil},
		"a name with a comma is a name":   {`{"groups":["Editors,Staff"]}`, []string{"odd"}},
		"mapped to admin":                 {`{"groups":["/corp/admins"]}`, []string{"admin"}},
		"the name of a role here":         {`{"groups":["admin","editor","odd"]}`, nil},
		"wildcards":                       {`{"groups":["*","sta*",""]}`, nil},
		"another case":                    {`{"groups":["Staff"]}`, nil},
		"a part of a name":                {`{"groups":["staf","staffs"," staff","staff "]}`, nil},
		"an object with the names":        {`{"groups":{"staff":true}}`, nil},
		"a list with something else":      {`{"groups":["staff",null]}`, nil},
		"another claim":                   {`{"roles":["staff"],"Groups":["staff"]}`, nil},
		"missing":                         {`{}`, nil},
		"elsewhere":                       {`{"groups":["staff"],"_claim_names":{"groups":"src1"}}`, nil},
		"what the path goes through":      {`{"realm_access":{"roles":["staff"]},"_claim_names":{"realm_access":"src1"}}`, nil},
		"another claim that is elsewhere": {`{"groups":["visitors"],"_claim_names":{"address":"src1"}}`, []string{"viewer"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := mapped(t, m, test.claims)
			if !slices.Equal(got.Roles, test.want) || len(got.Permissions) > 0 || got.Unrestricted {
				t.Errorf("got %q, permissions %q, want %q", got.Roles, got.Permissions, test.want)
			}
		})
	}
	if got := mapped(t, oidcauth.Mapping{Roles: []string{"groups"}}, `{"groups":["staff","admin"]}`); got.Roles != nil {
		t.Errorf("without a RoleMap: got %q", got.Roles)
	}
}

// O-27: so many groups, roles or permissions as no person has cost little, and lead to no part of them.
func TestManyClaims(t *testing.T) {
	t.Parallel()
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprintf(`"g%d:x"`, i)
	}
	many := "[" + strings.Join(names, ",") + "]"
	m := oidcauth.Mapping{
		Roles: []string{"groups"}, RoleMap: map[string][]string{"g9999:x": {"last"}, "g1:x": {"first"}}, AllowGroups: []string{"g9999:x"},
	}
	id := mapped(t, m, `{"groups":`+many+`}`)
	if want := []string{"first", "last"}; !slices.Equal(id.Roles, want) {
		t.Errorf("got %q, want %q", id.Roles, want)
	}

	m = oidcauth.Mapping{Permissions: []string{"permissions"}}
	enough := "[" + strings.Join(names[:oidcauth.MaxPermissions], ",") + `,"g0:x","openid"]`
	if id := mapped(t, m, `{"permissions":`+enough+`}`); len(id.Permissions) != oidcauth.MaxPermissions {
		t.Errorf("got %d permissions, want %d", len(id.Permissions), oidcauth.MaxPermissions)
	}
	id, err := m.Identity(t.Context(), opExample, readClaims(t, `{"permissions":`+many+`}`))
	if !errors.Is(err, auth.ErrForbidden) || id != nil {
		t.Errorf("too many: got %v, %v", id, err)
	}
}

// J-43: who a user is doesn't depend on anything but the issuer and the subject.
func TestIdentityIsIssuerAndSubject(t *testing.T) {
	t.Parallel()
	const ann = `{"sub":"1","preferred_username":"admin","email":"ann@corp.example","email_verified":true}`
	m := oidcauth.Mapping{}
	id := func(issuer, text string) string {
		got, err := m.Identity(t.Context(), issuer, readClaims(t, text))
		if err != nil {
			t.Fatal(err)
		}
		return got.ID
	}
	if got, want := id(opExample, ann), "oidc:https://op.example#1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := id(opExample, `{"sub":"1","preferred_username":"ann","email":"new@corp.example","iss":"https://evil.example"}`); got != id(opExample, ann) {
		t.Errorf("with other claims: got %q", got)
	}
	for what, other := range map[string]string{
		"another issuer":             id("https://op2.example", ann),
		"another subject":            id(opExample, strings.Replace(ann, `"1"`, `"2"`, 1)),
		"a subject with a blank":     id(opExample, strings.Replace(ann, `"1"`, `"1 "`, 1)),
		"a subject in another case":  id(opExample, `{"sub":"A"}`),
		"that subject":               id(opExample, `{"sub":"a"}`),
		"a subject that has a hash":  id(opExample, `{"sub":"#1"}`),
		"an issuer that ends before": id("https://op.exampl", `{"sub":"e#1"}`),
	} {
		if other == id(opExample, ann) || strings.HasPrefix(other, "user:") {
			t.Errorf("%s: the same, %q", what, other)
		}
	}
	if id(opExample, `{"sub":"A"}`) == id(opExample, `{"sub":"a"}`) {
		t.Error("two subjects that differ in case are one")
	}
	for what, bad := range map[string]any{
		"missing": nil, "empty": "", "a number": 1, "a list": []any{"1"}, "too long": strings.Repeat("a", 256), "a NUL": "a\x00", "a control character": "a\n",
		"not UTF-8": "\xff",
	} {
		got, err := m.Identity(t.Context(), opExample, oidcauth.Claims{"sub": bad, "preferred_username": "ann"})
		if err == nil || got != nil || errors.Is(err, auth.ErrNoCredentials) {
			t.Errorf("subject %s: got %v, %v", what, got, err)
		}
	}
	if got := id(opExample, `{"sub":"`+strings.Repeat("a", 255)+`"}`); len(got) != len("oidc:"+opExample+"#")+255 {
		t.Errorf("the longest subject: got %q", got)
	}
}

func TestConfigurationMistakes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		mapping oidcauth.Mapping
		says    string // empty: none
	}{
		"the zero value": {oidcauth.Mapping{}, ""},
		"all there is": {oidcauth.Mapping{
			Username: "upn", Permissions: []string{"permissions"}, Scopes: []string{"scope"}, Wildcards: true, Roles: []string{"groups"},
			RoleMap: map[string][]string{"staff": {"editor"}}, AllowGroups: []string{"staff"}, AllowDomains: []string{"corp.example", "localhost"},
			EmailVerifiedText: true, Func: func(context.Context, oidcauth.Claims, *auth.Identity) error { return nil },
		}, ""},
		"groups that only let in":      {oidcauth.Mapping{Roles: []string{"groups"}, AllowGroups: []string{"staff"}}, ""},
		"a claim in both":              {oidcauth.Mapping{Permissions: []string{"scp"}, Scopes: []string{"scp"}}, ""},
		"an empty claim":               {oidcauth.Mapping{Permissions: []string{"a", ""}}, "number 1 of Mapping.Permissions"},
		"a claim with blanks":          {oidcauth.Mapping{Scopes: []string{"scope "}}, "Mapping.Scopes"},
		"an empty role claim":          {oidcauth.Mapping{Roles: []string{""}}, "Mapping.Roles"},
		"an empty group":               {oidcauth.Mapping{Roles: []string{"groups"}, AllowGroups: []string{""}}, "Mapping.AllowGroups"},
		"an empty domain":              {oidcauth.Mapping{AllowDomains: []string{""}}, "Mapping.AllowDomains"},
		"an address for a domain":      {oidcauth.Mapping{AllowDomains: []string{"ann@corp.example"}}, "Mapping.AllowDomains"},
		"a domain with its @":          {oidcauth.Mapping{AllowDomains: []string{"@corp.example"}}, "Mapping.AllowDomains"},
		"a wildcard domain":            {oidcauth.Mapping{AllowDomains: []string{"*.corp.example"}}, "Mapping.AllowDomains"},
		"a domain with a leading dot":  {oidcauth.Mapping{AllowDomains: []string{".corp.example"}}, "Mapping.AllowDomains"},
		"a URL for a domain":           {oidcauth.Mapping{AllowDomains: []string{"https://corp.example"}}, "Mapping.AllowDomains"},
		"two domains in one":           {oidcauth.Mapping{AllowDomains: []string{"a.example,b.example"}}, "Mapping.AllowDomains"},
		"a role map about no claims":   {oidcauth.Mapping{RoleMap: map[string][]string{"a": {"b"}}}, "Mapping.RoleMap without Mapping.Roles"},
		"groups of no claims":          {oidcauth.Mapping{AllowGroups: []string{"a"}}, "Mapping.AllowGroups without Mapping.Roles"},
		"a wildcard in the role map":   {oidcauth.Mapping{Roles: []string{"groups"}, RoleMap: map[string][]string{"*": {"b"}}}, "Mapping.RoleMap"},
		"an empty name in it":          {oidcauth.Mapping{Roles: []string{"groups"}, RoleMap: map[string][]string{"": {"b"}}}, "Mapping.RoleMap"},
		"no role in it":                {oidcauth.Mapping{Roles: []string{"groups"}, RoleMap: map[string][]string{"a": nil}}, "Mapping.RoleMap"},
		"an empty role in it":          {oidcauth.Mapping{Roles: []string{"groups"}, RoleMap: map[string][]string{"a": {""}}}, "Mapping.RoleMap"},
		"wildcards of no claims":       {oidcauth.Mapping{Wildcards: true}, "Mapping.Wildcards"},
		"wildcards beside roles alone": {oidcauth.Mapping{Wildcards: true, Roles: []string{"groups"}}, "Mapping.Wildcards"},
	} {
		err := test.mapping.Check()
		if (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got %v, want %q", name, err, test.says)
		}
	}
}

// What was checked stays as it is, whatever its owner does to it; and no identity shares it.
func TestMappingsAreCopied(t *testing.T) {
	t.Parallel()
	given := oidcauth.Mapping{
		Permissions: []string{"permissions"}, Scopes: []string{"scope"}, Roles: []string{"groups"},
		RoleMap: map[string][]string{"staff": {"viewer"}}, AllowGroups: []string{"staff"}, AllowDomains: []string{"corp.example"},
	}
	m := given.Clone()
	given.Permissions[0], given.Scopes[0], given.Roles[0], given.AllowGroups[0], given.AllowDomains[0] = "x", "x", "x", "x", "x"
	given.RoleMap["staff"][0] = "admin"
	given.RoleMap["others"] = []string{"admin"}
	const text = `{"permissions":["a:b"],"scope":"c:d","groups":["staff","others"],"email":"a@corp.example","email_verified":true}`
	for range 2 {
		id := mapped(t, m, text)
		if got, want := fmt.Sprint(id.Permissions, id.Roles), "a:b c:d [viewer]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		id.Roles[0], id.Permissions["a"][0] = "changed", "changed"
	}
	if zero := new(oidcauth.Mapping).Clone(); !reflect.DeepEqual(zero, oidcauth.Mapping{}) {
		t.Errorf("the zero value: got %+v", zero)
	}
}

// Func may grant and refuse; what it does wrong is a fault, never an admission, and never another outcome.
func TestFunc(t *testing.T) {
	t.Parallel()
	type fn = func(ctx context.Context, c oidcauth.Claims, id *auth.Identity) error
	base := oidcauth.Mapping{Permissions: []string{"permissions"}}
	const text = `{"permissions":["a:b"],"preferred_username":"ann","department":"x"}`
	run := func(t *testing.T, f fn) (*auth.Identity, error) {
		m := base
		m.Func = f
		return m.Identity(t.Context(), opExample, readClaims(t, text))
	}
	t.Run("it sees all, and changes all but the ID", func(t *testing.T) {
		t.Parallel()
		var kept *auth.Identity
		id, err := run(t, func(_ context.Context, c oidcauth.Claims, id *auth.Identity) error {
			if id.ID != "oidc:"+opExample+"#ann" || id.User.Username != "ann" || !id.Permissions.Has("a", "b") {
				t.Errorf("it gets %+v", id)
			}
			if department, ok := c.Text("department"); !ok || department != "x" {
				t.Errorf("it gets %v", c)
			}
			*id = auth.Identity{
				ID: "user:1", User: auth.User{Username: "Ann", Name: "N", DisplayName: "D", Initials: "I", Color: "red", AvatarURL: "/a.png", Settings: "{}"},
				Permissions: auth.Permissions{"c": {"*"}}, Roles: []string{"boss"}, Unrestricted: true,
				Explicit: true, Expires: time.Now(), Session: silentSession{},
			}
			kept = id
			return nil
		})
		want := &auth.Identity{
			ID: "oidc:" + opExample + "#ann", User: auth.User{Username: "Ann", Name: "N", DisplayName: "D", Initials: "I", Color: "red", AvatarURL: "/a.png", Settings: "{}"},
			Permissions: auth.Permissions{"c": {"*"}}, Roles: []string{"boss"}, Unrestricted: true,
		}
		if err != nil || !reflect.DeepEqual(id, want) {
			t.Fatalf("got %+v, %v, want %+v", id, err, want)
		}
		kept.Permissions["c"][0], kept.Roles[0], kept.ID = "x", "x", "x"
		if !reflect.DeepEqual(id, want) {
			t.Errorf("changed afterwards: got %+v, want %+v", id, want)
		}
	})
	user := func(change func(u *auth.User)) fn {
		return func(_ context.Context, _ oidcauth.Claims, id *auth.Identity) error { change(&id.User); return nil }
	}
	for name, test := range map[string]struct {
		f         fn
		forbidden bool
		says      string
	}{
		"it refuses": {func(context.Context, oidcauth.Claims, *auth.Identity) error {
			return fmt.Errorf("%w: the contract has ended", auth.ErrForbidden)
		}, true, "the contract has ended"},
		"it refuses, and says more than it may": {func(context.Context, oidcauth.Claims, *auth.Identity) error {
			return errors.Join(auth.ErrNoCredentials, auth.ErrInvalidCredentials, auth.ErrForbidden)
		}, true, "Mapping.Func"},
		"it fails":                   {func(context.Context, oidcauth.Claims, *auth.Identity) error { return errors.New("no answer") }, false, "Mapping.Func: no answer"},
		"it hands on no credentials": {func(context.Context, oidcauth.Claims, *auth.Identity) error { return auth.ErrNoCredentials }, false, "Mapping.Func"},
		"it hands on a wrong one":    {func(context.Context, oidcauth.Claims, *auth.Identity) error { return auth.ErrInvalidCredentials }, false, "Mapping.Func"},
		"it panics":                  {func(context.Context, oidcauth.Claims, *auth.Identity) error { panic("secret claim") }, false, "panic of type string"},
		"it panics with an outcome":  {func(context.Context, oidcauth.Claims, *auth.Identity) error { panic(auth.ErrForbidden) }, false, "panic"},
		"no username":                {user(func(u *auth.User) { u.Username = "" }), false, "username"},
		"a blank username":           {user(func(u *auth.User) { u.Username = " " }), false, "username"},
		"a username that turns text": {user(func(u *auth.User) { u.Username = "a\u202eb" }), false, "username"},
		"a picture that runs":        {user(func(u *auth.User) { u.AvatarURL = "javascript:alert(1)" }), false, "avatar_url"},
		"a name that is too long":    {user(func(u *auth.User) { u.Name = strings.Repeat("a", 2000) }), false, "name"},
		"settings with a NUL":        {user(func(u *auth.User) { u.Settings = "\x00" }), false, "settings"},
		"a misplaced wildcard": {func(_ context.Context, _ oidcauth.Claims, id *auth.Identity) error {
			id.Permissions["a*b"] = []string{"x"}
			return nil
		}, false, "misplaced"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if id, err := run(t, func(context.Context, oidcauth.Claims, *auth.Identity) error { return nil }); err != nil || !id.Permissions.Has("a", "b") {
				t.Fatalf("one that does nothing: got %v, %v", id, err)
			}
			id, err := run(t, test.f)
			if err == nil || id != nil {
				t.Fatalf("got %+v, %v, want an error", id, err)
			}
			if errors.Is(err, auth.ErrForbidden) != test.forbidden || errors.Is(err, auth.ErrNoCredentials) || errors.Is(err, auth.ErrInvalidCredentials) {
				t.Errorf("got %v, want forbidden %v and no other outcome", err, test.forbidden)
			}
			if !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret claim") {
				t.Errorf("got %q, want it to say %q", err, test.says)
			}
		})
	}
	t.Run("it isn't asked about whom the other fields refuse", func(t *testing.T) {
		t.Parallel()
		m := oidcauth.Mapping{AllowDomains: []string{"corp.example"}, Func: func(context.Context, oidcauth.Claims, *auth.Identity) error {
			t.Error("it was")
			return nil
		}}
		if _, err := m.Identity(t.Context(), opExample, readClaims(t, text)); !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("its time ends", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			id, err := run(t, func(ctx context.Context, _ oidcauth.Claims, _ *auth.Identity) error { <-ctx.Done(); return ctx.Err() })
			if took := time.Since(begin); err == nil || id != nil || took != 10*time.Second {
				t.Errorf("got %v, %v after %v", id, err, took)
			}
		})
	})
}

// silentSession is one that nobody asks.
type silentSession struct{ auth.Session }
