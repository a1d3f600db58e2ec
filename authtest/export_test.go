package authtest

import (
	"reflect"
	"testing"
	"time"

	"github.com/ostiary/auth"
)

// RunRules gives each rule to run, for tests of the suite itself. Little patience is enough to see what never happens.
func RunRules(patience time.Duration, setup func(testing.TB, auth.Config) Subject, run func(name string, check func(testing.TB))) {
	for _, r := range rules() {
		run(r.name, func(t testing.TB) { r.check(newStand(t, r, patience, setup)) })
	}
}

// PatternsOf reads the patterns of what a pointer to a ServeMux, or to anything else, points to.
func PatternsOf(mux any) ([]string, error) { return patternsOf(reflect.ValueOf(mux).Elem()) }
