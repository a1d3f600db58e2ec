// Quickstart serves a shared notebook: people log in, see each other's name and colour, and edit a note together. Users
// and sessions are in the file quickstart.db. Without AUTH_ADMIN_PASSWORD the first start makes up a password for the user
// admin, and prints it below the address.
//
//	$ export AUTH_ADMIN_PASSWORD=purple-otter-crosses-43
//	$ go run ./examples/quickstart
//	http://127.0.0.1:8888/
//
//	$ curl -i http://127.0.0.1:8888/api/contents/demo
//	HTTP/1.1 401 Unauthorized
//	{"error":"You need to sign in to continue.","code":"unauthorized"}
//
//	$ curl -i -c jar -H 'Content-Type: application/json' -d '{"username":"admin","password":"guess"}' http://127.0.0.1:8888/auth/login
//	HTTP/1.1 401 Unauthorized
//	{"error":"That was not right. Try again.","code":"unauthorized"}
//
//	$ curl -c jar -H 'Content-Type: application/json' -d '{"username":"admin","password":"purple-otter-crosses-43"}' http://127.0.0.1:8888/auth/login
//	{"status":"success"}
//
//	$ curl -i -b jar http://127.0.0.1:8888/api/contents/demo
//	HTTP/1.1 404 Not Found
//	{"error":"There is no such note.","code":"not_found"}
//
//	$ curl -i -b jar -X PUT -H 'Content-Type: application/json' -d '{"text":"Hello"}' http://127.0.0.1:8888/api/contents/demo
//	HTTP/1.1 200 OK
//	{"name":"demo","text":"Hello"}
//
//	$ curl -b jar http://127.0.0.1:8888/api/contents/demo
//	{"name":"demo","text":"Hello"}
//
//	$ curl -b jar 'http://127.0.0.1:8888/api/me?permissions={"contents":["read"]}' --globoff
//	{"identity":{…},"permissions":{"contents":["read"],"updatable_fields":["name","display_name","initials","avatar_url","color"]}}
//
//	$ curl -b jar http://127.0.0.1:8888/auth/sessions
//	{"items":[{…}],"next":""}
//
//	$ curl -i -b jar -X DELETE http://127.0.0.1:8888/api/contents/demo
//	HTTP/1.1 204 No Content
//
//	$ curl -i -b jar -X POST http://127.0.0.1:8888/auth/logout
//	HTTP/1.1 204 No Content
//
//	$ curl -i -b jar http://127.0.0.1:8888/api/contents/demo
//	HTTP/1.1 401 Unauthorized
//	{"error":"You need to sign in to continue.","code":"unauthorized"}
//
//	$ curl http://127.0.0.1:8888/healthz
//	ok
//
// Further users come from the command useradmin, while this runs: what it changes acts within a second, here and in every
// other program over the same file. With -auth token people need no names: whoever opens the link with the token is a guest.
// With -auth oidc they sign in at an OpenID Provider; the first line of the log has what to register there.
//
// The application is the package notebook; this program chooses who guards it and where it listens. Logs go to stderr.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program; the result is its exit code. It ends with ctx.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parseSettings(args, stdout)
	if err == nil {
		err = serve(ctx, s, stdout, slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug})))
	}
	var usage usageError
	switch {
	case err == nil, errors.Is(err, errHelp):
		return 0
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(stderr, "quickstart: %v (-h lists the flags)\n", err)
		return 2
	}
	_, _ = fmt.Fprintf(stderr, "quickstart: %v\n", err)
	return 1
}
