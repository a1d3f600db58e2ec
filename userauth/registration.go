package userauth

import (
	"errors"
	"fmt"
	"time"

	"github.com/ostiary/auth/internal/limit"
)

// Registration says who may make an account for themselves, at the page /register below the mount point. Whoever does gets
// what Config.DefaultRoles hold and nothing else, is not logged in by it, and is no admin for being the first.
//
// With [Accounts.Add] and the command useradmin an admin makes users whatever it says.
type Registration int

const (
	// RegistrationClosed lets nobody in but whom an admin has invited: see [Accounts.Invite]. Without invitations nobody
	// can register. Beside Config.Authenticators whoever is invited can take a name that one of them knows, and that user
	// can't log in any more: there a Hooks.BeforeRegister should ask whether the name is somebody's.
	RegistrationClosed Registration = iota
	// RegistrationOpen lets anybody register who finds the page, and invitations count as well. It tells strangers which
	// usernames are taken, as it must. It can't stand beside Config.Authenticators: a stranger could take the name of
	// somebody whom one of them knows.
	RegistrationOpen
)

func (g Registration) check(authenticators []Authenticator) error {
	switch {
	case g != RegistrationClosed && g != RegistrationOpen:
		return fmt.Errorf("want RegistrationClosed or RegistrationOpen as Registration, not %d", int(g))
	case g == RegistrationOpen && len(authenticators) > 0:
		return errors.New("RegistrationOpen beside Authenticators: strangers could take the names that these know")
	}
	return nil
}

// newcomerLimits bound how many accounts strangers make, and how many names they find out to be taken. By address: 20 at
// once, then with a growing wait. In total: 500 at once, then one in ten seconds. Nothing is given back for a success.
//
// An invitation has a limit of its own (the rule of a device) instead of these: a class that registers at once comes from
// one address, and an admin has decided how many they are.
func newcomerLimits(now func() time.Time) limit.Config {
	return limit.Config{
		Address: limit.Rule{Free: 20, First: 10 * time.Second, Max: 10 * time.Minute, Forget: 24 * time.Hour},
		Total:   limit.Rate{Burst: 500, Every: 10 * time.Second},
		Now:     now,
	}
}
