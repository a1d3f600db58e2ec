package authtest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/ostiary/auth"
)

// clubBreaks are the ways to break the rules, each with those that must catch it.
var clubBreaks = []struct {
	name   string
	damage func(*club)
	caught []string
}{
	{"answers nothing to strangers", identifying(func(o seenOutcome) seenOutcome {
		if errors.Is(o.err, auth.ErrNoCredentials) {
			o.err = nil
		}
		return o
	}), []string{"anonymous", "one answer", "stale"}},
	{"returns an identity with its error", identifying(func(o seenOutcome) seenOutcome {
		if o.err != nil {
			o.id = &auth.Identity{ID: "club:none", User: auth.User{Username: "none"}}
		}
		return o
	}), []string{"anonymous", "one answer"}},
	{"gives no ID", altering(func(id *auth.Identity) { id.ID = "" }), []string{"good", "one answer", "guard"}},
	{"gives no username", altering(func(id *auth.Identity) { id.User.Username = "" }), []string{"good", "one answer"}},
	{"grants with a misplaced star", altering(func(id *auth.Identity) { id.Permissions = auth.Permissions{"no*tes": {"read"}} }), []string{"good"}},
	{"gives everybody one ID", altering(func(id *auth.Identity) { id.ID = "club:member" }), []string{"another"}},
	{"gives a new ID each time", func(c *club) {
		var n atomic.Int64
		altering(func(id *auth.Identity) { id.ID += strings.Repeat("'", int(n.Add(1))) })(c)
	}, []string{"good", "session current"}},
	{"lets everybody in", identifying(func(o seenOutcome) seenOutcome {
		if o.err != nil {
			o.id, o.err = &auth.Identity{ID: "club:guest", User: auth.User{Username: "guest"}}, nil
		}
		return o
	}), []string{"anonymous", "wrong", "stale", "forbidden", "guard", "chain", "socket refused", "session end", "close"}},
	{"calls a cookie explicit", altering(func(id *auth.Identity) { id.Explicit = true }), []string{"explicit", "origin", "socket origin"}},
	{"grants everything", altering(func(id *auth.Identity) { id.Unrestricted = true }), []string{"permissions", "session current"}},
	{"grants nothing", altering(func(id *auth.Identity) { id.Permissions = nil }), []string{"permissions", "socket", "session current"}},
	{"passes a wrong credential on", replacing(auth.ErrInvalidCredentials, auth.ErrNoCredentials), []string{"wrong", "chain"}},
	{"refuses strangers for good", replacing(auth.ErrNoCredentials, auth.ErrInvalidCredentials), []string{"anonymous", "stale", "chain"}},
	{"calls who is forbidden unknown", replacing(auth.ErrForbidden, auth.ErrNoCredentials), []string{"forbidden", "guard", "chain"}},
	{"calls strangers a fault", replacing(auth.ErrNoCredentials, errors.New("no cookie")), []string{"anonymous", "malformed", "guard"}},
	{"panics on what it can't read", before(func(r *http.Request) {
		if c, err := r.Cookie("club"); err == nil {
			_ = c.Value[:6]
		}
	}), []string{"malformed"}},
	{"believes the first of two", func(c *club) {
		look := c.identify
		c.identify = func(r *http.Request) (*auth.Identity, error) {
			if cookies := r.CookiesNamed("club"); len(cookies) > 1 {
				r = r.Clone(r.Context())
				r.Header.Set("Cookie", cookies[0].Name+"="+cookies[0].Value)
			}
			return look(r)
		}
	}, []string{"twice"}},
	{"takes a client that has left for a stranger", func(c *club) {
		look := c.identify
		c.identify = func(r *http.Request) (*auth.Identity, error) {
			if r.Context().Err() != nil {
				return nil, auth.ErrNoCredentials
			}
			return look(r)
		}
	}, []string{"cancelled"}},
	{"parses the form (A-28)", before(func(r *http.Request) { _ = r.FormValue("token") }), []string{"request"}},
	{"reads the body", before(func(r *http.Request) { _, _ = io.ReadAll(r.Body) }), []string{"request"}},
	{"replaces the body", before(func(r *http.Request) { r.Body = http.NoBody }), []string{"request"}},
	{"strips its header", before(func(r *http.Request) { r.Header.Del("Cookie") }), []string{"request", "good"}},
	{"notes the user in a header", before(func(r *http.Request) { r.Header.Set("X-User", "ada") }), []string{"request"}},
	{"takes the token out of the address", before(func(r *http.Request) { r.URL.RawQuery = "" }), []string{"request"}},
	{"changes identities that it has handed out", func(c *club) {
		c.store = func(id auth.Identity, u auth.UserUpdate) (auth.User, error) {
			for _, cell := range c.members {
				if now, _ := cell.Load(); now.ID == id.ID {
					now.User = u.Apply(now.User)
					return now.User, nil
				}
			}
			return auth.User{}, errors.ErrUnsupported
		}
	}, []string{"shared"}},
	{"mixes up those who come at once", func(c *club) {
		meet := make(chan *auth.Identity)
		look := c.identify
		c.identify = func(r *http.Request) (*auth.Identity, error) {
			id, err := look(r)
			if err != nil {
				return nil, err
			}
			ctx, cancel := context.WithTimeout(r.Context(), pause)
			defer cancel()
			select {
			case meet <- id:
			case id = <-meet:
			case <-ctx.Done():
			}
			return id, nil
		}
	}, []string{"concurrent"}},
	{"puts a secret into its error", func(c *club) {
		look := c.identify
		c.identify = func(r *http.Request) (*auth.Identity, error) {
			id, err := look(r)
			if err != nil {
				err = errors.Join(err, errors.New(r.Header.Get("Authorization")))
			}
			return id, err
		}
	}, []string{"secrets"}},
	{"logs a secret", func(c *club) {
		look := c.identify
		c.identify = func(r *http.Request) (*auth.Identity, error) {
			c.logger.Debug("who is this?", "cookie", r.Header.Get("Cookie"))
			return look(r)
		}
	}, []string{"secrets"}},
	{"has a session that is somebody else's", sessions(func(s auth.Session) auth.Session {
		return brokenSession{Session: s, current: func() (*auth.Identity, error) {
			id, err := s.Current()
			if err != nil {
				return nil, err
			}
			other := *id
			other.ID = "club:other"
			return &other, nil
		}}
	}), []string{"session current"}},
	{"has a session that never tells", sessions(func(s auth.Session) auth.Session {
		return brokenSession{Session: s, watch: func(func()) func() { return func() {} }}
	}), []string{"session watch", "session end closes", "close"}},
	{"tells after stop", sessions(func(s auth.Session) auth.Session {
		return brokenSession{Session: s, watch: func(changed func()) func() {
			s.Watch(changed)
			return func() {}
		}}
	}), []string{"session watch"}},
	{"panics when stop is called twice", sessions(func(s auth.Session) auth.Session {
		return brokenSession{Session: s, watch: func(changed func()) func() {
			stop := s.Watch(changed)
			return func() { stop(); stop = nil }
		}}
	}), []string{"session watch"}},
	{"doesn't end", func(c *club) { c.end = func() {} }, []string{"session watch", "session end", "session end closes"}},
	{"ends for everybody", func(c *club) {
		c.end = func() {
			for _, cell := range c.members {
				cell.End(auth.ErrSessionEnded)
			}
		}
	}, []string{"session end"}},
	{"ends as if it couldn't tell", func(c *club) {
		c.end = func() { c.members[adasSecret].End(auth.ErrUnavailable) }
	}, []string{"session watch", "session end closes"}},
	{"takes an ended session for a wrong credential", func(c *club) {
		look := c.identify
		c.identify = func(r *http.Request) (*auth.Identity, error) {
			if _, err := c.members[adasSecret].Load(); err != nil {
				return nil, auth.ErrInvalidCredentials
			}
			return look(r)
		}
	}, []string{"session end"}},
	{"calls an outage an answer", replacing(auth.ErrUnavailable, auth.ErrNoCredentials), []string{"outage", "close"}},
	{"doesn't close", func(c *club) { c.close = func() {} }, []string{"close"}},
	{"closes without closing sockets", func(c *club) { c.close = func() { c.closed.Store(true) } }, []string{"close"}},
	{"stores a profile for everybody", func(c *club) {
		c.store = func(_ auth.Identity, u auth.UserUpdate) (user auth.User, err error) {
			for _, cell := range c.members {
				id, _ := cell.Load()
				user, err = c.change(*id, u)
			}
			return user, err
		}
	}, []string{"profile"}},
	{"forgets what an update doesn't name", func(c *club) {
		c.store = func(id auth.Identity, u auth.UserUpdate) (auth.User, error) {
			empty := ""
			for _, field := range []**string{&u.DisplayName, &u.Color, &u.Settings} {
				if *field == nil {
					*field = &empty
				}
			}
			return c.change(id, u)
		}
	}, []string{"profile"}},
	{"grants a right with a profile", func(c *club) {
		c.store = func(id auth.Identity, u auth.UserUpdate) (user auth.User, err error) {
			user, err = c.change(id, u)
			_ = c.members[adasSecret].Update(func(old *auth.Identity) *auth.Identity {
				promoted := *old
				promoted.Unrestricted = true
				return &promoted
			})
			return user, err
		}
	}, []string{"profile"}},
	{"doesn't store what it says it has", func(c *club) {
		c.store = func(id auth.Identity, u auth.UserUpdate) (auth.User, error) { return u.Apply(id.User), nil }
	}, []string{"profile"}},
	{"fails to store", func(c *club) {
		c.store = func(auth.Identity, auth.UserUpdate) (auth.User, error) { return auth.User{}, errors.New("disk full") }
	}, []string{"profile"}},
	{"stores what it says it can't", func(c *club) {
		c.store = func(id auth.Identity, u auth.UserUpdate) (auth.User, error) {
			_, _ = c.change(id, u)
			return auth.User{}, errors.ErrUnsupported
		}
	}, []string{"profile"}},
	{"has its login page elsewhere", challenging(func(ch *auth.Challenge) { ch.LoginPath = "//sso.example/login" }), []string{"challenge"}},
	{"has a malformed challenge", challenging(func(ch *auth.Challenge) { ch.WWWAuthenticate = []string{"Club\r\nX-Evil: 1"} }), []string{"challenge"}},
	{"sets a cookie with a refusal", challenging(func(ch *auth.Challenge) {
		ch.SetCookies = []*http.Cookie{{Name: "club", Value: "new", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}}
	}), []string{"challenge"}},
	{"sets a cookie that scripts can read", responding(func(e *auth.Effects) { e.SetCookies[0].HttpOnly = false }), []string{"respond"}},
	{"sets a cookie that foreign pages send", responding(func(e *auth.Effects) { e.SetCookies[0].SameSite = 0 }), []string{"respond"}},
	{"sets a cookie without a path", responding(func(e *auth.Effects) { e.SetCookies[0].Path = "" }), []string{"respond"}},
	{"goes on to another site", responding(func(e *auth.Effects) { e.RedirectTo = `/\evil.example` }), []string{"respond"}},
	{"goes on to an address with the secret", responding(func(e *auth.Effects) { e.RedirectTo = "/?token=" + adasSecret }), []string{"respond"}},
	{"fails to respond", func(c *club) {
		c.respond = func(*http.Request, *auth.Identity) (auth.Effects, error) {
			return auth.Effects{}, errors.New("no")
		}
	}, []string{"respond", "guard"}},
	{"names a header in small letters", func(c *club) { c.vary = []string{"club-card"} }, []string{"vary"}},
	{"has routes that strangers break", func(c *club) {
		c.routes = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
	}, []string{"routes"}},
	{"has a page for every path", func(c *club) { c.routes = func(http.ResponseWriter, *http.Request) {} }, []string{"routes"}},
}

