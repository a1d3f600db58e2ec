package authtest

import (
	"errors"
	"net/http"
	"reflect"

	"github.com/ostiary/auth"
)

func profileRules() []rule {
	return []rule{
		{"profile", "UpdateUser changes what it is asked to, for the caller alone, and no rights; or it is errors.ErrUnsupported and changes nothing", testProfile},
	}
}

func ptr[T any](v T) *T { return &v }

// update has the owner of the good credential change the own profile, in a handler.
func (s *stand) update(u auth.UserUpdate) (user auth.User, err error) {
	s.t.Helper()
	done := make(chan struct{}, 1)
	s.serve(s.guard.CurrentUser(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		user, err = s.guard.UpdateUser(r.Context(), u)
		done <- struct{}{}
	})))
	a := s.do(s.edited(s.Good, []func(*http.Request){post, s.own}))
	if len(done) == 0 {
		s.fail("a good credential: got %d, want 200", a.status)
	}
	<-done
	return user, err
}

func testProfile(s *stand) {
	before := copyOf(s.known(s.Good))
	var other auth.Identity
	if s.Other.given() {
		other = copyOf(s.known(s.Other))
	}
	want := before
	// One field after the other: what isn't named stays.
	for _, u := range []auth.UserUpdate{
		{DisplayName: ptr("Authtest Ä")},
		{Color: ptr("#123456"), Settings: ptr(`{"a": 1}`)},
	} {
		user, err := s.update(u)
		if err == nil {
			want.User = u.Apply(want.User)
			if user != named(want.User) {
				s.fail("UpdateUser returned %+v, want %+v", user, named(want.User))
			}
		} else if !errors.Is(err, errors.ErrUnsupported) {
			s.fail("UpdateUser: got error %q, want none or errors.ErrUnsupported", err)
		}
		id := s.known(s.Good)
		if now := copyOf(id); !reflect.DeepEqual(now, want) {
			s.fail("after UpdateUser Identify gives %+v, want %+v", now, want)
		}
		if id.Session == nil {
			continue
		}
		if now, err := id.Session.Current(); err != nil || now.User != want.User {
			s.fail("after UpdateUser Current gives %+v and error %v, want %+v", now, err, want.User)
		}
	}
	if !s.Other.given() {
		return
	}
	if now := copyOf(s.known(s.Other)); !reflect.DeepEqual(now, other) {
		s.fail("somebody else was %+v and became %+v", other, now)
	}
}

// named fills names as package auth does, for whoever is shown a user.
func named(u auth.User) auth.User {
	j := u.Jupyter()
	u.Name, u.DisplayName = j.Name, j.DisplayName
	return u
}
