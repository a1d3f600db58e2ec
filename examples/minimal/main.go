// Minimal guards a note with a shared token; a second token may only read it.
//
//	$ export AUTH_TOKEN=$(openssl rand -hex 24) READER_TOKEN=$(openssl rand -hex 24)
//	$ go run ./examples/minimal &
//
//	$ curl 127.0.0.1:8080/note                                                # 401
//	{"error":"You need to sign in to continue.","code":"unauthorized"}
//	$ curl -X PUT -H "Authorization: Bearer $READER_TOKEN" 127.0.0.1:8080/note # 403
//	{"error":"You are not allowed to do this.","code":"forbidden"}
//	$ curl -H "Authorization: Bearer $READER_TOKEN" 127.0.0.1:8080/note       # 200
//	a note for Anonymous Elara
//
// A browser is sent to the login page, or opens http://127.0.0.1:8080/note?token=… once.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/tokenauth"
)

func main() {
	reader := tokenauth.Token{Name: "reader", Token: os.Getenv("READER_TOKEN"), Permissions: auth.Permissions{"note": {"read"}}}
	a, err := tokenauth.New(context.Background(), tokenauth.Config{Tokens: []tokenauth.Token{reader}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.StartURL("http://127.0.0.1:8080/note"))
	server := http.Server{Addr: "127.0.0.1:8080", Handler: routes(a), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
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
