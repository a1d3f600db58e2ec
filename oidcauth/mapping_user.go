package oidcauth

import (
	"cmp"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ostiary/auth"
)

// user is what there is to show of a person (OpenID Connect Core section 5.1). A strange name is made fit to show: it is no
// reason to keep anybody out. Initials and colour aren't derived, as for every user with a name of their own.
func (m *Mapping) user(c Claims, subject string) auth.User {
	return auth.User{
		Username:    cmp.Or(m.username(c), clean(subject), "user"), // the last for a subject of which nothing can be seen
		Name:        cmp.Or(shown(c, "name"), clean(shown(c, "given_name")+" "+shown(c, "family_name"))),
		DisplayName: cmp.Or(shown(c, "nickname"), shown(c, "given_name")),
		AvatarURL:   picture(c),
	}
}

// username is empty where no claim gives one.
func (m *Mapping) username(c Claims) string {
	path := m.Username
	if path == "" {
		if name := shown(c, "preferred_username"); name != "" {
			return name
		}
		path = "email"
	}
	if path == "email" { // nobody is shown under somebody else's address
		address, _ := m.email(c)
		return clean(address)
	}
	return shown(c, path)
}

func shown(c Claims, path string) string {
	text, _ := c.Text(path)
	return clean(text)
}

// maxShown is how many characters of a name are kept: with four bytes each they fit into every column.
const maxShown = 128

// clean gives what can be shown of a text, in one line: without control characters, those that turn the direction of what
// follows, and those that aren't seen, such as make up a blank name. It is cut at [maxShown] characters.
func clean(text string) string {
	var b strings.Builder
	n, blank := 0, false
	for _, r := range text {
		switch {
		case unicode.IsSpace(r):
			blank = n > 0
			continue
		case unseen(r):
			continue
		}
		if blank {
			n, blank = n+1, false
			if n < maxShown {
				b.WriteByte(' ')
			}
		}
		if n++; n > maxShown {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// unseen tells whether r shows nothing by itself: control and format characters (bidirectional ones among them), letters
// and marks that Unicode calls ignorable, and what isn't Unicode.
func unseen(r rune) bool {
	return r == utf8.RuneError || isControl(r) ||
		unicode.In(r, unicode.Cf, unicode.Co, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func isControl(r rune) bool { return unicode.Is(unicode.Cc, r) }

// picture is a URL that browsers may load in other people's pages.
func picture(c Claims) string {
	text, _ := c.Text("picture")
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return ""
	}
	if (auth.UserUpdate{AvatarURL: &text}).Validate() != nil {
		return ""
	}
	return text
}
