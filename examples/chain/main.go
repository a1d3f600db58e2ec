// Chain is one server for three kinds of callers: services with tokens, local users with passwords, and the people of two
// OpenID Providers. Its routes know nothing of that: each names what it needs, once.
//
//	$ export AUTH_ADMIN_PASSWORD=correct-horse-battery AUTH_TOKEN=robots-have-no-password-43aef1
//	$ go run ./examples/chain &
//
// A service sends its token. It has a name only so that people can tell it apart. It may read the board, and nothing else.
//
//	$ curl 127.0.0.1:8080/board                                                                  # 401
//	{"error":"You need to sign in to continue.","code":"unauthorized"}
//	$ curl -H "Authorization: Bearer $AUTH_TOKEN" 127.0.0.1:8080/board                           # 200
//	the board, for Anonymous Thebe
//	$ curl -H "Authorization: Bearer $AUTH_TOKEN" -X PUT 127.0.0.1:8080/board                    # 403
//	{"error":"You are not allowed to do this.","code":"forbidden"}
//	$ curl -H "Authorization: Bearer $AUTH_TOKEN" 127.0.0.1:8080/auth/users                      # 403
//	{"error":"You are not allowed to do this.","code":"forbidden"}
//	$ curl -H "Authorization: Bearer guessed" 127.0.0.1:8080/board                               # 401
//	{"error":"You need to sign in to continue.","code":"unauthorized"}
//
// A local user has a password, and an account: a name to be shown, sessions, API tokens.
//
//	$ curl -c jar -H "Content-Type: application/json" -d '{"username":"admin","password":"correct-horse-battery"}' 127.0.0.1:8080/auth/login # 200
//	{"status":"success"}
//	$ curl -b jar -X PUT 127.0.0.1:8080/board                                                    # 200
//	the board, for admin
//	$ curl -b jar 127.0.0.1:8080/auth/links                                                      # 200
//	{"items":[],"next":""}
//	$ curl -b jar -X POST -H "Content-Type: application/json" 127.0.0.1:8080/auth/logout         # 204
//	$ curl -b jar 127.0.0.1:8080/board                                                           # 401
//	{"error":"You need to sign in to continue.","code":"unauthorized"}
//
// For the rest open http://127.0.0.1:8080/ in a browser. The sign-in page leads to the two providers, which this program
// starts itself and which ask for no password: choose who you are.
//
//   - alice of "Corp" is in its group of admins, which the configuration maps to the role admin here. She manages the users at
//     /auth/users, like the local admin. What is about an account of this server, /auth/me and /auth/sessions, refuses her: she
//     has none.
//   - bob of "Corp" reads the board. Whoever of "Partner" comes may not even do that.
//   - The local admin can link a sign-in of a provider at /auth/links, and from then on sign in there, too.
//   - Whoever is known by the provider alone signs out there, too. A sign-out at the provider ends every session that began
//     there, a linked account's as well, whatever it has open.
//
// With providers of your own, whose client IDs and secrets come from the environment:
//
//	$ export CORP_CLIENT_ID=… CORP_CLIENT_SECRET=…
//	$ go run ./examples/chain -issuer corp=https://id.corp.example
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	addr := flag.String("addr", "127.0.0.1:8080", "`host:port` to listen on")
	public := flag.String("public-url", "", "the `URL` that browsers use; empty: that of -addr")
	file := flag.String("db", "chain.db", "the SQLite `file` with the users and sessions")
	var given []issuer
	const issuerHelp = "a provider, as `name=URL`; NAME_CLIENT_ID and NAME_CLIENT_SECRET are in the environment"
	flag.Func("issuer", issuerHelp, func(text string) error {
		i, err := parseIssuer(text)
		given = append(given, i)
		return err
	})
	flag.Parse()
	if *public == "" {
		*public = "http://" + *addr
	}
	providers := own(given)
	if len(given) == 0 {
		pretended, err := pretend(*public)
		if err != nil {
			return err
		}
		defer pretended.Close()
		providers = pretended.providers()
	}
	db, err := userauth.OpenSQLite(*file)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	s, err := newServer(ctx, settings{
		auth: auth.Config{PublicURL: *public}, db: db, providers: providers,
		adminPassword: os.Getenv("AUTH_ADMIN_PASSWORD"), token: os.Getenv("AUTH_TOKEN"),
	})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	log.Print("open ", *public)
	return serve(ctx, *addr, routes(s.chain, s.users, s.sso))
}

// serve ends when ctx does.
func serve(ctx context.Context, addr string, h http.Handler) error {
	server := &http.Server{Addr: addr, Handler: h, ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		stopped <- server.Shutdown(within)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
