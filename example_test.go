package auth_test

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ostiary/auth"
)

// The examples are one small application. exampleBackend knows two people by a token that they send along.
type exampleBackend struct{}

func (exampleBackend) Identify(r *http.Request) (*auth.Identity, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !ok:
		return nil, auth.ErrNoCredentials
	case token == "ann-token": // a real backend compares hashes, in constant time
		return &auth.Identity{ID: "user:1", Explicit: true, User: auth.User{Username: "ann"}, Roles: []string{"editor"}}, nil
	case token == "ben-token":
		return &auth.Identity{ID: "user:2", Explicit: true, User: auth.User{Username: "ben"}, Permissions: auth.Permissions{"contents": {"read"}}}, nil
	}
	return nil, auth.ErrInvalidCredentials
}

func exampleAuth() auth.Auth {
	a, err := auth.New(auth.Config{
		Roles:  map[string]auth.Role{"editor": {Permissions: auth.Permissions{"contents": {"read", "write"}}}},
		Logger: slog.New(slog.DiscardHandler), // denials would go to slog.Default
	}, exampleBackend{})
	if err != nil {
		log.Fatal(err)
	}
	return a
}

// exampleGet asks h as curl would, and prints the answer.
func exampleGet(h http.Handler, token string) {
	r := httptest.NewRequest("GET", "/", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
}

// A backend of one method is all that a third party must write. New makes a guard of it.
func ExampleNew() {
	backend := auth.BackendFunc(func(r *http.Request) (*auth.Identity, error) {
		name := r.Header.Get("X-Remote-User") // set by a proxy that this server alone is reachable through
		if name == "" {
			return nil, auth.ErrNoCredentials
		}
		return &auth.Identity{ID: "proxy:" + name, User: auth.User{Username: name}}, nil
	})
	a, err := auth.New(auth.Config{PublicURL: "https://app.example"}, backend)
	if err != nil {
		log.Fatal(err)
	}
	hello := a.CurrentUser(nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom(r.Context())
		fmt.Fprintf(w, "hello %s", user.DisplayName)
	}))

	r := httptest.NewRequest("GET", "https://app.example/", nil)
	r.Header.Set("X-Remote-User", "ann")
	w := httptest.NewRecorder()
	hello.ServeHTTP(w, r)
	fmt.Println(w.Body)

	_, err = auth.New(auth.Config{TrustedOrigins: []string{"*"}}, backend)
	fmt.Println(err != nil)
	// Output:
	// hello ann
	// true
}

// All of the required permissions are needed.
func ExampleAuth_CurrentUser() {
	a := exampleAuth()
	edit := a.CurrentUser(auth.Permissions{"contents": {"read", "write"}})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "saved")
	}))
	exampleGet(edit, "ann-token")
	exampleGet(edit, "ben-token")
	exampleGet(edit, "")
	// Output:
	// 200 saved
	// 403 {"error":"You are not allowed to do this.","code":"forbidden"}
	// 401 {"error":"You need to sign in to continue.","code":"unauthorized"}
}

// Any of the required permissions is enough for a socket. The handler learns which are held; the socket ends with the
// session.
func ExampleAuth_WebSocketAuth() {
	a := exampleAuth()
	room := a.WebSocketAuth(auth.Permissions{"contents": {"read", "write"}})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := auth.Accept(w, r, nil)
		if err != nil {
			return // Accept has answered
		}
		readOnly := !auth.CheckedPermissions(r.Context()).Has("contents", "write")
		for {
			kind, text, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			if readOnly {
				continue
			}
			if err := conn.Write(r.Context(), kind, text); err != nil {
				return
			}
		}
	}))
	http.Handle("GET /room", room)
}

func ExampleRequireRole() {
	a := exampleAuth()
	desk := auth.RequireRole(a, "editor", "admin")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "the editors' desk")
	}))
	exampleGet(desk, "ann-token")
	exampleGet(desk, "ben-token")
	// Output:
	// 200 the editors' desk
	// 403 {"error":"You are not allowed to do this.","code":"forbidden"}
}

func ExampleMe() {
	me := auth.Me(exampleAuth())
	r := httptest.NewRequest("GET", `/api/me?permissions={"contents":["read","write"]}`, nil)
	r.Header.Set("Authorization", "Bearer ben-token")
	w := httptest.NewRecorder()
	me.ServeHTTP(w, r)
	fmt.Print(w.Body)
	// Output:
	// {"identity":{"username":"ben","name":"ben","display_name":"ben","initials":null,"avatar_url":null,"color":null},"permissions":{"contents":["read"]}}
}

func ExampleParsePermissions() {
	p, err := auth.ParsePermissions("contents:read,write kernels/*:*")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Has("contents", "write"), p.Has("contents", "delete"), p.Has("kernels/python", "restart"), p.Has("kernels", "restart"))

	_, err = auth.ParsePermissions("con*ts:read")
	fmt.Println(err)
	// Output:
	// true false true false
	// auth: resource "con*ts": has a misplaced *
}

// A decision that depends on the request is made inside the handler.
func ExampleCan() {
	a := exampleAuth()
	page := a.CurrentUser(auth.Permissions{"contents": {"read"}})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		edit, err := auth.Can(r.Context(), "contents", "write")
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "edit button: %t", edit)
	}))
	exampleGet(page, "ann-token")
	exampleGet(page, "ben-token")
	// Output:
	// 200 edit button: true
	// 200 edit button: false
}
