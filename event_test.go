package auth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth"
)

type eventKey struct{} // of a request ID that an application puts into the context

// TestEvents is G-05: each decision is one structured event.
func TestEvents(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("CET", 3600)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, berlin)
	alice := auth.Event{Kind: "", UserID: "test:alice", Username: "alice"}
	for _, c := range []struct {
		name    string
		backend auth.Backend
		r       *http.Request
		want    auth.Event // without what all have in common; Kind empty: no event
		reason  string     // part of Reason; empty: none
	}{
		{"let in is no event", guardPeople(), guardRequest("GET", "/x", "Test-User", "alice"), auth.Event{}, ""},
		{"G-05 unknown", guardPeople(), guardRequest("GET", "/x?a=1"), auth.Event{Kind: auth.EventUnknown, Status: 401}, ""},
		{"G-05 unknown, sent to the login page", &guardLogin{Backend: guardPeople()}, guardNavigation("/x?a=1"), auth.Event{Kind: auth.EventUnknown, Status: 401}, ""},
		{"G-05 a wrong credential", guardPeople(), guardRequest("GET", "/x", "Test-User", "mallory"), auth.Event{Kind: auth.EventLoginFailed, Status: 401}, ""},
		{"G-05 permission denied", guardPeople(), guardRequest("GET", "/x", "Test-User", "bob"), auth.Event{Kind: auth.EventDenied, Status: 403, UserID: "test:bob", Username: "bob"}, "needs contents:read"},
		{"G-05 refused for its origin", guardPeople(), guardRequest("PUT", "/x", "Test-User", "alice", "Sec-Fetch-Site", "cross-site"), auth.Event{Kind: auth.EventOrigin, Status: 403, UserID: alice.UserID, Username: alice.Username}, "origin"},
		{"G-05 limited", &guardFixed{err: &auth.LimitedError{}}, guardRequest("GET", "/x"), auth.Event{Kind: auth.EventLimited, Status: 429}, ""},
		{"G-05 a wrong credential, with what is wrong", &guardFixed{err: fmt.Errorf("%w: expired", auth.ErrInvalidCredentials)}, guardRequest("GET", "/x"), auth.Event{Kind: auth.EventLoginFailed, Status: 401}, "expired"},
		{"G-05 unavailable", &guardFixed{err: errors.New("connection refused")}, guardRequest("GET", "/x"), auth.Event{Kind: auth.EventUnavailable, Status: 503}, "connection refused"},
		{"G-05 a fault", &guardFixed{}, guardRequest("GET", "/x"), auth.Event{Kind: auth.EventFault, Status: 500}, "no identity"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var events []auth.Event
			var w *httptest.ResponseRecorder
			cfg := auth.Config{Now: func() time.Time { return now }, OnEvent: func(ctx context.Context, e auth.Event) {
				events = append(events, e)
				if got := ctx.Value(eventKey{}); got != "request-7" {
					t.Errorf("got request ID %v in the context, want that of the request", got)
				}
				if w.Header().Get("Content-Type")+w.Header().Get("Location") == "" {
					t.Error("the event came before the answer: who is refused waits for the log")
				}
			}}
			a := guardNew(t, cfg, c.backend)
			p := &guardProbe{}
			w = httptest.NewRecorder()
			r := c.r.WithContext(context.WithValue(c.r.Context(), eventKey{}, "request-7"))
			a.CurrentUser(guardReads)(p).ServeHTTP(w, r)
			if c.want.Kind == "" {
				if len(events) != 0 || p.calls.Load() != 1 {
					t.Errorf("got events %v and %d calls of the handler", events, p.calls.Load())
				}
				return
			}
			if len(events) != 1 || p.calls.Load() != 0 {
				t.Fatalf("got events %v and %d calls of the handler, want one event and none", events, p.calls.Load())
			}
			got, want := events[0], c.want
			if !strings.Contains(got.Reason, c.reason) || (got.Reason == "") != (c.reason == "") {
				t.Errorf("got reason %q, want %q in it", got.Reason, c.reason)
			}
			got.Reason = ""
			want.Time, want.Method, want.Path, want.Address = now.UTC(), r.Method, "/x", netip.MustParseAddr("192.0.2.1")
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if got.Time.Location() != time.UTC {
				t.Errorf("got time in %v, want UTC", got.Time.Location())
			}
		})
	}
}

