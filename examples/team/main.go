// Team is a server that runs several times over one PostgreSQL: whoever signs out at one instance is signed out at all,
// within a second, and whatever they had open there ends. What keeps the instances in step is the database; they don't
// know each other.
//
//	$ createdb team
//	$ export AUTH_ADMIN_PASSWORD=correct-horse-battery AUTH_DB_URI=postgres://127.0.0.1/team
//	$ go run ./examples/team -addr 127.0.0.1:8081 &
//	$ go run ./examples/team -addr 127.0.0.1:8082 &
//	$ go run ./examples/team -addr 127.0.0.1:8080 -balance 127.0.0.1:8081,127.0.0.1:8082 &
//
// The third is the team's load balancer: each request goes to the next instance. The first instance that starts has made
// the admin.
//
//	$ curl 127.0.0.1:8080/board                                                                  # 401
//	{"error":"You need to sign in to continue.","code":"unauthorized"}
//	$ curl -c jar -H "Content-Type: application/json" -d '{"username":"admin","password":"correct-horse-battery"}' 127.0.0.1:8080/auth/login # 200
//	{"status":"success"}
//	$ curl -b jar 127.0.0.1:8080/board                                                           # 200
//	the board, for admin
//	$ curl -b jar 127.0.0.1:8080/board                                                           # 200
//	the board, for admin
//	$ curl -b jar -X POST -H "Content-Type: application/json" 127.0.0.1:8080/auth/logout         # 204
//
// Only one instance was asked to sign out. The other one soon refuses as well:
//
//	$ curl -b jar 127.0.0.1:8080/board                                                           # 401, within a second
//	{"error":"You need to sign in to continue.","code":"unauthorized"}
//	$ curl -b jar 127.0.0.1:8080/board                                                           # 401, within a second
//	{"error":"You need to sign in to continue.","code":"unauthorized"}
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/jmoiron/sqlx"

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
	addr := flag.String("addr", "127.0.0.1:8081", "`host:port` to listen on")
	public := flag.String("public-url", "http://127.0.0.1:8080", "the `URL` that browsers use: the load balancer's")
	db := flag.String("db", "", "the `URL` of the PostgreSQL database, postgres://…; better in AUTH_DB_URI, where ps doesn't show its password")
	balance := flag.String("balance", "", "be the load balancer of these `addresses`, with commas between them, and nothing else")
	flag.Parse()
	if *balance != "" {
		return serve(ctx, *addr, balancer(strings.Split(*balance, ",")...))
	}
	return instance(ctx, *addr, *public, cmp.Or(*db, os.Getenv("AUTH_DB_URI"))) // no default of the flag: -h would print the password
}

// instance serves the team until ctx ends.
func instance(ctx context.Context, addr, public, uri string) error {
	if uri == "" {
		return errors.New("give -db or set AUTH_DB_URI") // the driver would take whatever database is near
	}
	db, err := sqlx.Open("pgx", uri)
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	defer func() { _ = db.Close() }()
	users, err := newUsers(ctx, db, listen(ctx, db), auth.Config{PublicURL: public, TrustedProxies: []string{"127.0.0.1/32"}})
	if err != nil {
		return err
	}
	defer func() { _ = users.Close() }()
	return serve(ctx, addr, routes(users))
}

// newUsers is an instance's way to the users of all instances. The first one makes the first admin, whose password comes
// from the environment; afterwards the variable means nothing.
func newUsers(ctx context.Context, db *sqlx.DB, wake <-chan struct{}, cfg auth.Config) (*userauth.Auth, error) {
	users, err := userauth.New(ctx, userauth.Config{Auth: cfg, DB: db, Wake: wake})
	if err != nil {
		return nil, err
	}
	password := os.Getenv("AUTH_ADMIN_PASSWORD")
	if password == "" {
		return users, nil
	}
	_, _, err = users.Accounts().FirstAdmin(ctx, "admin", password, auth.Permissions{"board": {"*"}, "admin": {"*"}})
	if err != nil {
		_ = users.Close() // the first error is the one to tell
		return nil, err
	}
	return users, nil
}

func routes(a auth.Plugin) http.Handler {
	read := auth.Permissions{"board": {"read"}}
	mux := http.NewServeMux()
	mux.Handle("/auth/", a.Routes())
	mux.Handle("GET /board", a.CurrentUser(read)(http.HandlerFunc(board)))
	mux.Handle("GET /live", a.WebSocketAuth(read)(http.HandlerFunc(live)))
	return mux
}

func board(w http.ResponseWriter, r *http.Request) {
	user, _ := auth.UserFrom(r.Context())
	_, _ = fmt.Fprintf(w, "the board, for %s\n", user.DisplayName)
}

// live stays open for as long as the session does, wherever that ends.
func live(w http.ResponseWriter, r *http.Request) {
	conn, err := auth.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil {
			return // signed out, or gone
		}
		if conn.Write(r.Context(), kind, message) != nil {
			return
		}
	}
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
