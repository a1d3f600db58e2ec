package auth_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
)

func TestWSCheckedPermissions(t *testing.T) {
	t.Parallel()
	required := auth.Permissions{"contents": {"write", "read", "delete"}, "kernels": {"execute"}, "admin": {"a", "b"}}
	for _, tc := range []struct {
		name     string
		identity auth.Identity
		required auth.Permissions
		want     auth.Permissions // nil: refused
	}{
		{"JS70 unrestricted holds all, in the order required", auth.Identity{Unrestricted: true}, required, required},
		{"W-07 partly held, in the order required", auth.Identity{Permissions: auth.Permissions{"contents": {"read", "x", "write"}}}, required,
			auth.Permissions{"contents": {"write", "read"}, "kernels": {}, "admin": {}}},
		{"a wildcard action holds all of its resource", auth.Identity{Permissions: auth.Permissions{"contents": {"*"}}}, required,
			auth.Permissions{"contents": {"write", "read", "delete"}, "kernels": {}, "admin": {}}},
		{"a wildcard resource holds all of its action", auth.Identity{Permissions: auth.Permissions{"*": {"read", "execute"}}}, required,
			auth.Permissions{"contents": {"read"}, "kernels": {"execute"}, "admin": {}}},
		{"a role adds what it names", auth.Identity{Roles: []string{"runner", "unknown"}}, required,
			auth.Permissions{"contents": {}, "kernels": {"execute"}, "admin": {}}},
		{"nil required is empty, not nil", auth.Identity{}, nil, auth.Permissions{}},
		{"nil required is empty for the unrestricted too", auth.Identity{Unrestricted: true}, nil, auth.Permissions{}},
		{"none held is refused", auth.Identity{Permissions: auth.Permissions{"other": {"read"}}}, required, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			id := tc.identity
			id.ID, id.User.Username = "user:1", "alice"
			checked := make(chan auth.Permissions, 2)
			site := wsServe(t, wsOptions{
				cfg:     auth.Config{Roles: map[string]auth.Role{"runner": {Permissions: auth.Permissions{"kernels": {"execute"}}}}},
				backend: wsOf(&id), required: tc.required, any: true,
				handler: func(w http.ResponseWriter, r *http.Request) {
					p := auth.CheckedPermissions(r.Context())
					checked <- p.Clone()
					for resource := range p {
						p[resource] = append(p[resource], "forged")
					}
					clear(p)
					checked <- auth.CheckedPermissions(r.Context())
					wsGreet(w, r)
				},
			})
			if tc.want == nil {
				site.wantClose(t, wsHandshake("/"), websocket.StatusPolicyViolation)
				return
			}
			site.wantOpen(t, wsHandshake("/"))
			for _, when := range []string{"", " after the handler changed its copy"} {
				got := <-checked
				if got == nil || !maps.EqualFunc(got, tc.want, slices.Equal) {
					t.Errorf("got %#v, want %#v%s", got, tc.want, when)
				}
				for resource, actions := range got {
					if actions == nil {
						t.Errorf("%s: got nil, want an empty list", resource)
					}
				}
			}
		})
	}
}

// The requirement that the route was built with counts, whatever its caller does to the map afterwards.
func TestWSRequirementIsCopied(t *testing.T) {
	t.Parallel()
	required := auth.Permissions{"contents": {"write"}}
	site := wsServe(t, wsOptions{required: required})
	site.wantOpen(t, wsHandshake("/", "Test-User: alice"))
	required["contents"][0] = "read"
	site.wantClose(t, wsHandshake("/", "Test-User: reader"), websocket.StatusPolicyViolation)
}