// B-10: whose address it is.
func TestAddress(t *testing.T) {
	t.Parallel()
	spoof := []string{"X-Forwarded-For", "1.2.3.4", "X-Real-Ip", "1.2.3.4", "Forwarded", "for=1.2.3.4", "X_forwarded_for", "1.2.3.4"}
	for _, c := range []struct {
		name    string
		proxies []string
		peer    string
		headers []string
		want    string
	}{
		{"the peer", nil, "192.0.2.1:1234", nil, "192.0.2.1"},
		{"B-10 headers of an untrusted peer", nil, "192.0.2.1:1234", spoof, "192.0.2.1"},
		{"B-10 headers of a peer beside the trusted ones", []string{"10.0.0.0/8"}, "192.0.2.1:1234", spoof, "192.0.2.1"},
		{"a trusted proxy", []string{"10.0.0.0/8"}, "10.1.2.3:1234", []string{"X-Forwarded-For", "192.0.2.9"}, "192.0.2.9"},
		{"B-10 what the client wrote stands left", []string{"10.0.0.0/8"}, "10.1.2.3:1234", []string{"X-Forwarded-For", "1.2.3.4, 192.0.2.9"}, "192.0.2.9"},
		{"B-10 several trusted proxies", []string{"10.0.0.0/8"}, "10.1.2.3:1234", []string{"X-Forwarded-For", "1.2.3.4, 192.0.2.9, 10.9.9.9"}, "192.0.2.9"},
		{"B-10 no other header of a trusted proxy counts", []string{"10.1.2.3"}, "10.1.2.3:1234", []string{"X-Real-Ip", "1.2.3.4", "Forwarded", "for=1.2.3.4"}, "10.1.2.3"},
		{"B-11 IPv4 in IPv6", nil, "[::ffff:192.0.2.1]:1234", nil, "192.0.2.1"},
		{"a Unix socket has none", nil, "@", nil, "invalid IP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var last auth.Event
			a := guardNew(t, auth.Config{TrustedProxies: c.proxies, OnEvent: func(_ context.Context, e auth.Event) { last = e }}, guardPeople())
			r := guardRequest("GET", "/x", c.headers...)
			r.RemoteAddr = c.peer
			if got := auth.Address(a, r).String(); got != c.want {
				t.Errorf("Address: got %s, want %s", got, c.want)
			}
			p := &guardProbe{}
			p.ask(t, a.CurrentUser(nil)(p), r, 401)
			if got := last.Address.String(); got != c.want {
				t.Errorf("event: got %s, want %s", got, c.want)
			}
		})
	}
}

// Report is for the routes of backends.
func TestReport(t *testing.T) {
	t.Parallel()
	var last auth.Event
	now := time.Unix(1700000000, 0)
	a := guardNew(t, auth.Config{Now: func() time.Time { return now }, OnEvent: func(_ context.Context, e auth.Event) { last = e }}, guardPeople())
	r := guardRequest("POST", "/auth/login?password=x")
	auth.Report(a, r, auth.Event{Kind: auth.EventLogin, UserID: "test:alice"})
	if want := (auth.Event{Kind: auth.EventLogin, UserID: "test:alice", Time: now.UTC(), Method: "POST", Path: "/auth/login", Address: netip.MustParseAddr("192.0.2.1")}); last != want {
		t.Errorf("got %+v, want %+v", last, want)
	}
	given := auth.Event{Kind: auth.EventLogout, Time: now.Add(time.Hour).UTC(), Method: "GET", Path: "/given", Address: netip.MustParseAddr("192.0.2.7"), Reason: "x", Status: 204}
	auth.Report(a, r, given)
	if last != given {
		t.Errorf("got %+v, want what was given: %+v", last, given)
	}
	auth.Report(a, nil, auth.Event{Kind: auth.EventWarning, Reason: "open"})
	if want := (auth.Event{Kind: auth.EventWarning, Time: now.UTC(), Reason: "open"}); last != want {
		t.Errorf("got %+v, want %+v", last, want)
	}
}

// eventLogs gives a logger for each of slog's handlers that writes to buf, at debug level.
func eventLogs(buf *bytes.Buffer) map[string]*slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelDebug}
	return map[string]*slog.Logger{"text": slog.New(slog.NewTextHandler(buf, opts)), "json": slog.New(slog.NewJSONHandler(buf, opts))}
}

