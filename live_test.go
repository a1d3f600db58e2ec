package auth_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostiary/auth"
)

// wsLive calls h behind guards as net/http would, with a context that the test can end as a client that leaves does.
func wsLive(t *testing.T, guard func(http.Handler) http.Handler, h func(context.Context)) (leave func(), returned <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	done := make(chan struct{})
	reached := make(chan struct{})
	go func() {
		defer close(done)
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1/", nil)
		r.Header.Set("Test-User", "alice")
		guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(reached)
			h(r.Context())
		})).ServeHTTP(httptest.NewRecorder(), r)
		cancel() // net/http does, too
	}()
	select {
	case <-reached:
	case <-done:
		t.Fatal("the handler wasn't reached")
	}
	return cancel, done
}

// TestLiveEnds tells for each change of a session what becomes of a stream behind CurrentUser.
func TestLiveEnds(t *testing.T) {
	t.Parallel()
	read := auth.Permissions{"contents": {"read"}}
	required := func(a auth.Auth) func(http.Handler) http.Handler { return a.CurrentUser(read) }
	optional := func(a auth.Auth) func(http.Handler) http.Handler { return auth.OptionalUser(a) }
	role := func(a auth.Auth) func(http.Handler) http.Handler { return auth.RequireRole(a, "editor") }
	method := func(a auth.Auth) func(http.Handler) http.Handler { return auth.RequireByMethod(a, "contents", nil) }
	named := func(a auth.Auth) func(http.Handler) http.Handler {
		return auth.RequireFunc(a, func(r *http.Request, id auth.Identity) (bool, error) {
			return r.Method == http.MethodGet && id.User.Workspace == "", nil
		})
	}
	nested := func(a auth.Auth) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler { return required(a)(role(a)(next)) }
	}
	anyUser := func(a auth.Auth) func(http.Handler) http.Handler { return a.CurrentUser(nil) }
	set := func(err error) func(*wsSession) { return func(s *wsSession) { s.set(err) } }
	lose := func(s *wsSession) { s.change(func(id *auth.Identity) { id.Permissions = nil }) }
	loseRole := func(s *wsSession) { s.change(func(id *auth.Identity) { id.Roles = nil }) }
	profile := func(s *wsSession) { s.change(func(id *auth.Identity) { id.User.Name = "Alice Again" }) }
	gain := func(s *wsSession) {
		s.change(func(id *auth.Identity) { id.Permissions["kernels"] = []string{"execute"} })
	}
	const never = time.Duration(-1)
	for _, tc := range []struct {
		name  string
		guard func(auth.Auth) func(http.Handler) http.Handler
		does  func(*wsSession)
		cause error
		after time.Duration
	}{
		{"S-05 the session ends", required, set(auth.ErrSessionEnded), auth.ErrSessionEnded, 0},
		{"the session ends, any user", anyUser, set(auth.ErrSessionEnded), auth.ErrSessionEnded, 0},
		{"the session ends, an optional user", optional, set(auth.ErrSessionEnded), auth.ErrSessionEnded, 0},
		{"V-09 the library closes", required, set(http.ErrServerClosed), http.ErrServerClosed, 0},
		{"S-13 the permission is lost", required, lose, auth.ErrSessionEnded, 0},
		{"a permission is lost that nobody asked for", optional, lose, nil, never},
		{"a permission is lost that nobody asked for, any user", anyUser, lose, nil, never},
		{"another permission is gained", required, gain, nil, never},
		{"the profile changes", required, profile, nil, never},
		{"the role is lost", role, loseRole, auth.ErrSessionEnded, 0},
		{"another guard's role is lost", required, loseRole, nil, never},
		{"the method's permission is lost", method, lose, auth.ErrSessionEnded, 0},
		{"a function says no", named, func(s *wsSession) { s.change(func(id *auth.Identity) { id.User.Workspace = "x" }) }, auth.ErrSessionEnded, 0},
		{"the inner guard's role is lost", nested, loseRole, auth.ErrSessionEnded, 0},
		{"the outer guard's permission is lost", nested, lose, auth.ErrSessionEnded, 0},
		{"nothing that one of two guards asked for is lost", nested, profile, nil, never},
		{"D-01 an outage that lasts", required, set(auth.ErrUnavailable), auth.ErrUnavailable, 10 * time.Second},
		{"an outage that is over in time", required, func(s *wsSession) {
			s.set(auth.ErrUnavailable)
			time.AfterFunc(9*time.Second, func() { s.set(nil) })
		}, nil, never},
		{"a fixed end", required, func(s *wsSession) {
			s.change(func(id *auth.Identity) { id.Expires = time.Now().Add(time.Hour) })
		}, auth.ErrSessionEnded, time.Hour},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				identity := *wsIdentity("alice")
				identity.Roles = []string{"editor"}
				session, id := newWSSession(identity)
				events := make(chan auth.Event, 10)
				a := wsGuard(t, auth.Config{OnEvent: func(_ context.Context, e auth.Event) { events <- e }}, wsOf(id))
				opened := make(chan context.Context)
				leave, returned := wsLive(t, tc.guard(a), func(ctx context.Context) {
					live, cancel := auth.Live(ctx)
					defer cancel()
					opened <- live
					<-live.Done()
				})
				live := <-opened
				synctest.Wait()
				if live.Err() != nil || session.Len() != 1 {
					t.Fatalf("before the change: ended by %v, %d watchers, want open and one", context.Cause(live), session.Len())
				}
				start := time.Now()
				tc.does(session)
				if tc.after == never {
					<-time.After(24 * time.Hour)
					synctest.Wait()
					if live.Err() != nil {
						t.Errorf("ended by %v, want open", context.Cause(live))
					}
					leave()
				}
				<-returned
				if tc.after != never {
					if got := time.Since(start); got != tc.after {
						t.Errorf("ended after %v, want %v", got, tc.after)
					}
					if got := context.Cause(live); !errors.Is(got, tc.cause) {
						t.Errorf("got cause %v, want %v", got, tc.cause)
					}
					synctest.Wait()
					if e := <-events; e.Kind != auth.EventEnded {
						t.Errorf("got event %+v, want ended", e)
					}
				}
				synctest.Wait()
				if got := session.Len(); got != 0 {
					t.Errorf("%d watchers are left", got)
				}
				if len(events) != 0 {
					t.Errorf("got event %+v after all", <-events)
				}
			})
		})
	}
}