func TestWSAcceptOutsideItsGuard(t *testing.T) {
	t.Parallel()
	a := wsGuard(t, auth.Config{}, wsPeople())
	accepted := make(chan error, 1)
	accept := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := auth.Accept(w, r, nil)
		accepted <- err
		if err == nil {
			_ = conn.CloseNow()
		}
	})
	for _, tc := range []struct {
		name    string
		handler http.Handler
		status  int
		err     error
	}{
		{"behind WebSocketAuth it accepts", a.WebSocketAuth(nil)(accept), 101, nil},
		{"JS68 without a guard", accept, 500, auth.ErrNoGuard},
		{"behind CurrentUser", a.CurrentUser(nil)(accept), 500, auth.ErrNoGuard},
		{"behind OptionalUser", auth.OptionalUser(a)(accept), 500, auth.ErrNoGuard},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := httptest.NewServer(tc.handler)
			defer server.Close()
			c := wsConnect(t, server.Listener.Addr().String(), nil)
			c.send(wsHandshake("/", "Test-User: alice"))
			if got := c.response().StatusCode; got != tc.status {
				t.Errorf("got status %d, want %d", got, tc.status)
			}
			if err := <-accepted; !errors.Is(err, tc.err) {
				t.Errorf("got error %v, want %v", err, tc.err)
			}
		})
	}
	t.Run("JS68 websocket.Accept without a guard opens", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if conn, err := websocket.Accept(w, r, nil); err == nil {
				_ = conn.CloseNow()
			}
		}))
		defer server.Close()
		c := wsConnect(t, server.Listener.Addr().String(), nil)
		c.send(wsHandshake("/"))
		c.wantSwitch()
	})
}

func TestWSAcceptOptions(t *testing.T) {
	t.Parallel()
	var opts atomic.Pointer[websocket.AcceptOptions]
	const foreign, trusted = "Origin: https://foreign.example", "Origin: https://trusted.example"
	site := wsServe(t, wsOptions{
		cfg: auth.Config{TrustedOrigins: []string{"https://trusted.example"}},
		handler: func(w http.ResponseWriter, r *http.Request) {
			given := opts.Load()
			before := fmt.Sprintf("%+v", given)
			conn, err := auth.Accept(w, r, given)
			if got := fmt.Sprintf("%+v", given); got != before {
				t.Errorf("Accept changed its options from %s to %s", before, got)
			}
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.Write(r.Context(), websocket.MessageText, []byte("welcome"))
		},
	})
	t.Run("W-05 a pattern refuses nobody whom the guard lets in", func(t *testing.T) {
		opts.Store(&websocket.AcceptOptions{OriginPatterns: []string{"nobody.example"}})
		site.wantOpen(t, wsHandshake("/", "Test-User: alice", trusted))
		site.wantOpen(t, wsHandshake("/", "Test-User: explicit", foreign))
	})
	t.Run("W-05 a malformed pattern does nothing", func(t *testing.T) {
		opts.Store(&websocket.AcceptOptions{OriginPatterns: []string{"[", ""}})
		site.wantOpen(t, wsHandshake("/", "Test-User: alice", trusted))
	})
	t.Run("W-05 a pattern admits nobody whom the guard refuses", func(t *testing.T) {
		opts.Store(&websocket.AcceptOptions{OriginPatterns: []string{"*"}, InsecureSkipVerify: true})
		site.wantStatus(t, wsHandshake("/", "Test-User: alice", foreign), http.StatusForbidden)
	})
	t.Run("W-20 a subprotocol is chosen from the handler's list alone", func(t *testing.T) {
		opts.Store(&websocket.AcceptOptions{Subprotocols: []string{"b"}})
		for offered, want := range map[string]string{"a, b, token.X": "b", "token.X": "", "": ""} {
			c := site.raw(t)
			c.send(wsHandshake("/", "Test-User: alice", "Sec-WebSocket-Protocol: "+offered))
			if got := c.wantSwitch().Header.Get("Sec-Websocket-Protocol"); got != want {
				t.Errorf("offered %q: got %q, want %q", offered, got, want)
			}
		}
	})
	t.Run("compression is the handler's to choose", func(t *testing.T) {
		opts.Store(&websocket.AcceptOptions{CompressionMode: websocket.CompressionContextTakeover})
		c := site.raw(t)
		c.send(wsHandshake("/", "Test-User: alice", "Sec-WebSocket-Extensions: permessage-deflate"))
		if got := c.wantSwitch().Header.Get("Sec-Websocket-Extensions"); got == "" {
			t.Error("got no extension")
		}
	})
}