// G-01: no credential that a request carries is in a log line or an event, whatever becomes of the request.
func TestSecretsAreNotLogged(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-S3CRET/+="
	spellings := []string{secret, "hunter2", base64.StdEncoding.EncodeToString([]byte("x:" + secret)), "S3CRET"}
	for kind := range eventLogs(new(bytes.Buffer)) {
		for _, b := range []auth.Backend{
			guardPeople(), &guardFixed{err: auth.ErrInvalidCredentials}, &guardFixed{err: auth.ErrForbidden}, &guardFixed{err: errors.New("down")}, &guardFixed{},
			auth.BackendFunc(func(r *http.Request) (*auth.Identity, error) { panic(r.Header.Get("Authorization")) }),
			auth.BackendFunc(func(r *http.Request) (*auth.Identity, error) { panic(fmt.Errorf("bad %v", r.Header)) }),
		} {
			var buf, events bytes.Buffer
			cfg := auth.Config{Logger: eventLogs(&buf)[kind], OnEvent: func(_ context.Context, e auth.Event) { fmt.Fprintf(&events, "%v %+v %#v %s\n", e, e, e, e.LogValue()) }}
			p := &guardProbe{}
			h := guardNew(t, cfg, b).CurrentUser(auth.Permissions{"contents": {"write"}})(p)
			for _, r := range []*http.Request{guardRequest("GET", "/x?normal=value&token="+secret), guardNavigation("/x?password=" + secret), guardRequest("PUT", "/x?token="+secret, "Origin", "https://"+secret+".example")} {
				r.Header.Set("Authorization", "Bearer "+secret)
				r.Header.Add("Authorization", "Basic "+spellings[2])
				r.Header.Set("Cookie", "session="+secret)
				r.Header.Set("Test-User", "bob")
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
			if p.calls.Load() != 0 || buf.Len() == 0 || events.Len() == 0 {
				t.Fatalf("got %d calls of the handler, %d bytes of log, %d of events", p.calls.Load(), buf.Len(), events.Len())
			}
			for _, s := range spellings {
				if strings.Contains(buf.String(), s) || strings.Contains(events.String(), s) {
					t.Errorf("%s: %q is in the log or an event:\n%s%s", kind, s, &buf, &events)
				}
			}
		}
	}
}

// G-04: what a caller chooses can't look like a line of its own.
func TestLogInjection(t *testing.T) {
	t.Parallel()
	const evil = "a\nlevel=INFO msg=\"login ok\" user=admin\r\x1b[2J\u2028\u202e"
	for kind := range eventLogs(new(bytes.Buffer)) {
		var buf bytes.Buffer
		id := &auth.Identity{ID: "test:" + evil, User: auth.User{Username: evil}}
		a := guardNew(t, auth.Config{Logger: eventLogs(&buf)[kind]}, &guardFixed{id: id})
		r := guardRequest("GET", "/x")
		r.URL.Path = "/" + evil
		p := &guardProbe{}
		p.ask(t, a.CurrentUser(guardReads)(p), r, 403)
		auth.Report(a, nil, auth.Event{Kind: auth.EventLoginFailed, Username: evil, Reason: evil})
		lines := strings.Split(strings.TrimSuffix(buf.String(), "\n"), "\n")
		if len(lines) != 2 {
			t.Errorf("%s: got %d lines, want 2:\n%s", kind, len(lines), &buf)
		}
		if strings.ContainsAny(buf.String(), "\r\x1b\u2028") || strings.Contains(buf.String(), `"login ok" user=admin`) {
			t.Errorf("%s: got an unescaped value:\n%q", kind, &buf)
		}
	}
}

// What a line holds, and at which level.
func TestEventLines(t *testing.T) {
	t.Parallel()
	for kind, level := range map[auth.EventKind]slog.Level{
		auth.EventUnknown: slog.LevelDebug, auth.EventLogin: slog.LevelInfo, auth.EventLogout: slog.LevelInfo, auth.EventEnded: slog.LevelInfo,
		auth.EventUpdated: slog.LevelInfo, auth.EventLoginFailed: slog.LevelWarn, auth.EventLimited: slog.LevelWarn, auth.EventDenied: slog.LevelWarn,
		auth.EventOrigin: slog.LevelWarn, auth.EventUnavailable: slog.LevelWarn, auth.EventWarning: slog.LevelWarn, auth.EventFault: slog.LevelError,
	} {
		var buf bytes.Buffer
		a := guardNew(t, auth.Config{Logger: eventLogs(&buf)["json"]}, guardPeople())
		auth.Report(a, guardRequest("GET", "/x?a=1"), auth.Event{Kind: kind, Username: "alice"})
		var line struct {
			Level, Msg string
			Auth       map[string]any
		}
		if err := json.Unmarshal(buf.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Level != level.String() || line.Msg != "auth: "+string(kind) {
			t.Errorf("got level %s, message %q of %s, want %s", line.Level, line.Msg, kind, level)
		}
		want := map[string]any{"kind": string(kind), "username": "alice", "method": "GET", "path": "/x", "address": "192.0.2.1"}
		if fmt.Sprint(line.Auth) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", line.Auth, want)
		}
	}
}

// G-07: a flood of refusals doesn't flood the log. The event hook gets all of them.
func TestLogVolume(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	var events atomic.Int64
	now := time.Unix(1700000000, 0)
	cfg := auth.Config{Logger: eventLogs(&buf)["text"], Now: func() time.Time { return now }, OnEvent: func(context.Context, auth.Event) { events.Add(1) }}
	p := &guardProbe{}
	h := guardNew(t, cfg, guardPeople()).CurrentUser(nil)(p)
	r := guardRequest("GET", "/x", "Test-User", "mallory")
	for range 10_000 {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	lines := bytes.Count(buf.Bytes(), []byte("\n"))
	if lines < 1 || lines > 1000 || events.Load() != 10_000 || p.calls.Load() != 0 {
		t.Errorf("got %d lines and %d events of 10,000 refusals within a second", lines, events.Load())
	}
	buf.Reset()
	now = now.Add(time.Second)
	h.ServeHTTP(httptest.NewRecorder(), r)
	if got, want := buf.String(), fmt.Sprintf("skipped=%d", 10_000-lines); strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
		t.Errorf("a second later: got %q, want a line with %s", got, want)
	}
}

// G-07: nor do a few refusals of a megabyte each.
func TestLogLength(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 400<<10)
	for _, r := range []*http.Request{
		guardRequest("GET", "/"+long, "Test-User", "mallory"),
		guardRequest("GET", "/x", "Test-User", "mallory"),
	} {
		if r.URL.Path == "/x" {
			r.Method = strings.Repeat("M", 800<<10)
		}
		var buf bytes.Buffer
		var event auth.Event
		cfg := auth.Config{Logger: eventLogs(&buf)["text"], OnEvent: func(_ context.Context, e auth.Event) { event = e }}
		guardNew(t, cfg, guardPeople()).CurrentUser(nil)(&guardProbe{}).ServeHTTP(httptest.NewRecorder(), r)
		if n := buf.Len(); n == 0 || n > 4096 || strings.Contains(buf.String(), "\ufffd") {
			t.Errorf("got a line of %d bytes: %.200q", n, buf.String())
		}
		if event.Path != r.URL.Path || event.Method != r.Method {
			t.Error("the event itself is cut short")
		}
	}
}

