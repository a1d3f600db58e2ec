package oidcauth_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/oidcauth"
)

func TestUserByClaims(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 200)
	upn, email := oidcauth.Mapping{Username: "upn"}, oidcauth.Mapping{Username: "email"}
	for name, test := range map[string]struct {
		mapping oidcauth.Mapping
		claims  string
		want    auth.User
	}{
		"the names of a profile": {
			claims: `{"preferred_username":"ann","name":"Ann Archer","nickname":"Annie","given_name":"Ann","family_name":"Archer"}`,
			want:   auth.User{Username: "ann", Name: "Ann Archer", DisplayName: "Annie"},
		},
		"its parts":                    {claims: `{"preferred_username":"ann","given_name":"Ann","family_name":"Archer"}`, want: auth.User{Username: "ann", Name: "Ann Archer", DisplayName: "Ann"}},
		"one part":                     {claims: `{"preferred_username":"ann","family_name":"Archer"}`, want: auth.User{Username: "ann", Name: "Archer"}},
		"nothing":                      {claims: `{"sub":"s-1"}`, want: auth.User{Username: "s-1"}},
		"J-44: a verified address":     {claims: `{"email":"a@b.example","email_verified":true}`, want: auth.User{Username: "a@b.example"}},
		"J-44: one that isn't":         {claims: `{"sub":"s-1","email":"a@b.example","email_verified":false}`, want: auth.User{Username: "s-1"}},
		"J-44: by text":                {claims: `{"sub":"s-1","email":"a@b.example","email_verified":"true"}`, want: auth.User{Username: "s-1"}},
		"J-44: asked for, verified":    {email, `{"preferred_username":"ann","email":"a@b.example","email_verified":true}`, auth.User{Username: "a@b.example"}},
		"J-44: asked for, not so":      {email, `{"sub":"s-1","preferred_username":"ann","email":"a@b.example"}`, auth.User{Username: "s-1"}},
		"another claim":                {upn, `{"preferred_username":"ann","upn":"ann@corp"}`, auth.User{Username: "ann@corp"}},
		"another claim that's missing": {upn, `{"sub":"s-1","preferred_username":"ann"}`, auth.User{Username: "s-1"}},
		"a nested claim":               {oidcauth.Mapping{Username: "ext.login"}, `{"ext":{"login":"x"}}`, auth.User{Username: "x"}},
		"other types":                  {claims: `{"sub":"s-1","preferred_username":1,"name":["Ann"],"nickname":{},"given_name":true,"picture":null}`, want: auth.User{Username: "s-1"}},
		"text that is turned":          {claims: `{"preferred_username":"a\u202enna\u2066","name":"\u200eAnn\u0007 \u061cB\u0000"}`, want: auth.User{Username: "anna", Name: "Ann B"}},
		"several lines":                {claims: `{"preferred_username":" a\n\tb\u2028c  d\u00a0e ","name":"\n"}`, want: auth.User{Username: "a b c d e"}},
		"names that aren't seen":       {claims: `{"sub":"s-1","preferred_username":"\u3164\u200b\ufe0f","name":"\u2060","nickname":"\ue000"}`, want: auth.User{Username: "s-1"}},
		"a subject that isn't seen":    {claims: `{"sub":"\u200b"}`, want: auth.User{Username: "user"}},
		"a long name":                  {claims: `{"preferred_username":"` + long + `","name":"` + long + `"}`, want: auth.User{Username: long[:256], Name: long[:256]}},
		"markup is only text":          {claims: `{"preferred_username":"<b>&amp;\"'"}`, want: auth.User{Username: `<b>&amp;"'`}},
		"a picture":                    {claims: `{"picture":"https://op.example/a?b=c"}`, want: auth.User{Username: "ann", AvatarURL: "https://op.example/a?b=c"}},
		"a picture over http":          {claims: `{"picture":"http://op.example/a"}`, want: auth.User{Username: "ann", AvatarURL: "http://op.example/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := mapped(t, test.mapping, test.claims).User; got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
	for _, bad := range []string{
		"javascript:alert(1)", "JavaScript:alert(1)", "data:image/png;base64,AAAA", "//op.example/a", "/a.png", "a.png", "https:a", "https:///a",
		"https://user:pass@op.example/a", "https://op.example/a b", "https://op.example/\u0001", "ftp://op.example/a", "https://op.example/%zz",
		" https://op.example/a", "https://op.example/" + strings.Repeat("a", 3000), "",
	} {
		m := oidcauth.Mapping{}
		id, err := m.Identity(t.Context(), opExample, oidcauth.Claims{"sub": "ann", "picture": bad})
		if err != nil || id.User.AvatarURL != "" {
			t.Errorf("picture %q: got %+v, %v, want none", bad, id, err)
		}
	}
}

// Whatever a provider sends, what comes out is fit to show and to store, and says the same when it is read again.
func FuzzClean(f *testing.F) {
	for _, text := range []string{"Ann", " a\nb ", "\u202ea", strings.Repeat("ä ", 200), "\xff\xfe", strings.Repeat(" a", 64), strings.Repeat("a", 127) + " b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := oidcauth.Clean(text)
		if again := oidcauth.Clean(got); again != got {
			t.Errorf("%q becomes %q, and that %q", text, got, again)
		}
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > 128 || strings.ContainsAny(got, "\x00\n\r\t\u202e\u2066\u200b\ufffd") ||
			strings.TrimSpace(got) != got || strings.Contains(got, "  ") {
			t.Errorf("%q becomes %q", text, got)
		}
		if (auth.UserUpdate{Name: &got, DisplayName: &got}).Validate() != nil {
			t.Errorf("%q becomes %q, which is no name", text, got)
		}
	})
}