// W-22: a request's own context ends when its handler returns, and isn't to be relied upon once the connection was taken
// over. What the handler has from the guard lives exactly as long as it runs.
func TestWSContextOfTheHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler := make(chan context.Context, 1)
		returns := make(chan struct{})
		var request *http.Request
		site := wsServePipes(t, wsOptions{
			wrap: func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					request = r
					next.ServeHTTP(w, r)
				})
			},
			handler: func(w http.ResponseWriter, r *http.Request) {
				conn, err := auth.Accept(w, r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				go func() { _, _, _ = conn.Read(r.Context()) }()
				handler <- r.Context()
				<-returns
			},
		})
		c := site.raw(t)
		c.send(wsHandshake("/", "Test-User: alice"))
		c.wantSwitch()
		ctx := <-handler
		request.Header.Set("Test-User", "mallory")
		request.Header.Set("Cookie", "x")
		if user, ok := auth.UserFrom(ctx); !ok || user.Username != "alice" {
			t.Errorf("got %v %v, want alice", user, ok)
		}
		<-time.After(24 * time.Hour)
		if err := ctx.Err(); err != nil {
			t.Errorf("after an idle day the context has ended: %v", err)
		}
		close(returns)
		if code, reason := c.closeFrame(); code != websocket.StatusNormalClosure || reason != "" {
			t.Errorf("got %d %q, want 1000", code, reason)
		}
		synctest.Wait()
		if err := ctx.Err(); err != nil {
			t.Errorf("the context ended before the client answered: %v", err)
		}
		c.answerClose(websocket.StatusNormalClosure)
		c.wantEnd()
		synctest.Wait()
		if got := context.Cause(ctx); !errors.Is(got, context.Canceled) {
			t.Errorf("got cause %v, want canceled", got)
		}
	})
}

func TestWSAcceptTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		session, id := newWSSession(*wsIdentity("alice"))
		second := make(chan error, 1)
		site := wsServePipes(t, wsOptions{backend: wsOf(id), handler: func(w http.ResponseWriter, r *http.Request) {
			conn, err := auth.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			_, err = auth.Accept(w, r, nil)
			second <- err
			_, _, _ = conn.Read(r.Context())
		}})
		c := site.raw(t)
		c.send(wsHandshake("/"))
		c.wantSwitch()
		if err := <-second; err == nil {
			t.Error("the second Accept gave no error")
		}
		session.set(auth.ErrSessionEnded)
		if code, _ := c.closeFrame(); code != websocket.StatusPolicyViolation {
			t.Errorf("got %d, want 1008", code)
		}
	})
}

// A writer in between must not hide the connection from the guard.
func TestWSAcceptThroughMiddleware(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		writer func(http.ResponseWriter) http.ResponseWriter
		opens  bool
	}{
		{"one that can be unwrapped", func(w http.ResponseWriter) http.ResponseWriter { return &wsSeen{ResponseWriter: w} }, true},
		{"one that hijacks by itself", func(w http.ResponseWriter) http.ResponseWriter {
			return struct {
				http.ResponseWriter
				http.Hijacker
			}{w, w.(http.Hijacker)}
		}, true},
		{"one that can't", func(w http.ResponseWriter) http.ResponseWriter { return struct{ http.ResponseWriter }{w} }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				session, id := newWSSession(*wsIdentity("alice"))
				site := wsServePipes(t, wsOptions{backend: wsOf(id), handler: func(w http.ResponseWriter, r *http.Request) { wsGreet(tc.writer(w), r) }})
				c := site.raw(t)
				c.send(wsHandshake("/"))
				if !tc.opens {
					if got := c.response().StatusCode; got != http.StatusNotImplemented {
						t.Errorf("got %d, want 501", got)
					}
					return
				}
				c.wantWelcome()
				session.set(auth.ErrSessionEnded)
				if code, _ := c.closeFrame(); code != websocket.StatusPolicyViolation {
					t.Errorf("got %d, want 1008", code)
				}
			})
		})
	}
}

