// Custombackend is a server behind a proxy that logs people in and says who they are in a header. Its backend
// (backend.go) has one method. Here curl plays the proxy, since it sends from the proxy's address. (Passwords that are
// kept elsewhere, in an LDAP server, need no backend of their own: see examples/authenticator.)
//
//	$ go run ./examples/custombackend -proxy 127.0.0.1 -editor ada -public-url http://127.0.0.1:8080 &
//
//	$ curl 127.0.0.1:8080/note                                                   # 401
//	{"error":"You need to sign in to continue.","code":"unauthorized"}
//	$ curl -H "X-Forwarded-User: bob" 127.0.0.1:8080/note                        # 200
//	a note for bob
//	$ curl -X PUT -H "X-Forwarded-User: bob" 127.0.0.1:8080/note                 # 403
//	{"error":"You are not allowed to do this.","code":"forbidden"}
//	$ curl -X PUT -H "X-Forwarded-User: ada" 127.0.0.1:8080/note                 # 200
//	a note for ada
//
// What the proxy never sends is refused: another spelling of the header, two of them. So is what a page of another site
// makes a browser send, under that page's origin or, where its name is made to point here, under its name:
//
//	$ curl -H "X_Forwarded_User: ada" 127.0.0.1:8080/note                        # 401
//	{"error":"You need to sign in to continue.","code":"unauthorized"}
//	$ curl -H "X-Forwarded-User: ada" -H "X-Forwarded-User: bob" 127.0.0.1:8080/note # 401
//	{"error":"You need to sign in to continue.","code":"unauthorized"}
//	$ curl -X PUT -H "X-Forwarded-User: ada" -H "Origin: https://evil.example" 127.0.0.1:8080/note # 403
//	{"error":"You are not allowed to do this.","code":"forbidden"}
//	$ curl -H "X-Forwarded-User: ada" -H "Host: evil.example" 127.0.0.1:8080/note # 403
//	{"error":"You are not allowed to do this.","code":"forbidden"}
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/ostiary/auth"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "the address to listen on: one that only the proxy can reach")
	proxies := flag.String("proxy", "", "the addresses or prefixes that the proxy sends from, with commas")
	editors := flag.String("editor", "", "the users who may write, with commas")
	publicURL := flag.String("public-url", "", "the address that browsers use")
	flag.Parse()
	handler, err := newHandler(auth.Config{PublicURL: *publicURL}, list(*proxies), list(*editors))
	if err != nil {
		log.Fatal(err)
	}
	server := http.Server{Addr: *addr, Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}

func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func newHandler(cfg auth.Config, proxies, editors []string) (http.Handler, error) {
	// Who trusts where a request comes from must know its own name: the guard compares Host with it. Else a foreign page
	// whose name is made to point at this machine (DNS rebinding) could send the header itself, from a browser here.
	if cfg.PublicURL == "" {
		return nil, errors.New("no public URL")
	}
	held := map[string]auth.Permissions{}
	for _, name := range editors {
		held[name] = auth.Permissions{"note": {"write"}}
	}
	backend, err := newProxyHeader(proxies, held)
	if err != nil {
		return nil, err
	}
	a, err := auth.New(cfg, backend)
	if err != nil {
		return nil, err
	}
	return routes(a), nil
}

func routes(a auth.Auth) http.Handler {
	note := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom(r.Context())
		_, _ = fmt.Fprintf(w, "a note for %s\n", user.DisplayName)
	})
	mux := http.NewServeMux()
	mux.Handle("GET /note", a.CurrentUser(nil)(note))
	mux.Handle("PUT /note", a.CurrentUser(auth.Permissions{"note": {"write"}})(note))
	return mux
}
