package op

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/ostiary/auth/internal/site"
)

// wellKnown is where a provider's metadata are, below its issuer (Discovery section 4).
const wellKnown = "/.well-known/openid-configuration"

// checkIssuer reads an issuer identifier (Discovery section 3): a URL without query and fragment.
func checkIssuer(issuer string) (*url.URL, error) {
	u, err := checkURL(issuer, true)
	switch {
	case err != nil:
		return nil, err
	case strings.Contains(issuer, "?"):
		return nil, errors.New("must have no query")
	case strings.HasSuffix(issuer, wellKnown): // it is what admin pages show
		return nil, errors.New("must be without " + wellKnown)
	case u.String() != issuer: // it would be compared with tokens in one spelling and be asked in another
		return nil, fmt.Errorf("must be spelt as %q", u.String())
	}
	return u, nil
}

// maxURL is how long a URL may be.
const maxURL = 2048

// checkURL reads the URL of something that this server or its users' browsers talk to. loopback: it may be on this machine,
// where it may be http.
func checkURL(text string, loopback bool) (*url.URL, error) {
	u, err := url.Parse(text)
	local := err == nil && site.Loopback(u.Host)
	switch {
	case text == "":
		return nil, errors.New("is missing, or no text")
	case err != nil || len(text) > maxURL || !visible(text):
		return nil, errors.New("isn't a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("must be https")
	case u.Opaque != "" || u.Hostname() == "" || u.User != nil:
		return nil, errors.New("must have a host, and no user")
	case strings.Contains(text, "#"):
		return nil, errors.New("must have no fragment")
	case local && !loopback: // a provider elsewhere has no business with what this server runs for itself
		return nil, errors.New("is on loopback, where the issuer isn't")
	case u.Scheme == "http" && !local:
		return nil, errors.New("must be https (http is for loopback only)")
	}
	return u, checkHost(u.Hostname())
}

// checkHost refuses addresses that no provider has, and every spelling that net/http or a resolver reads as another host than
// the one that was looked at here.
func checkHost(host string) error {
	addr, err := netip.ParseAddr(host)
	switch addr = addr.Unmap(); {
	case addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsUnspecified() || addr.Zone() != "":
		return errors.New("is on an address that no provider has")
	case err == nil:
		return nil
	}
	// net/http folds what isn't ASCII: digits of full width become an address. C libraries read 127.1 as one.
	if err := site.CheckName(strings.ToLower(host)); err != nil {
		return fmt.Errorf("must have another host: %w", err)
	}
	return nil
}