func TestWSEndedBeforeAccept(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		end  error
		code websocket.StatusCode
	}{
		{"a session that ended", auth.ErrSessionEnded, websocket.StatusPolicyViolation},
		{"a library that was closed", http.ErrServerClosed, websocket.StatusGoingAway},
		{"an outage that lasted", auth.ErrUnavailable, websocket.StatusTryAgainLater},
	} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, plain websocket.Accept: %v", tc.name, plain), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					session, id := newWSSession(*wsIdentity("alice"))
					site := wsServePipes(t, wsOptions{backend: wsOf(id), handler: func(w http.ResponseWriter, r *http.Request) {
						session.set(tc.end)
						<-r.Context().Done()
						if got := context.Cause(r.Context()); !errors.Is(got, tc.end) {
							t.Errorf("got cause %v, want %v", got, tc.end)
						}
						if plain {
							// Behind the guard's back, with a context that never ends: the connection is cut all the same.
							if conn, err := websocket.Accept(w, r, nil); err == nil {
								_, _, err = conn.Read(context.Background())
								if err == nil {
									t.Error("a socket of an ended session can be read")
								}
							}
							return
						}
						if conn, err := auth.Accept(w, r, nil); conn != nil || !errors.Is(err, tc.end) {
							t.Errorf("got %v %v, want %v", conn, err, tc.end)
						}
					}})
					c := site.raw(t)
					c.send(wsHandshake("/"))
					c.wantSwitch()
					if plain {
						c.wantEnd()
						return
					}
					if code, _ := c.closeFrame(); code != tc.code {
						t.Errorf("got %d, want %d", code, tc.code)
					}
					c.wantEnd() // without an answer
				})
			})
		}
	}
}

// A peer that reads nothing holds up the 101, too. It can't hold the handler past the end of its session.
func TestWSEndedWhileAccepting(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{false, true} {
		t.Run(fmt.Sprintf("the session ended before: %v", before), func(t *testing.T) {
			t.Parallel()
			session, id := newWSSession(*wsIdentity("alice"))
			writing, accepted := make(chan struct{}), make(chan error, 1)
			// Real time: a goroutine that waits for a lock, as the end does for Accept, lets none pass in a bubble.
			site := wsServePipes(t, wsOptions{backend: wsOf(id), handler: func(w http.ResponseWriter, r *http.Request) {
				if before {
					session.set(auth.ErrSessionEnded)
					<-r.Context().Done()
				}
				conn, err := auth.Accept(&wsHijacked{ResponseWriter: w, writes: func() { close(writing) }}, r, nil)
				if err == nil {
					_, _, err = conn.Read(context.Background())
				}
				accepted <- err
				<-r.Context().Done()
			}})
			c := site.raw(t)
			c.send(wsHandshake("/"))
			wsWait(t, writing)
			lag := wsMeasureLag(t)
			start := time.Now()
			session.set(auth.ErrSessionEnded)
			if err := wsWait(t, accepted); err == nil {
				t.Error("a socket of an ended session can be read")
			}
			wsWantShort(t, []time.Duration{time.Since(start)}, lag)
			c.wantCut()
		})
	}
}

