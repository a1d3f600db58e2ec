package oidcauth

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/watch"
	"github.com/ostiary/auth/oidcauth/internal/token"
)

// verifyEvery is how long a verified signature counts: for so long, beside the time that keys are kept, a key counts that the
// provider has taken back.
const verifyEvery = 5 * time.Minute

// A verified token is one that was found to be good, and the [auth.Session] of whom it proves. It belongs to the text of one
// token; all that may change about it is in the atomics.
type verified struct {
	bearers  *bearers
	provider *provider
	text     string // of one that is introspected, to ask again; else empty

	says  atomic.Pointer[statement]
	state atomic.Pointer[standing] // nil: the database hasn't been asked yet
	ended atomic.Bool
	topic watch.Topic
}

// A statement is what a token says, as of the last time that it was verified or its provider was asked. It is immutable.
type statement struct {
	id      auth.Identity // without a Session
	subject string
	client  bool         // it is a client's own
	binding token.Claims // the token's cnf; nil: bound to nothing
	expires int64        // Unix seconds; 0: it doesn't say
	until   int64        // Unix seconds: when it has to be looked at again
}

// statement is what a good token says by its claims. It has to be looked at again at until.
func (p *provider) statement(ctx context.Context, claims token.Claims, until time.Time) (*statement, error) {
	subject, _ := claims.Text("sub")
	who, client := identityID(p.Issuer, subject), false
	for _, name := range []string{"client_id", "azp"} {
		if id, _ := claims.Text(name); id != "" && id == subject {
			who, client = clientIdentityID(p.Issuer, subject), true
		}
	}
	id, err := p.Mapping.identity(ctx, who, Claims(claims))
	if err != nil {
		return nil, tokenError(err)
	}
	s := &statement{id: *id, subject: subject, client: client, until: until.Unix()}
	if cnf, ok := claims["cnf"]; ok {
		s.binding = token.Claims{"cnf": cnf}
	}
	s.id.Explicit = true
	if exp, ok := claims.Time("exp"); ok {
		s.expires, s.id.Expires = exp, time.Unix(exp, 0)
	}
	return s, nil
}

func (s *statement) over(now int64) bool { return s.expires != 0 && now >= s.expires }

func (s *bearers) newVerified(p *provider, text string, says *statement) *verified {
	e := &verified{bearers: s, provider: p, text: text}
	e.says.Store(says)
	return e
}

// counts tells whether e can be answered from memory: never past the token's own end.
func (e *verified) counts(now int64) bool {
	says := e.says.Load()
	return now < says.until && !says.over(now) && !e.ended.Load()
}

// Current implements [auth.Session]. What a token has opened asks for it.
func (e *verified) Current() (*auth.Identity, error) {
	says, state, now := e.says.Load(), e.state.Load(), e.bearers.b.now().Unix()
	switch {
	case e.ended.Load(), says.over(now):
		return nil, auth.ErrSessionEnded
	case e.bearers.closed.Load():
		return nil, http.ErrServerClosed
	case state == nil, !e.bearers.fresh(), e.overdue(now):
		return nil, auth.ErrUnavailable
	case state.local.disabled:
		return nil, auth.ErrSessionEnded
	}
	return state.id, nil
}

// overdue tells whether the provider should have been asked again, and hasn't answered.
func (e *verified) overdue(now int64) bool {
	return e.text != "" && now >= e.says.Load().until+int64(askSlack/time.Second)
}

// Watch implements [auth.Session].
func (e *verified) Watch(changed func()) (stop func()) {
	unwatch := e.topic.Watch(changed)
	e.bearers.hold(e)
	return sync.OnceFunc(func() {
		unwatch()
		e.bearers.release(e)
	})
}