// eventBroken is a log that can't be written.
type eventBroken struct{ slog.Handler }

func (eventBroken) Enabled(context.Context, slog.Level) bool { return true }

func (eventBroken) Handle(context.Context, slog.Record) error { return errors.New("disk full") }

// G-07: an error of the log doesn't change an answer.
func TestBrokenLog(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{Logger: slog.New(eventBroken{})}, guardPeople())
	p := &guardProbe{}
	h := a.CurrentUser(guardReads)(p)
	for user, want := range map[string]int{"alice": 200, "bob": 403, "mallory": 401, "": 401} {
		p.ask(t, h, guardRequest("GET", "/x", "Test-User", user), want)
	}
}

// V-10: the guard has one clock.
func TestClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := new(atomic.Pointer[time.Time])
	clock.Store(&now)
	id := guardPerson("alice", "contents:read")
	id.Expires = now.Add(time.Minute)
	a := guardNew(t, auth.Config{Now: func() time.Time { return *clock.Load() }}, byHeader(map[string]*auth.Identity{"alice": id}))
	p := &guardProbe{}
	h := a.CurrentUser(guardReads)(p)
	for _, c := range []struct {
		name  string
		after time.Duration
		want  int
	}{
		{"before the end", time.Minute - 1, 200},
		{"at the end", time.Minute, 401},
		{"long after", 100 * 365 * 24 * time.Hour, 401},
		{"the clock was set back", -time.Hour, 200},
	} {
		later := now.Add(c.after)
		clock.Store(&later)
		t.Log(c.name)
		p.ask(t, h, guardRequest("GET", "/x", "Test-User", "alice"), c.want)
	}
}

// the hook is the application's: its panic is its own fault, and changes no answer.
func TestPanicInOnEventChangesNothing(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	a, err := auth.New(auth.Config{
		Logger:  slog.New(slog.NewTextHandler(&log, nil)),
		OnEvent: func(context.Context, auth.Event) { panic("hook") },
	}, byHeader(nil))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	a.CurrentUser(nil)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was reached") })).
		ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusUnauthorized || !strings.Contains(log.String(), "OnEvent") {
		t.Errorf("got %d and the log %q, want 401 and a line about OnEvent", w.Code, log.String())
	}
}
