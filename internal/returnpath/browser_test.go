package returnpath_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

var droppedByBrowsers = strings.NewReplacer("\t", "", "\n", "", "\r", "")

// resolve tells where a browser that stands on https://app.example/base/login goes for a Location, by the URL
// standard's rules for http(s): the path (with query and fragment) when it stays on that origin, or false. It is the
// oracle of these tests, so it is checked itself against what browsers were seen to do, in testdata/redirects.tsv.
func resolve(location string) (target string, same bool) {
	s := strings.TrimFunc(location, func(r rune) bool { return r <= ' ' })
	s = droppedByBrowsers.Replace(s)
	if scheme, rest, ok := cutScheme(s); ok {
		if scheme != "https" {
			return "", false
		}
		s = rest // the page's own scheme: what follows is a relative reference, even behind one slash
	}
	tail := ""
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s, tail = s[:i], s[i:]
	}
	path := slashes(s)
	switch {
	case strings.HasPrefix(path, "//"):
		authority, rest, _ := strings.Cut(strings.TrimLeft(path, "/"), "/")
		host := strings.ToLower(authority[strings.LastIndex(authority, "@")+1:])
		if host != "app.example" && host != "app.example:443" {
			return "", false
		}
		path = "/" + rest
	case path == "":
		return "/base/login" + tail, true
	case path[0] != '/':
		path = "/base/" + path
	}
	return removeDots(path) + tail, true
}

// slashes writes the path's backslashes as browsers read them.
func slashes(s string) string { return strings.ReplaceAll(s, `\`, "/") }

func cutScheme(s string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(s, ":")
	if !ok || scheme == "" {
		return "", s, false
	}
	for i, c := range strings.ToLower(scheme) {
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", c)) {
			return "", s, false
		}
	}
	return strings.ToLower(scheme), rest, true
}

func removeDots(path string) string {
	var out []string
	segments := strings.Split(path[1:], "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case "..":
			out = out[:max(len(out)-1, 0)]
		case ".":
		default:
			out = append(out, segment)
			continue
		}
		if last {
			out = append(out, "")
		}
	}
	return "/" + strings.Join(out, "/")
}

// encoded writes s as a browser shows it: everything but printable ASCII percent-encoded.
func encoded(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", s[i])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// observation is a line of redirects.tsv: a payload, and where a browser went for it.
type observation struct {
	payload string
	went    string // "same " and the path, "OFF " and the origin, another scheme, or "invalid"
}

func observations(t testing.TB) []observation {
	t.Helper()
	f, err := os.Open("testdata/redirects.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []observation
	lines := bufio.NewScanner(f)
	lines.Scan() // the column names
	for lines.Scan() {
		columns := strings.Split(lines.Text(), "\t")
		o := observation{went: columns[1]}
		if err := json.Unmarshal([]byte(columns[0]), &o.payload); err != nil {
			t.Fatalf("payload %s: %v", columns[0], err)
		}
		all = append(all, o)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(all) != 124 {
		t.Fatalf("read %d observations, want 124", len(all))
	}
	return all
}

// A test that trusts a wrong oracle proves nothing.
func TestTheOracleAgreesWithBrowsers(t *testing.T) {
	t.Parallel()
	for _, o := range observations(t) {
		got := "elsewhere"
		if target, same := resolve(o.payload); same {
			got = "same " + encoded(target)
		}
		want := o.went
		if !strings.HasPrefix(want, "same /") {
			want = "elsewhere" // another origin or scheme, or no URL at all
		}
		if got != want {
			t.Errorf("resolve(%q) = %q, want %q", o.payload, got, want)
		}
	}
}
