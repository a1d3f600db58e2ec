// Authenticator is a server whose users are in a directory, such as an LDAP server's: they log in at the form of the
// package userauth with the directory's passwords, and have sessions like all others. The directory of this program
// (people.go) is made up; ldap.go, which asks it, is what a server with a real one has as well.
//
//	$ go run ./examples/authenticator &
//
//	$ curl 127.0.0.1:8080/note                                                                   # 401
//	{"error":"You need to sign in to continue.","code":"unauthorized"}
//	$ curl -c jar -H "Content-Type: application/json" -d '{"username":"ada","password":"correct-horse-7"}' 127.0.0.1:8080/auth/login # 200
//	{"status":"success"}
//	$ curl -b jar 127.0.0.1:8080/note                                                            # 200
//	a note for Ada Lovelace
//	$ curl -b jar -X PUT 127.0.0.1:8080/note                                                     # 200
//	a note for Ada Lovelace
//
// Bob is not in the group of the editors. Eve has left, so her password is as good as a wrong one. No name is more than a
// name: a wildcard finds nobody. And an empty password proves nothing, although many a directory takes it for a guest's.
//
//	$ curl -c jar -H "Content-Type: application/json" -d '{"username":"bob","password":"battery-staple-8"}' 127.0.0.1:8080/auth/login # 200
//	{"status":"success"}
//	$ curl -b jar 127.0.0.1:8080/note                                                            # 200
//	a note for Bob Byron
//	$ curl -b jar -X PUT 127.0.0.1:8080/note                                                     # 403
//	{"error":"You are not allowed to do this.","code":"forbidden"}
//	$ curl -H "Content-Type: application/json" -d '{"username":"eve","password":"left-last-year-9"}' 127.0.0.1:8080/auth/login # 401
//	{"error":"That was not right. Try again.","code":"unauthorized"}
//	$ curl -H "Content-Type: application/json" -d '{"username":"a*","password":"correct-horse-7"}' 127.0.0.1:8080/auth/login # 401
//	{"error":"That was not right. Try again.","code":"unauthorized"}
//	$ curl -H "Content-Type: application/json" -d '{"username":"ada","password":""}' 127.0.0.1:8080/auth/login # 401
//	{"error":"That was not right. Try again.","code":"unauthorized"}
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "the address to listen on")
	file := flag.String("db", "authenticator.db", "the SQLite file with the sessions")
	flag.Parse()
	db, err := userauth.OpenSQLite(*file)
	if err != nil {
		log.Fatal(err)
	}
	users, err := newUsers(context.Background(), auth.Config{}, db, people)
	if err != nil {
		log.Fatal(err)
	}
	server := http.Server{Addr: *addr, Handler: routes(users), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// newUsers puts the directory behind the login form. The database holds the sessions, and users of its own if there are
// any: the directory isn't asked about their names.
func newUsers(ctx context.Context, cfg auth.Config, db *sqlx.DB, d directory) (*userauth.Auth, error) {
	return userauth.New(ctx, userauth.Config{
		Auth: cfg,
		DB:   db,
		Authenticators: []userauth.Authenticator{&ldap{
			directory: d,
			server:    "ldap.example",
			groups:    map[string]auth.Permissions{"editors": {"note": {"read", "write"}}, "readers": {"note": {"read"}}},
		}},
	})
}

func routes(a auth.Plugin) http.Handler {
	note := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom(r.Context())
		_, _ = fmt.Fprintf(w, "a note for %s\n", user.DisplayName)
	})
	mux := http.NewServeMux()
	mux.Handle("/auth/", a.Routes()) // the login page
	mux.Handle("GET /note", a.CurrentUser(auth.Permissions{"note": {"read"}})(note))
	mux.Handle("PUT /note", a.CurrentUser(auth.Permissions{"note": {"write"}})(note))
	return mux
}
