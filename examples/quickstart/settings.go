package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/ostiary/auth/internal/dburl"
)

// settings are the flags.
type settings struct {
	addr         string
	mode         string
	db           dburl.Database
	token        string
	issuer       string
	clientID     string
	clientSecret string
	audience     string
	publicURL    string
	insecureHTTP bool
}

// usageError is a flag that can't be meant.
type usageError struct{ error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

var errHelp = errors.New("help was asked for")

func parseSettings(args []string, stdout io.Writer) (settings, error) {
	var s settings
	var db string
	f := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	f.SetOutput(io.Discard) // one line is enough
	f.StringVar(&s.addr, "addr", "127.0.0.1:8888", "`host:port` to listen on; port 0 picks one")
	f.StringVar(&s.mode, "auth", "user", "who guards the notebook: `user, token, noauth or oidc`")
	f.StringVar(&db, "db", "sqlite:quickstart.db", "the `URL` of the database with the users: "+dburl.Forms+"; a file is made where there is none, "+
		"and its first user, admin, gets the password in AUTH_ADMIN_PASSWORD, or one that is made up")
	f.StringVar(&s.token, "token", "", "the shared `token`; better in AUTH_TOKEN or AUTH_TOKEN_FILE, where ps doesn't show it; without any, one is made up")
	f.StringVar(&s.issuer, "issuer", "", "the `URL` of the OpenID Provider, as it calls itself; there this server's redirect URI is "+
		"the public URL with /auth/callback/provider")
	f.StringVar(&s.clientID, "client-id", "", "this server's `name` at the provider")
	f.StringVar(&s.clientSecret, "client-secret", "", "its `secret` there; better in AUTH_CLIENT_SECRET, where ps doesn't show it; "+
		"without any it is a public client")
	f.StringVar(&s.audience, "audience", "", "take the provider's access tokens for this `name`; without one, those for the public URL")
	f.StringVar(&s.publicURL, "public-url", "", "the `URL` at which browsers reach the notebook; its path is where it is mounted")
	f.BoolVar(&s.insecureHTTP, "insecure-http", false, "serve other machines without TLS: whoever can read the network can take over sessions")
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		f.SetOutput(stdout)
		f.Usage()
		return s, errHelp
	case err != nil:
		return s, usageError{err}
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case f.NArg() > 0:
		return s, usage("want flags only, got an argument") // not repeated: it may be a token that lost its flag
	case !slices.Contains([]string{"user", "token", "noauth", "oidc"}, s.mode):
		return s, usage("-auth %q: there are user, token, noauth and oidc", s.mode)
	case given["db"] && s.mode != "user" && s.mode != "oidc":
		return s, usage("-db: needs -auth user or -auth oidc")
	case (given["issuer"] || given["client-id"] || given["client-secret"] || given["audience"]) && s.mode != "oidc":
		return s, usage("-issuer, -client-id, -client-secret and -audience: need -auth oidc")
	case s.mode == "oidc" && (s.issuer == "" || s.clientID == ""):
		return s, usage("-auth oidc: needs -issuer and -client-id")
	case given["client-secret"] && s.clientSecret == "":
		return s, usage("-client-secret is empty: leave it out for a public client")
	case given["token"] && s.mode != "token":
		return s, usage("-token: needs -auth token")
	case given["token"] && s.token == "":
		return s, usage("-token is empty: leave it out to have one made up, or let everybody in with -auth noauth")
	case given["public-url"] && s.publicURL == "":
		return s, usage("-public-url is empty")
	}
	if s.db, err = dburl.Parse(db); err != nil {
		return s, usage("-db: %w", err)
	}
	return s, nil
}

// listen opens the address, unless what is said there could be read on the network.
func (s settings) listen() (net.Listener, error) {
	addr, err := net.ResolveTCPAddr("tcp", s.addr)
	if err != nil {
		return nil, usage("-addr: %w", err)
	}
	// The resolved address is judged and the same one listened on: a name can't mean one now and another then.
	if !addr.IP.IsLoopback() && !s.https() && !s.insecureHTTP {
		return nil, usage("-addr %q can be reached from other machines, and without TLS others on the network can read what is sent: "+
			"set -public-url to the https address that browsers use, or give -insecure-http", s.addr)
	}
	l, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("-addr: %w", err)
	}
	return l, nil
}

func (s settings) https() bool {
	return len(s.publicURL) >= len("https://") && strings.EqualFold(s.publicURL[:len("https://")], "https://")
}

// base is the path at which the notebook is mounted, as browsers spell it. The URL has been checked.
func (s settings) base() string {
	u, err := url.Parse(s.publicURL)
	if err != nil {
		return "" // unreachable: auth.New has taken it
	}
	return strings.TrimSuffix(u.EscapedPath(), "/")
}

// openURL is the address to open, of what listens at addr.
func (s settings) openURL(addr *net.TCPAddr) string {
	if s.publicURL != "" {
		return strings.TrimSuffix(s.publicURL, "/") + "/"
	}
	ip := addr.IP.String()
	if addr.IP.IsUnspecified() {
		ip = "127.0.0.1" // on all interfaces: from here by this one
	}
	return "http://" + net.JoinHostPort(ip, fmt.Sprint(addr.Port)) + "/"
}
