package auth

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Permissions maps resources to the actions allowed on them:
//
//	auth.Permissions{"contents": {"read", "write"}, "kernels": {"execute"}}
//
// As a requirement (see [Auth]) it names exact resources and actions. As a grant (see [Identity], [Role]) the
// action "*" stands for every action, and a resource that ends in "*" covers every resource that begins with what
// precedes it: "contents/*" covers "contents/a", not "contents". A "*" anywhere else is an error.
//
// The zero value holds nothing. A Permissions is a map: whoever shares one must not change it.
type Permissions map[string][]string

// Has reports whether the grant p holds action on resource. It allocates nothing. An empty resource or action is never held.
func (p Permissions) Has(resource, action string) bool {
	if len(p) == 0 || resource == "" || action == "" {
		return false
	}
	if grants(p[resource], action) {
		return true
	}
	// Every prefix of the resource followed by "*", the longest first, spelled in a buffer on the stack: nothing is
	// compiled, so a grant that changes can't leave a stale matcher behind.
	var buf [128]byte
	if len(resource) >= len(buf) {
		return p.coversLong(resource, action)
	}
	for n := copy(buf[:], resource); n >= 0; n-- {
		buf[n] = '*'
		if grants(p[string(buf[:n+1])], action) {
			return true
		}
	}
	return false
}

// coversLong goes through the grants instead: clients name resources too (see [Me]), and looking up every prefix would
// cost them little and the server the square of the length.
func (p Permissions) coversLong(resource, action string) bool {
	for name, actions := range p {
		prefix, wild := strings.CutSuffix(name, "*")
		if wild && strings.HasPrefix(resource, prefix) && grants(actions, action) {
			return true
		}
	}
	return false
}

func grants(actions []string, action string) bool {
	for _, a := range actions {
		if a == action || a == "*" {
			return true
		}
	}
	return false
}

// Validate reports the first entry of a grant that can't be meant: an empty or malformed name, or a "*" that is
// neither a whole action nor the end of a resource.
func (p Permissions) Validate() error {
	for _, resource := range slices.Sorted(maps.Keys(p)) {
		if err := validName(strings.TrimSuffix(resource, "*")); err != nil && resource != "*" {
			return fmt.Errorf("auth: resource %q: %w", resource, err)
		}
		for _, action := range p[resource] {
			if err := validAction(action); err != nil && action != "*" {
				return fmt.Errorf("auth: action %q on %q: %w", action, resource, err)
			}
		}
	}
	return nil
}

// String gives p in the form that [ParsePermissions] reads, sorted.
func (p Permissions) String() string {
	var b strings.Builder
	for _, resource := range slices.Sorted(maps.Keys(p)) {
		if len(p[resource]) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(resource + ":" + strings.Join(slices.Sorted(slices.Values(p[resource])), ","))
	}
	return b.String()
}

// ParsePermissions reads a grant written as "contents:read,write kernels:*": resources separated by white space, each
// with its actions behind the last colon, separated by commas. The empty text is the empty grant.
func ParsePermissions(s string) (Permissions, error) {
	p := Permissions{}
	for _, field := range strings.Fields(s) {
		i := strings.LastIndexByte(field, ':')
		if i < 0 {
			return nil, fmt.Errorf("auth: permission %q: want resource:action", field)
		}
		p.add(field[:i], strings.Split(field[i+1:], ","))
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return p, nil
}

// add grants actions on resource beside what p holds, naming none twice.
func (p Permissions) add(resource string, actions []string) {
	for _, action := range actions {
		if !slices.Contains(p[resource], action) {
			p[resource] = append(p[resource], action)
		}
	}
}

// Clone is a deep copy, so that who gets it can't widen the original. Nil stays nil.
func (p Permissions) Clone() Permissions {
	if p == nil {
		return nil
	}
	c := make(Permissions, len(p))
	for resource, actions := range p {
		c[resource] = slices.Clone(actions)
	}
	return c
}

func validAction(name string) error {
	if strings.ContainsRune(name, ':') {
		return errors.New("contains a colon")
	}
	return validName(name)
}

// validName refuses what the written form can't carry (white space, commas, control characters), so that one stored
// name can never be read back as two.
func validName(name string) error {
	switch {
	case name == "":
		return errors.New("is empty")
	case !utf8.ValidString(name):
		return errors.New("is not UTF-8")
	case strings.ContainsRune(name, '*'):
		return errors.New("has a misplaced *")
	case strings.ContainsFunc(name, func(r rune) bool { return r == ',' || unicode.IsSpace(r) || unicode.IsControl(r) }):
		return errors.New("contains a comma, white space or a control character")
	}
	return nil
}
