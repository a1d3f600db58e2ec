package auth

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	EventLogin         EventKind = "login"        // a credential was traded for a session
	EventLoginFailed   EventKind = "login_failed" // a wrong credential, at a login form or on a request
	EventLogout        EventKind = "logout"
	EventLimited       EventKind = "limited"       // guessed too often
	EventUnknown       EventKind = "unknown"       // no credential where one is needed
	EventDenied        EventKind = "denied"        // a known caller who may not
	EventOrigin        EventKind = "origin"        // refused by the origin or Host rule
	EventUnavailable   EventKind = "unavailable"   // nobody could tell
	EventFault         EventKind = "fault"         // a backend broke its contract, a route is wired wrongly, or a hook failed
	EventEnded         EventKind = "ended"         // a socket or stream was ended with its session
	EventUpdated       EventKind = "updated"       // a profile was changed
	EventPassword      EventKind = "password"      // a password was changed
	EventRevoked       EventKind = "revoked"       // sessions were ended by their user, from another session
	EventTokenMade     EventKind = "token_made"    // an API token was made, by its owner or an admin
	EventTokenEnded    EventKind = "token_ended"   // an API token was revoked
	EventLinked        EventKind = "linked"        // a sign-in at a provider was linked to an account
	EventUnlinked      EventKind = "unlinked"      // and isn't any more
	EventAdmin         EventKind = "admin"         // users or roles were changed by an admin
	EventRegistered    EventKind = "registered"    // somebody has made an account of their own
	EventRefused       EventKind = "refused"       // an attempt to register that came to nothing
	EventImpersonation EventKind = "impersonation" // an admin began, or ceased, to act as somebody else
	EventWarning       EventKind = "warning"       // a setting that is allowed and dangerous, or that keeps browsers out
)

// An Event is something that an operator may want to know. It holds no token, password, cookie or query string.
type Event struct {
	Time     time.Time
	Kind     EventKind
	UserID   string // Identity.ID; empty for an unknown caller
	Username string
	Address  netip.Addr // the caller's, by Config.TrustedProxies; may be invalid
	Method   string
	Path     string // without the query
	Status   int    // of the answer; 0 where the event isn't one
	Reason   string // for people
}

// maxLogged is how many bytes of a text that its sender chose go into a line of the log. A throttle of lines would else be
// none: a path or a method can have a megabyte.
const maxLogged = 512

func clip(s string) string {
	if len(s) <= maxLogged {
		return s
	}
	return strings.ToValidUTF8(s[:maxLogged], "") + "…"
}

// LogValue implements [slog.LogValuer]. Texts that clients choose are cut short.
func (e Event) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("kind", string(e.Kind))}
	for _, a := range []struct{ key, value string }{
		{"user_id", clip(e.UserID)}, {"username", clip(e.Username)}, {"method", clip(e.Method)}, {"path", clip(e.Path)}, {"reason", e.Reason},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.key, a.value))
		}
	}
	if e.Address.IsValid() {
		attrs = append(attrs, slog.String("address", e.Address.String()))
	}
	if e.Status != 0 {
		attrs = append(attrs, slog.Int("status", e.Status))
	}
	return slog.GroupValue(attrs...)
}

func (e Event) level() slog.Level {
	switch e.Kind {
	case EventUnknown:
		return slog.LevelDebug
	case EventLogin, EventLogout, EventEnded, EventUpdated, EventPassword, EventRevoked, EventTokenMade, EventTokenEnded, EventAdmin,
		EventLinked, EventUnlinked, EventRegistered, EventImpersonation:
		return slog.LevelInfo
	case EventFault:
		return slog.LevelError
	}
	return slog.LevelWarn
}

// Report tells a's logger and event hook of e. Time, address, method and path are taken from the guard's clock and from
// r (which may be nil) where e leaves them empty. It is for the routes of backends: the guard reports its own decisions.
func Report(a Auth, r *http.Request, e Event) { a.guard().top().report(r, e) }

// Address gives the caller's address as a sees it: the peer, or what a trusted proxy forwarded. It may be invalid.
func Address(a Auth, r *http.Request) netip.Addr { return a.guard().top().proxies.Of(r) }

func (g *guard) report(r *http.Request, e Event) {
	ctx := context.Background()
	if e.Time.IsZero() {
		e.Time = g.cfg.Now()
	}
	e.Time = e.Time.UTC()
	if r != nil {
		ctx = r.Context()
		e.Method, e.Path = cmp.Or(e.Method, r.Method), cmp.Or(e.Path, r.URL.Path)
		if !e.Address.IsValid() {
			e.Address = g.proxies.Of(r)
		}
	}
	if level := e.level(); g.cfg.Logger.Enabled(ctx, level) {
		if ok, skipped := g.log.allow(e.Time); ok {
			attrs := []slog.Attr{slog.Any("auth", e)}
			if skipped > 0 {
				attrs = append(attrs, slog.Int("skipped", skipped))
			}
			g.cfg.Logger.LogAttrs(ctx, level, "auth: "+string(e.Kind), attrs...)
		}
	}
	if g.cfg.OnEvent != nil {
		g.tell(ctx, e)
	}
}

// tell calls the application's hook. A panic there must not undo an answer, nor end the process where the end of a
// socket is told on a goroutine that no server recovers.
func (g *guard) tell(ctx context.Context, e Event) {
	defer func() {
		if v := recover(); v != nil {
			g.cfg.Logger.LogAttrs(ctx, slog.LevelError, "auth: OnEvent", slog.String("error", fault(v).Error()))
		}
	}()
	g.cfg.OnEvent(ctx, e)
}

// reportRefusal follows the answer, so that who is refused doesn't wait for the log.
func (g *guard) reportRefusal(r *http.Request, c caller, status int) {
	e := Event{Status: status}
	if c.id != nil {
		e.UserID, e.Username = c.id.ID, c.id.User.Username
	}
	switch {
	case status == http.StatusUnauthorized && c.unknown():
		e.Kind = EventUnknown
	case status == http.StatusUnauthorized:
		e.Kind, e.Reason = EventLoginFailed, beyond(ErrInvalidCredentials, c.err)
	case errors.Is(c.err, errOrigin):
		e.Kind, e.Reason = EventOrigin, c.err.Error()
	case status == http.StatusForbidden:
		e.Kind, e.Reason = EventDenied, beyond(ErrForbidden, c.err)
	case status == http.StatusTooManyRequests:
		e.Kind = EventLimited
	case status == http.StatusInternalServerError:
		e.Kind, e.Reason = EventFault, c.err.Error()
	default:
		e.Kind, e.Reason = EventUnavailable, c.err.Error()
	}
	g.report(r, e)
}

// beyond is what err says besides the error that it wraps, which the kind of the event says already; empty: nothing.
func beyond(wrapped, err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), wrapped.Error()), ": ")
}

// A throttle keeps a flood of refusals from flooding the log: so many lines a second, then a count of those left out.
// The event hook gets all of them.
type throttle struct {
	mu      sync.Mutex
	second  int64
	lines   int
	skipped int
}

const linesPerSecond = 100

func (t *throttle) allow(now time.Time) (ok bool, skipped int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := now.Unix(); s != t.second {
		t.second, t.lines = s, 0
	}
	if t.lines++; t.lines > linesPerSecond {
		t.skipped++
		return false, 0
	}
	skipped, t.skipped = t.skipped, 0
	return true, skipped
}