// Between what Identify knew and the first Watch there is no gap in which an end is lost.
func TestWSEndedBetweenIdentifyAndWatch(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		end    func(*wsSession)
		opens  bool
		status int                  // of a plain refusal
		code   websocket.StatusCode // of one behind the upgrade
	}{
		{"nothing happens: opens", func(*wsSession) {}, true, 0, 0},
		{"the session ends", func(s *wsSession) { s.set(auth.ErrSessionEnded) }, false, 0, websocket.StatusPolicyViolation},
		{"the permission is lost", func(s *wsSession) { s.change(func(id *auth.Identity) { id.Permissions = nil }) }, false, 0, websocket.StatusPolicyViolation},
		{"the session passes to somebody else", func(s *wsSession) { s.change(func(id *auth.Identity) { id.ID = "user:2" }) }, false, 0, websocket.StatusPolicyViolation},
		{"the library closes", func(s *wsSession) { s.set(http.ErrServerClosed) }, false, http.StatusServiceUnavailable, 0},
		{"the session can't be checked for a moment: opens", func(s *wsSession) { s.set(auth.ErrUnavailable) }, true, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				session, id := newWSSession(*wsIdentity("alice"))
				session.beforeWatch = func() { tc.end(session) }
				site := wsServePipes(t, wsOptions{backend: wsOf(id)})
				switch {
				case tc.opens:
					site.wantOpen(t, wsHandshake("/"))
				case tc.status != 0:
					site.wantStatus(t, wsHandshake("/"), tc.status)
				default:
					site.wantClose(t, wsHandshake("/"), tc.code)
				}
				wsUntil(t, "nobody watches any more", func() bool { return session.Len() == 0 })
			})
		})
	}
}

// Inside a socket the getters follow the session.
func TestWSGettersFollowTheSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		session, id := newWSSession(*wsIdentity("alice"))
		handler := make(chan context.Context, 1)
		site := wsServePipes(t, wsOptions{backend: wsOf(id), handler: func(w http.ResponseWriter, r *http.Request) {
			handler <- r.Context()
			wsGreet(w, r)
		}})
		c := site.raw(t)
		c.send(wsHandshake("/"))
		c.wantWelcome()
		ctx := <-handler
		can := func() bool {
			t.Helper()
			ok, err := auth.Can(ctx, "kernels", "execute")
			if err != nil {
				t.Error(err)
			}
			return ok
		}
		if can() {
			t.Error("holds kernels:execute before it was granted")
		}
		session.change(func(id *auth.Identity) {
			id.Permissions["kernels"] = []string{"execute"}
			id.User.Name = "Alice Again"
		})
		synctest.Wait()
		if !can() {
			t.Error("doesn't hold kernels:execute after it was granted")
		}
		if id, ok := auth.IdentityFrom(ctx); !ok || id.User.Name != "Alice Again" || !id.Permissions.Has("kernels", "execute") {
			t.Errorf("got %+v %v, want the changed identity", id, ok)
		}
		if u, ok := auth.UserFrom(ctx); !ok || u.Name != "Alice Again" {
			t.Errorf("got %+v %v, want the changed user", u, ok)
		}
		session.set(auth.ErrUnavailable)
		if ok, err := auth.Can(ctx, "kernels", "execute"); ok || !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("in an outage: got %v %v, want no and ErrUnavailable", ok, err)
		}
		if _, ok := auth.UserFrom(ctx); !ok {
			t.Error("an outage makes the user nameless")
		}
		session.set(auth.ErrSessionEnded)
		if ok, err := auth.Can(ctx, "kernels", "execute"); ok || !errors.Is(err, auth.ErrSessionEnded) {
			t.Errorf("after the end: got %v %v, want no and ErrSessionEnded", ok, err)
		}
		if id, ok := auth.IdentityFrom(ctx); ok {
			t.Errorf("after the end: got %+v, want nobody", id)
		}
		if code, _ := c.closeFrame(); code != websocket.StatusPolicyViolation {
			t.Errorf("got %d, want 1008", code)
		}
		c.answerClose(websocket.StatusPolicyViolation)
	})
}

