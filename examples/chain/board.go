package main

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"

	"github.com/ostiary/auth"
)

// routes protects each route once, whoever may call.
func routes(a auth.Auth, users, sso auth.Plugin) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/auth/", users.Routes())
	mux.Handle("/sso/", sso.Routes())
	mux.Handle("GET /{$}", a.CurrentUser(nil)(home(users)))
	mux.Handle("/api/me", auth.Me(a))
	mux.Handle("GET /board", a.CurrentUser(auth.Permissions{"board": {"read"}})(http.HandlerFunc(board)))
	mux.Handle("PUT /board", a.CurrentUser(auth.Permissions{"board": {"read", "write"}})(http.HandlerFunc(board)))
	mux.Handle("GET /live", a.WebSocketAuth(auth.Permissions{"board": {"read"}})(http.HandlerFunc(live)))
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

var homePage = template.Must(template.New("home").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Chain</title>
<h1>Hello, {{.Name}}</h1>
<p>Here you are <code>{{.ID}}</code>.</p>
<ul>
{{if .Reads}}<li><a href="/board">The board</a></li>
{{end}}{{if .Account}}<li><a href="/auth/me">Your account</a></li>
<li><a href="/auth/links">Your sign-ins</a></li>
{{end}}{{if .Admin}}<li><a href="/auth/users">The users</a></li>
{{end}}</ul>
{{with .Logout}}<form method="post" action="{{.}}"><button>Sign out</button></form>{{end}}
</html>
`))

// home shows what somebody may do here.
func home(users auth.Auth) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		id, _ := auth.IdentityFrom(ctx)
		reads, err := auth.Can(ctx, "board", "read")
		admin, adminErr := auth.Can(ctx, "admin", "read")
		if errors.Join(err, adminErr) != nil {
			http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = homePage.Execute(w, map[string]any{ // fails when the client is gone: nobody is left to be told
			"Name": id.User.DisplayName, "ID": id.ID, "Reads": reads, "Admin": admin,
			"Account": auth.IdentifiedBy(ctx, users), "Logout": auth.LogoutURL(ctx),
		})
	}
}
