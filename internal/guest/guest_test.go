package guest_test

import (
	"encoding/binary"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/guest"
)

func TestNewID(t *testing.T) {
	t.Parallel()
	seen := map[guest.ID]bool{}
	for range 1000 {
		id := guest.NewID()
		if seen[id] || id == (guest.ID{}) {
			t.Fatalf("id %s came twice or is empty", id)
		}
		seen[id] = true
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	id := guest.ID{0: 0x0a, 1: 0xFF, 15: 1}
	if got, want := id.String(), "0aff0000000000000000000000000001"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}

func TestDeriveID(t *testing.T) {
	t.Parallel()
	base := guest.DeriveID([]byte("secret"), "api")
	// A known answer: ids outlive a process, so the derivation can't change unnoticed. It is
	// SHA-256(uint64(3) "api" "secret"), cut after 16 bytes.
	if got, want := base.String(), "836fe4baeb880cd1189b376496465cf2"; got != want {
		t.Errorf("DeriveID = %s, want %s", got, want)
	}
	if again := guest.DeriveID([]byte("secret"), "api"); again != base {
		t.Errorf("derived %s, then %s from the same arguments", base, again)
	}

	tests := []struct {
		name, secret, purpose string
	}{
		{"another secret", "secret2", "api"},
		{"another purpose", "secret", "cookie"},
		{"no secret", "", "api"},
		{"no purpose", "secret", ""},
		{"a byte moved from the secret to the purpose", "ecret", "apis"},
		{"a byte moved from the purpose to the secret", "isecret", "ap"},
		{"a trailing zero byte", "secret\x00", "api"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := guest.DeriveID([]byte(tt.secret), tt.purpose); got == base {
				t.Errorf("DeriveID(%q, %q) = %s, the id of other arguments", tt.secret, tt.purpose, got)
			}
		})
	}
}

// JV44, JV45: "Anonymous <Moon>" with a moon of the list, initials "A" and the moon's first letter, a colour.
func TestProfileIsAnonymousMoon(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("moons.txt")
	if err != nil {
		t.Fatal(err)
	}
	moons := strings.Fields(string(text))
	if got, want := len(moons), 57; got != want {
		t.Fatalf("%d moons, want %d", got, want)
	}
	if sorted := slices.Sorted(slices.Values(moons)); len(slices.Compact(sorted)) != len(moons) {
		t.Error("a moon is listed twice")
	}

	color := regexp.MustCompile(`^#[0-9a-f]{6}$`)
	for range 1000 {
		id := guest.NewID()
		p := id.Profile()
		moon, ok := strings.CutPrefix(p.Name, "Anonymous ")
		if !ok || !slices.Contains(moons, moon) {
			t.Errorf("%s: Name = %q, want Anonymous and a moon", id, p.Name)
		}
		if want := "A" + moon[:1]; p.Initials != want {
			t.Errorf("%s: Initials = %q, want %q", id, p.Initials, want)
		}
		if !color.MatchString(p.Color) {
			t.Errorf("%s: Color = %q, want #rrggbb", id, p.Color)
		}
	}
}