// A socket below several guards ends with what any of them checked, by one close frame.
func TestWSNestedGuards(t *testing.T) {
	t.Parallel()
	type guards = []func(http.Handler) http.Handler
	lose := func(resource string) func(*wsSession) {
		return func(s *wsSession) { s.change(func(id *auth.Identity) { delete(id.Permissions, resource) }) }
	}
	ends := func(s *wsSession) { s.set(auth.ErrSessionEnded) }
	two := func(a auth.Auth) guards {
		return guards{a.WebSocketAuth(nil), a.WebSocketAuth(auth.Permissions{"a": {"x"}, "b": {"y"}})}
	}
	under := func(a auth.Auth) guards {
		return guards{a.CurrentUser(auth.Permissions{"a": {"x"}}), a.WebSocketAuth(auth.Permissions{"b": {"y"}})}
	}
	above := func(a auth.Auth) guards {
		return guards{a.WebSocketAuth(auth.Permissions{"a": {"x"}}), a.CurrentUser(auth.Permissions{"b": {"y"}})}
	}
	role := func(a auth.Auth) guards {
		return guards{a.WebSocketAuth(nil), auth.RequireRole(a, "editor")}
	}
	for _, tc := range []struct {
		name    string
		guards  func(auth.Auth) guards
		checked string
		change  func(*wsSession)
		open    bool // afterwards
	}{
		{"two of WebSocketAuth, the session ends", two, "a:x b:y", ends, false},
		{"two of WebSocketAuth, one permission is lost", two, "a:x b:y", lose("b"), false},
		{"two of WebSocketAuth, another permission is lost", two, "a:x b:y", lose("c"), true},
		{"WebSocketAuth below CurrentUser, the session ends", under, "b:y", ends, false},
		{"WebSocketAuth below CurrentUser, the inner permission is lost", under, "b:y", lose("b"), false},
		{"WebSocketAuth below CurrentUser, the outer permission is lost", under, "b:y", lose("a"), false},
		{"WebSocketAuth below CurrentUser, another permission is lost", under, "b:y", lose("c"), true},
		{"CurrentUser below WebSocketAuth, the session ends", above, "b:y", ends, false},
		{"CurrentUser below WebSocketAuth, the inner permission is lost", above, "b:y", lose("b"), false},
		{"CurrentUser below WebSocketAuth, the outer permission is lost", above, "b:y", lose("a"), false},
		{"CurrentUser below WebSocketAuth, another permission is lost", above, "b:y", lose("c"), true},
		{"RequireRole below WebSocketAuth, the session ends", role, "", ends, false},
		{"RequireRole below WebSocketAuth, the role is lost", role, "", func(s *wsSession) { s.change(func(id *auth.Identity) { id.Roles = nil }) }, false},
		{"RequireRole below WebSocketAuth, another role is gained", role, "", func(s *wsSession) {
			s.change(func(id *auth.Identity) { id.Roles = []string{"editor", "reader"} })
		}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				identity := *wsIdentity("alice")
				identity.Permissions = auth.Permissions{"a": {"x"}, "b": {"y"}, "c": {"z"}}
				identity.Roles = []string{"editor"}
				session, id := newWSSession(identity)
				backend := &wsResponder{Backend: wsOf(id)}
				read := make(chan websocket.StatusCode, 1)
				handler := make(chan context.Context, 1)
				site := wsServePipes(t, wsOptions{backend: backend, guards: tc.guards, handler: func(w http.ResponseWriter, r *http.Request) {
					handler <- r.Context()
					conn, err := auth.Accept(w, r, nil)
					if err != nil {
						t.Error(err)
						return
					}
					_, _, err = conn.Read(r.Context())
					if tc.open {
						return
					}
					read <- websocket.CloseStatus(err)
					if err := r.Context().Err(); err != nil {
						t.Errorf("the context had ended when Read returned: %v", err)
					}
					<-r.Context().Done()
					if got := context.Cause(r.Context()); !errors.Is(got, auth.ErrSessionEnded) {
						t.Errorf("got cause %v, want ErrSessionEnded", got)
					}
				}})
				c := site.raw(t)
				c.send(wsHandshake("/"))
				c.wantSwitch()
				ctx := <-handler
				if got := auth.CheckedPermissions(ctx); got == nil || got.String() != tc.checked {
					t.Errorf("got checked %v, want %s", got, tc.checked)
				}
				if got := backend.calls.Load(); got != 1 {
					t.Errorf("got %d effects, want one", got)
				}
				tc.change(session)
				synctest.Wait()
				if tc.open {
					if ctx.Err() != nil {
						t.Errorf("ended by what nobody checked: %v", context.Cause(ctx))
					}
					_ = c.Close()
				} else {
					if code, reason := c.closeFrame(); code != websocket.StatusPolicyViolation || reason != "session ended" {
						t.Errorf("got %d %q, want 1008", code, reason)
					}
					c.answerClose(websocket.StatusPolicyViolation)
					c.wantEnd()
					if got := <-read; got != websocket.StatusPolicyViolation {
						t.Errorf("got %d from Read, want 1008", got)
					}
				}
				synctest.Wait()
				if got := session.Len(); got != 0 {
					t.Errorf("%d watchers are left", got)
				}
			})
		})
	}
	t.Run("a refusal by the inner guard reaches no handler", func(t *testing.T) {
		t.Parallel()
		holdsA := *wsIdentity("alice")
		holdsA.Permissions = auth.Permissions{"a": {"x"}}
		site := wsServe(t, wsOptions{backend: wsOf(&holdsA), guards: func(a auth.Auth) guards {
			return guards{a.WebSocketAuth(nil), a.WebSocketAuth(auth.Permissions{"b": {"y"}})}
		}})
		site.wantClose(t, wsHandshake("/"), websocket.StatusPolicyViolation)
		site = wsServe(t, wsOptions{backend: wsOf(&holdsA), guards: above})
		site.wantStatus(t, wsHandshake("/"), http.StatusForbidden)
	})
	t.Run("a permission that is lost between two guards isn't overlooked", func(t *testing.T) {
		t.Parallel()
		for name, tc := range map[string]struct {
			guards func(auth.Auth) guards
		}{"above": {above}, "two": {two}, "role": {role}} {
			synctest.Test(t, func(t *testing.T) {
				session, id := newWSSession(*wsIdentity("alice"))
				session.change(func(id *auth.Identity) {
					id.Permissions = auth.Permissions{"a": {"x"}, "b": {"y"}}
					id.Roles = []string{"editor"}
				})
				// The inner guard decides on what the outer one found; the change comes while it does.
				site := wsServePipes(t, wsOptions{
					cfg: auth.Config{Authorizer: wsAuthorizer(func(_ context.Context, id *auth.Identity, resource, action string) (bool, error) {
						held := id.Permissions.Has(resource, action)
						if resource == "b" {
							session.set(auth.ErrSessionEnded)
						}
						return held, nil
					})},
					backend: wsOf(id), guards: tc.guards,
				})
				if name == "role" {
					site.wantOpen(t, wsHandshake("/"))
					return
				}
				// The outer guard's end may be first: then the inner one can't decide any more.
				c := site.raw(t)
				c.send(wsHandshake("/"))
				if res := c.response(); res.StatusCode == http.StatusSwitchingProtocols {
					if code, _ := c.closeFrame(); code != websocket.StatusPolicyViolation {
						t.Errorf("%s: got %d, want 1008", name, code)
					}
				} else if res.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("%s: got %d, want 1008 or 503", name, res.StatusCode)
				}
				if got := site.runs.Load(); got != 0 {
					t.Errorf("%s: the handler ran %d times", name, got)
				}
			})
		}
	})
}

// wsAuthorizer is an Authorizer of one function.
type wsAuthorizer func(ctx context.Context, id *auth.Identity, resource, action string) (bool, error)

func (f wsAuthorizer) Authorize(ctx context.Context, id *auth.Identity, resource, action string) (bool, error) {
	return f(ctx, id, resource, action)
}
