package userauth

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/returnpath"
)

// A Provider is a way to sign in beside the password whose pages lie elsewhere in the application: one of an oidcauth's. The
// pages here lead there; they know nothing else of it.
type Provider struct {
	// Title is for people: "Corp" makes "Sign in with Corp".
	Title string
	// LoginPath is where a login begins, below the path of PublicURL: "/sso/login/corp". The return path is added to it.
	LoginPath string
	// LinkPath is where users link that sign-in to their account: "/sso/link/corp". Empty: the page of sign-ins doesn't offer it.
	LinkPath string
	// Issuer is the provider's identifier, by which [Links] know it. Empty: the page of sign-ins shows that, not Title.
	Issuer string
}

// check reports the first field that can't be meant.
func (p Provider) check() error {
	if p.Title == "" {
		return errors.New("no Title")
	}
	if p.LoginPath == "" {
		return errors.New("no LoginPath")
	}
	for name, path := range map[string]string{"LoginPath": p.LoginPath, "LinkPath": p.LinkPath} {
		if _, err := returnpath.ParseMount(path); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// providerLinks are for the login page.
func (b *backend) providerLinks(next string) (links []page.Link) {
	for _, p := range b.providers {
		at := b.mount.Join(p.LoginPath) + "?next=" + url.QueryEscape(next)
		links = append(links, page.Link{Text: "Sign in with " + p.Title, URL: at})
	}
	return links
}

// titleOf is what people know an issuer by.
func (b *backend) titleOf(issuer string) string {
	for _, p := range b.providers {
		if p.Issuer == issuer {
			return p.Title
		}
	}
	return issuer
}
