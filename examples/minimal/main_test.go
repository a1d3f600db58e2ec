package main

import (
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/authtest"
	"github.com/ostiary/auth/examples/internal/curl"
	"github.com/ostiary/auth/tokenauth"
)

func TestSession(t *testing.T) {
	t.Parallel()
	const reader = "b1c5a3e708d9b6f4e2c1a503774d8be9521c6a0f"
	a, err := tokenauth.New(t.Context(), tokenauth.Config{
		Token:  "0f6a1c52e9b84d7730a5c1e2f4b6d809e7a3c5b1",
		Tokens: []tokenauth.Token{{Name: "reader", Token: reader, Permissions: auth.Permissions{"note": {"read"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	curl.Play(t, "main.go", routes(a), map[string]string{"READER_TOKEN": reader})
}

func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	authtest.Audit(t, routes(authtest.Nobody()), "* /auth/*")
}