func TestLiveStarts(t *testing.T) {
	t.Parallel()
	t.Run("without a guard it has ended already", func(t *testing.T) {
		t.Parallel()
		live, cancel := auth.Live(context.Background())
		defer cancel()
		if got := context.Cause(live); live.Err() == nil || !errors.Is(got, auth.ErrNoGuard) {
			t.Errorf("got cause %v, want ErrNoGuard", got)
		}
	})
	t.Run("without a user it lives as long as the request", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			nobody := auth.BackendFunc(func(*http.Request) (*auth.Identity, error) { return nil, auth.ErrNoCredentials })
			a := wsGuard(t, auth.Config{}, nobody)
			opened := make(chan context.Context)
			leave, returned := wsLive(t, auth.OptionalUser(a), func(ctx context.Context) {
				live, cancel := auth.Live(ctx)
				defer cancel()
				opened <- live
				<-live.Done()
			})
			live := <-opened
			<-time.After(time.Hour)
			if live.Err() != nil {
				t.Errorf("ended by %v, want open", context.Cause(live))
			}
			leave()
			<-returned
		})
	})
	for _, tc := range []struct {
		name   string
		before func(*wsSession) // between the guard's decision and Live
		watch  func(*wsSession) // while Live begins to watch
	}{
		{"a session that ended before is told at once", func(s *wsSession) { s.set(auth.ErrSessionEnded) }, nil},
		{"a permission that was lost before is told at once", func(s *wsSession) { s.change(func(id *auth.Identity) { id.Permissions = nil }) }, nil},
		{"a session that ends as Live begins isn't missed", nil, func(s *wsSession) { s.set(auth.ErrSessionEnded) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			session, id := newWSSession(*wsIdentity("alice"))
			a := wsGuard(t, auth.Config{}, wsOf(id))
			_, returned := wsLive(t, a.CurrentUser(wsContentsRW), func(ctx context.Context) {
				if tc.before != nil {
					tc.before(session)
				}
				if tc.watch != nil {
					session.beforeWatch = func() { tc.watch(session) }
				}
				live, cancel := auth.Live(ctx)
				defer cancel()
				if got := context.Cause(live); !errors.Is(got, auth.ErrSessionEnded) {
					t.Errorf("got cause %v at once, want ErrSessionEnded", got)
				}
			})
			wsWait(t, returned)
			if got := session.Len(); got != 0 {
				t.Errorf("%d watchers are left", got)
			}
		})
	}
	t.Run("what it was given is found in it", func(t *testing.T) {
		t.Parallel()
		a := wsGuard(t, auth.Config{}, wsOf(wsIdentity("alice")))
		_, returned := wsLive(t, a.CurrentUser(wsContentsRW), func(ctx context.Context) {
			type key struct{}
			live, cancel := auth.Live(context.WithValue(ctx, key{}, "v"))
			defer cancel()
			if live.Value(key{}) != "v" {
				t.Error("a value is lost")
			}
			if u, ok := auth.UserFrom(live); !ok || u.Username != "alice" {
				t.Errorf("got %v %v, want alice", u, ok)
			}
		})
		wsWait(t, returned)
	})
}