type seenOutcome struct {
	id  *auth.Identity
	err error
}

// identifying changes what Identify returns.
func identifying(f func(seenOutcome) seenOutcome) func(*club) {
	return func(c *club) {
		look := c.identify
		c.identify = func(r *http.Request) (*auth.Identity, error) {
			id, err := look(r)
			o := f(seenOutcome{id, err})
			return o.id, o.err
		}
	}
}

// altering changes the identities that Identify returns.
func altering(f func(*auth.Identity)) func(*club) {
	return identifying(func(o seenOutcome) seenOutcome {
		if o.id != nil {
			id := *o.id
			f(&id)
			o.id = &id
		}
		return o
	})
}

// replacing returns another error.
func replacing(old, other error) func(*club) {
	return identifying(func(o seenOutcome) seenOutcome {
		if errors.Is(o.err, old) {
			o.err = other
		}
		return o
	})
}

// before does something with the request before it is looked at.
func before(f func(*http.Request)) func(*club) {
	return func(c *club) {
		look := c.identify
		c.identify = func(r *http.Request) (*auth.Identity, error) {
			f(r)
			return look(r)
		}
	}
}

func challenging(f func(*auth.Challenge)) func(*club) {
	return func(c *club) {
		challenge := c.challenge
		c.challenge = func(r *http.Request, err error) auth.Challenge {
			ch := challenge(r, err)
			f(&ch)
			return ch
		}
	}
}

func responding(f func(*auth.Effects)) func(*club) {
	return func(c *club) {
		respond := c.respond
		c.respond = func(r *http.Request, id *auth.Identity) (auth.Effects, error) {
			e, err := respond(r, id)
			f(&e)
			return e, err
		}
	}
}

// sessions changes the sessions of the identities that Identify returns.
func sessions(f func(auth.Session) auth.Session) func(*club) {
	return altering(func(id *auth.Identity) { id.Session = f(id.Session) })
}

type brokenSession struct {
	auth.Session
	current func() (*auth.Identity, error)
	watch   func(func()) func()
}

func (s brokenSession) Current() (*auth.Identity, error) {
	if s.current != nil {
		return s.current()
	}
	return s.Session.Current()
}

func (s brokenSession) Watch(changed func()) func() {
	if s.watch != nil {
		return s.watch(changed)
	}
	return s.Session.Watch(changed)
}
