package userauth

import (
	"slices"
	"strings"

	"github.com/ostiary/auth"
)

// intersect is what two grants both hold: for every resource and action, intersect(p, q).Has is p.Has && q.Has. A grant
// is the union of its entries, so what two hold in common is the union of what each pair of entries has in common, and
// that of one pair is one entry again, or none.
func intersect(p, q auth.Permissions) auth.Permissions {
	both := auth.Permissions{}
	for a, as := range p {
		for b, bs := range q {
			if resource, ok := commonResource(a, b); ok {
				both[resource] = union(both[resource], commonActions(as, bs))
			}
		}
	}
	for resource, actions := range both {
		if len(actions) == 0 {
			delete(both, resource)
		}
	}
	return both
}

// commonResource is the entry's resource that covers exactly what a and b both cover. Of two that end in * it is the
// longer one, if the shorter covers it.
func commonResource(a, b string) (resource string, ok bool) {
	if a == b || covers(a, b) {
		return b, true
	}
	return a, covers(b, a)
}

// covers tells whether wide ends in * and what precedes that begins narrow, which may end in * itself.
func covers(wide, narrow string) bool {
	prefix, wild := strings.CutSuffix(wide, "*")
	return wild && strings.HasPrefix(narrow, prefix)
}

func commonActions(as, bs []string) []string {
	switch {
	case slices.Contains(as, "*"):
		return bs
	case slices.Contains(bs, "*"):
		return as
	}
	var both []string
	for _, a := range as {
		if slices.Contains(bs, a) {
			both = append(both, a)
		}
	}
	return both
}

// union is a copy: what is given may be somebody's grant.
func union(as, bs []string) []string {
	all := slices.Concat(as, bs)
	slices.Sort(all)
	return slices.Compact(all)
}
