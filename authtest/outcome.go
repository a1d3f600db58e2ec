package authtest

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"github.com/ostiary/auth"
)

// An outcome is what Identify returned.
type outcome struct {
	id  *auth.Identity
	err error
}

// identify asks the backend who sends r, after edit has changed r on arrival.
func (s *stand) identify(c Credential, edit ...func(*http.Request) *http.Request) outcome {
	s.t.Helper()
	got := make(chan outcome, 1)
	s.onArrival(s.request(http.MethodGet, c), func(r *http.Request) {
		for _, f := range edit {
			r = f(r)
		}
		id, err := s.Backend.Identify(r)
		got <- outcome{id, err}
	})
	o := <-got
	if problem := o.problem(); problem != "" {
		s.fail("%s", problem)
	}
	return o
}

// problem is why no backend may return o.
func (o outcome) problem() string {
	switch {
	case o.id == nil && o.err == nil:
		return "Identify returned neither an identity nor an error"
	case o.id != nil && o.err != nil:
		return fmt.Sprintf("Identify returned both identity %q and error %q", o.id.ID, o.err)
	case o.err != nil:
		return ""
	case o.id.ID == "":
		return "the identity has no ID"
	case o.id.User.Username == "":
		return fmt.Sprintf("identity %q has no username", o.id.ID)
	}
	if err := o.id.Permissions.Validate(); err != nil {
		return fmt.Sprintf("the permissions of %q are no grant: %v", o.id.ID, err)
	}
	return ""
}

func (o outcome) String() string {
	if o.err != nil {
		return fmt.Sprintf("error %q", o.err)
	}
	return fmt.Sprintf("identity %q", o.id.ID)
}

// refused: the outcome is one that says something about the caller, and lets nobody in.
func (o outcome) refused() bool {
	var limited *auth.LimitedError
	return errors.Is(o.err, auth.ErrNoCredentials) || errors.Is(o.err, auth.ErrInvalidCredentials) ||
		errors.Is(o.err, auth.ErrForbidden) || errors.As(o.err, &limited)
}

// is reports whether the guard treats o as want. Invalid and forbidden come before none in an error that is several.
func (o outcome) is(want error) bool {
	for _, err := range []error{auth.ErrInvalidCredentials, auth.ErrForbidden, auth.ErrNoCredentials} {
		if errors.Is(o.err, err) {
			return errors.Is(want, err)
		}
	}
	return false
}

// known identifies c, which must be good.
func (s *stand) known(c Credential) *auth.Identity {
	s.t.Helper()
	o := s.identify(c)
	if o.err != nil {
		s.fail("a good credential got %s, want an identity", o)
	}
	return o.id
}

// everything is each credential that the subject has, and none.
func (s *stand) everything() []Credential {
	list := []Credential{{}, s.Good}
	if s.Other.given() {
		list = append(list, s.Other)
	}
	return slices.Concat(list, s.Wrong, s.Stale, s.Forbidden)
}

// copyOf is a deep copy without the session.
func copyOf(id *auth.Identity) auth.Identity {
	c := *id
	c.Permissions = id.Permissions.Clone()
	c.Roles = slices.Clone(id.Roles)
	c.Session = nil
	return c
}

func sameIdentity(a, b *auth.Identity) bool { return reflect.DeepEqual(copyOf(a), copyOf(b)) }

func describe(id *auth.Identity) string { return fmt.Sprintf("%+v", copyOf(id)) }