// A stream must leave nothing behind, whoever ends it.
func TestLiveFreesItsWatcher(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		ends func(leave, cancel func())
	}{
		{"its cancel function", func(_, cancel func()) { cancel() }},
		{"its cancel function, twice", func(_, cancel func()) { cancel(); cancel() }},
		{"a client that leaves", func(leave, _ func()) { leave() }},
		{"a client that leaves, then its cancel function", func(leave, cancel func()) { leave(); cancel() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				session, id := newWSSession(*wsIdentity("alice"))
				session.id.Expires = time.Now().Add(time.Hour)
				a := wsGuard(t, auth.Config{OnEvent: func(_ context.Context, e auth.Event) { t.Errorf("got event %+v, want none", e) }}, wsOf(id))
				type opened struct {
					live   context.Context
					cancel func()
				}
				open := make(chan opened)
				stays := make(chan struct{})
				leave, returned := wsLive(t, a.CurrentUser(nil), func(ctx context.Context) {
					live, cancel := auth.Live(ctx)
					open <- opened{live, cancel}
					<-stays
				})
				o := <-open
				if got := session.Len(); got != 1 {
					t.Fatalf("%d watch, want one", got)
				}
				tc.ends(leave, o.cancel)
				synctest.Wait()
				if got := session.Len(); got != 0 {
					t.Errorf("%d watchers are left while the handler runs on", got)
				}
				if got := context.Cause(o.live); !errors.Is(got, context.Canceled) {
					t.Errorf("got cause %v, want canceled", got)
				}
				<-time.After(2 * time.Hour) // no timer is left that would say more
				session.set(auth.ErrSessionEnded)
				synctest.Wait()
				close(stays)
				<-returned
			})
		})
	}
}

