package userauth_test

import (
	"io"
	"net/http"
	"testing"
)

// S-05: a request that was let in and takes its time is no way to stay: what its session could do ends with the session.
func TestARequestThatOutlivesItsSession(t *testing.T) {
	t.Parallel()
	for name, request := range map[string][3]string{
		"a change of the password": {http.MethodPost, "/auth/password", `{"current":"` + sitePassword + `","new":"` + nextPassword + `"}`},
		"a change of the profile":  {http.MethodPatch, "/auth/me", `{"name":"Mallory"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.add("alice", nil)
			b, other := s.in("alice"), s.in("alice")
			thief := b.copy()
			hash := s.hashOf("alice")
			body, in := io.Pipe()
			done := make(chan answer)
			go func() {
				done <- thief.json(request[0], request[1], "", func(r *http.Request) { r.Body, r.ContentLength = body, -1 })
			}()
			io.WriteString(in, request[2][:5]) // returns when it is read: the guard has let the request in
			b.post("/auth/logout", nil)
			io.WriteString(in, request[2][5:])
			in.Close()
			refused(t, name, <-done, http.StatusUnauthorized)
			if s.hashOf("alice") != hash {
				t.Error("the password was changed")
			}
			if got := other.me().Identity.Name; got != "alice" {
				t.Errorf("got the name %q, or the other session has ended", got)
			}
		})
	}
}