// JV51: name, initials and colour stay, between calls and between releases.
func TestProfileStays(t *testing.T) {
	t.Parallel()
	for range 1000 {
		id := guest.NewID()
		if first, second := id.Profile(), id.Profile(); first != second {
			t.Fatalf("%s: %+v, then %+v", id, first, second)
		}
	}

	tests := []struct {
		name string
		id   guest.ID
		want guest.Profile
	}{
		{"the zero id is the first moon and colour", guest.ID{}, guest.Profile{Name: "Anonymous Metis", Initials: "AM", Color: "#c81e32"}},
		{"the first half chooses the moon", guest.ID{7: 7}, guest.Profile{Name: "Anonymous Callisto", Initials: "AC", Color: "#c81e32"}},
		{"the second half chooses the colour", guest.ID{15: 9}, guest.Profile{Name: "Anonymous Metis", Initials: "AM", Color: "#0a6ebd"}},
		{"the last moon and colour", guest.ID{7: 56, 15: 13}, guest.Profile{Name: "Anonymous Sinope", Initials: "AS", Color: "#c2188f"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.id.Profile(); got != tt.want {
				t.Errorf("Profile() = %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestProfileAllocatesNothing(t *testing.T) {
	id := guest.NewID()
	var sink guest.Profile
	if got := testing.AllocsPerRun(100, func() { sink = id.Profile() }); got != 0 {
		t.Errorf("Profile allocates %v times, want 0 (last: %+v)", got, sink)
	}
}

// The ids are derived from a counter, so that the test gives the same verdict in every run.
func TestProfilesAreEvenlyDistributed(t *testing.T) {
	t.Parallel()
	const n = 100_000
	names, colors, pairs := map[string]int{}, map[string]int{}, map[string]int{}
	for i := range n {
		p := guest.DeriveID(binary.BigEndian.AppendUint64(nil, uint64(i)), "distribution").Profile()
		names[p.Name]++
		colors[p.Color]++
		pairs[p.Name+p.Color]++
	}

	tests := []struct {
		name   string
		counts map[string]int
		cells  int
	}{
		{"moons", names, 57},
		{"colours", colors, 14},
		{"moons and colours together, so that neither tells the other", pairs, 57 * 14},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := len(tt.counts); got != tt.cells {
				t.Fatalf("%d of %d occur", got, tt.cells)
			}
			// Pearson's chi-squared; its mean is the degrees of freedom, its standard deviation sqrt(2*df).
			want, chi := float64(n)/float64(tt.cells), 0.0
			for _, c := range tt.counts {
				chi += (float64(c) - want) * (float64(c) - want) / want
			}
			df := float64(tt.cells - 1)
			if limit := df + 5*math.Sqrt(2*df); chi > limit {
				t.Errorf("chi-squared = %.1f with %v degrees of freedom, want at most %.1f", chi, df, limit)
			}
		})
	}
}

func TestColors(t *testing.T) {
	t.Parallel()
	var palette []string
	for i := range 256 {
		if c := (guest.ID{15: byte(i)}).Profile().Color; !slices.Contains(palette, c) {
			palette = append(palette, c)
		}
	}
	if n := len(palette); n < 12 || n > 16 {
		t.Fatalf("%d colours, want 12 to 16", n)
	}
	for i, a := range palette {
		if got := 1.05 / (luminance(t, a) + 0.05); got < 4.5 {
			t.Errorf("%s has contrast %.2f with white, want at least 4.5", a, got)
		}
		for _, b := range palette[:i] {
			if got := distance(t, a, b); got < 0.08 {
				t.Errorf("%s and %s are only %.3f apart in OKLab, want at least 0.08", a, b, got)
			}
		}
	}
}

// linear returns the colour's linear-light sRGB components, 0 to 1.
func linear(t *testing.T, color string) (rgb [3]float64) {
	t.Helper()
	for i := range rgb {
		n, err := strconv.ParseUint(color[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatalf("colour %q: %v", color, err)
		}
		rgb[i] = float64(n) / 255
		if rgb[i] <= 0.04045 {
			rgb[i] /= 12.92
		} else {
			rgb[i] = math.Pow((rgb[i]+0.055)/1.055, 2.4)
		}
	}
	return rgb
}

// luminance is WCAG's relative luminance; the contrast of a and a lighter b is (b+0.05)/(a+0.05).
func luminance(t *testing.T, color string) float64 {
	t.Helper()
	c := linear(t, color)
	return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2]
}

// distance is Euclidean in OKLab, where equal steps look about equally large (black to white is 1).
func distance(t *testing.T, a, b string) float64 {
	t.Helper()
	p, q := oklab(t, a), oklab(t, b)
	return math.Hypot(math.Hypot(p[0]-q[0], p[1]-q[1]), p[2]-q[2])
}

func oklab(t *testing.T, color string) [3]float64 {
	t.Helper()
	c := linear(t, color)
	l := math.Cbrt(0.4122214708*c[0] + 0.5363325363*c[1] + 0.0514459929*c[2])
	m := math.Cbrt(0.2119034982*c[0] + 0.6806995451*c[1] + 0.1073969566*c[2])
	s := math.Cbrt(0.0883024619*c[0] + 0.2817188376*c[1] + 0.6299787005*c[2])
	return [3]float64{
		0.2104542553*l + 0.7936177850*m - 0.0040720468*s,
		1.9779984951*l - 2.4285922050*m + 0.4505937099*s,
		0.0259040371*l + 0.7827717662*m - 0.8086757660*s,
	}
}