// A stream is a context, not a goroutine. Nor may it cost one where a context is derived from it.
func TestLiveNeedsNoGoroutine(t *testing.T) {
	session, id := newWSSession(*wsIdentity("alice"))
	a := wsGuard(t, auth.Config{}, wsOf(id))
	const streams = 1000
	_, returned := wsLive(t, a.CurrentUser(wsContentsRW), func(ctx context.Context) {
		before := runtime.NumGoroutine()
		for range streams {
			live, cancel := auth.Live(ctx)
			defer cancel()
			_, cancelDerived := context.WithCancel(live)
			defer cancelDerived()
		}
		// Other tests' goroutines may come and go; a thousand of them don't.
		if got := runtime.NumGoroutine() - before; got > streams/10 {
			t.Errorf("%d idle streams have %d goroutines, want none", streams, got)
		}
		if got := session.Len(); got != streams {
			t.Errorf("%d watch, want %d", got, streams)
		}
	})
	wsWait(t, returned)
	if got := session.Len(); got != 0 {
		t.Errorf("%d watchers are left", got)
	}
}

// Behind WebSocketAuth the handler's context ends in the right order by itself: Live must not overtake the close frame.
func TestLiveInASocket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		session, id := newWSSession(*wsIdentity("alice"))
		opened := make(chan context.Context, 1)
		site := wsServePipes(t, wsOptions{backend: wsOf(id), handler: func(w http.ResponseWriter, r *http.Request) {
			live, cancel := auth.Live(r.Context())
			defer cancel()
			opened <- live
			wsGreet(w, r.WithContext(live))
			<-live.Done()
		}})
		c := site.raw(t)
		c.send(wsHandshake("/"))
		c.wantWelcome()
		live := <-opened
		if got := session.Len(); got != 1 {
			t.Errorf("%d watch, want the socket alone", got)
		}
		session.set(auth.ErrSessionEnded)
		if code, _ := c.closeFrame(); code != 1008 {
			t.Errorf("got %d, want 1008", code)
		}
		synctest.Wait()
		if live.Err() != nil {
			t.Error("Live ended before the client answered the close frame")
		}
		c.answerClose(1008)
		<-live.Done()
		if got := context.Cause(live); !errors.Is(got, auth.ErrSessionEnded) {
			t.Errorf("got cause %v, want ErrSessionEnded", got)
		}
	})
}

// A stream of server-sent events over a real connection, as the documentation shows it.
func TestLiveServerSentEvents(t *testing.T) {
	t.Parallel()
	session, id := newWSSession(*wsIdentity("alice"))
	a := wsGuard(t, auth.Config{}, wsOf(id))
	causes := make(chan error, 1)
	server := httptest.NewServer(a.CurrentUser(auth.Permissions{"contents": {"read"}})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		live, cancel := auth.Live(r.Context())
		defer cancel()
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: hello\n\n")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-live.Done()
		causes <- context.Cause(live)
	})))
	defer server.Close()
	get := func(ctx context.Context) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	first := func(res *http.Response) *bufio.Reader {
		t.Helper()
		br := bufio.NewReader(res.Body)
		if line, err := br.ReadString('\n'); line != "data: hello\n" || err != nil {
			t.Fatalf("got %q %v", line, err)
		}
		return br
	}
	t.Run("a client that leaves frees the watcher", func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		res := get(ctx)
		first(res)
		leave()
		_ = res.Body.Close()
		if got := wsWait(t, causes); !errors.Is(got, context.Canceled) {
			t.Errorf("got cause %v, want canceled", got)
		}
		wsUntil(t, "nobody watches any more", func() bool { return session.Len() == 0 })
	})
	t.Run("S-05 the end of the session ends the stream", func(t *testing.T) {
		res := get(t.Context())
		br := first(res)
		session.set(auth.ErrSessionEnded)
		rest, err := io.ReadAll(br)
		if err != nil || strings.TrimSpace(string(rest)) != "" {
			t.Errorf("got %q %v, want the end", rest, err)
		}
		_ = res.Body.Close()
		if got := wsWait(t, causes); !errors.Is(got, auth.ErrSessionEnded) {
			t.Errorf("got cause %v, want ErrSessionEnded", got)
		}
		wsUntil(t, "nobody watches any more", func() bool { return session.Len() == 0 })
	})
}
