package guest

import (
	_ "embed"
	"encoding/binary"
	"strings"
)

// Profile is how a guest appears to others.
type Profile struct {
	Name     string // "Anonymous Callisto"
	Initials string // "AC"
	Color    string // CSS "#rrggbb", readable under white text (WCAG 2 contrast of 4.5:1 or more)
}

// Profile returns the appearance that belongs to id. It is a pure function of id and allocates nothing. Two guests can
// share a name or a colour (57 names, 14 colours); only the id is unique.
func (id ID) Profile() Profile {
	// Each choice has a half of the id to itself, so that a name says nothing about the colour. The remainder of a
	// 64-bit number favours no entry by more than one part in 10^17.
	p := moons[binary.BigEndian.Uint64(id[:8])%uint64(len(moons))]
	p.Color = colors[binary.BigEndian.Uint64(id[8:])%uint64(len(colors))]
	return p
}

//go:embed moons.txt
var moonsTxt string

// moons holds a profile, still without a colour, for each of Jupiter's named moons. The file's order and length are
// part of what an id means: a change renames guests.
var moons = readMoons(moonsTxt)

func readMoons(text string) []Profile {
	var list []Profile
	for moon := range strings.FieldsSeq(text) {
		list = append(list, Profile{Name: "Anonymous " + moon, Initials: "A" + moon[:1]})
	}
	return list
}

// colors are far enough apart to be told from each other at a glance, and dark enough for white initials on them.
var colors = [...]string{
	"#c81e32", // crimson
	"#7f1239", // wine
	"#b4500a", // amber
	"#6b4030", // brown
	"#7a6200", // olive
	"#2e7d32", // green
	"#14532d", // pine
	"#00797a", // teal
	"#4b5a66", // slate
	"#0a6ebd", // blue
	"#1e3a8a", // navy
	"#5b4be0", // indigo
	"#7b1fa2", // purple
	"#c2188f", // magenta
}
