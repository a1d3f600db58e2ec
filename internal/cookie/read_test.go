package cookie_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/cookie"
)

func TestRead(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", cookie.MaxValue)
	const http, https = false, true
	for _, c := range []struct {
		name  string
		host  string
		https bool
		lines []string
		want  string
		n     int
	}{
		{"no header", "app.example", https, nil, "", 0},
		{"an empty header", "app.example", https, []string{""}, "", 0},
		{"the cookie alone", "app.example", https, []string{"__Host-session=V"}, "V", 1},
		{"among others", "app.example", https, []string{"a=1; __Host-session=V; b=2"}, "V", 1},
		{"without spaces", "app.example", https, []string{"a=1;__Host-session=V;b=2;"}, "V", 1},
		{"between spaces and tabs", "app.example", https, []string{"a=1; \t __Host-session=V \t; b=2"}, "V", 1},
		{"with = in the value", "app.example", https, []string{"__Host-session=V=="}, "V==", 1},
		{"with an empty value", "app.example", https, []string{"__Host-session="}, "", 1},
		{"C-11: in a second header", "app.example", https, []string{"a=1", "__Host-session=V"}, "V", 1},
		{"over http with a port", "localhost:8888", http, []string{"session-8888=V"}, "V", 1},
		{"over http without a port", "localhost", http, []string{"session-80=V"}, "V", 1},
		{"over http on IPv6", "[::1]:8888", http, []string{"session-8888=V"}, "V", 1},

		{"C-04: https doesn't read the name without a prefix", "app.example:8443", https, []string{"session=V; session-8443=V; session-443=V; session-80=V"}, "", 0},
		{"http doesn't read the name with the prefix", "localhost:8888", http, []string{"__Host-session=V; __Host-session-8888=V; session=V"}, "", 0},
		{"C-05: tossed before ours", "app.example", https, []string{"__Host-session=ATTACKER; __Host-session=VICTIM"}, "", 2},
		{"C-05: in two headers", "app.example", https, []string{"__Host-session=ATTACKER", "__Host-session=VICTIM"}, "", 2},
		{"C-05: the same value twice", "app.example", https, []string{"__Host-session=V; __Host-session=V; __Host-session=V"}, "", 3},
		{"C-05: over http", "localhost", http, []string{"session-80=ATTACKER; session-80=VICTIM"}, "", 2},
		{"C-06: the prefix in another case", "app.example", https, []string{"__host-session=V; __HOST-session=V"}, "", 0},
		{"the base in another case", "app.example", https, []string{"__Host-Session=V"}, "", 0},
		{"C-07: a space after the name", "app.example", https, []string{"__Host-session =V"}, "", 0},
		{"C-07: a tab after the name", "app.example", https, []string{"__Host-session\t=V"}, "", 0},
		{"C-07: the name in the value of a nameless cookie", "app.example", https, []string{"=__Host-session=V"}, "", 0},
		{"C-07: the same after a space", "app.example", https, []string{" =__Host-session=V"}, "", 0},
		{"C-07: the name alone", "app.example", https, []string{"__Host-session"}, "", 0},
		{"C-07: over http", "localhost", http, []string{"session-80 =V; =session-80=V; session-80"}, "", 0},
		{"C-07: a tossed one beside ours", "app.example", https, []string{"__Host-session =ATTACKER; __Host-session=V"}, "V", 1},
		{"C-08: a quoted value keeps its quotes", "app.example", https, []string{`__Host-session="V"`}, `"V"`, 1},
		{"C-08: quotes hide no semicolon", "app.example", https, []string{`a="; __Host-session=V; "`}, "V", 1},
		{"a longer name", "app.example", https, []string{"__Host-session2=V; x__Host-session=V; __Host-session-80=V"}, "", 0},
		{"a shorter name", "app.example", https, []string{"__Host-sessio=V; __Host-=V"}, "", 0},
		{"another white space before the name", "app.example", https, []string{"\u00a0__Host-session=V; \n__Host-session=V"}, "", 0},
		{"C-09: the longest value", "app.example", https, []string{"__Host-session=" + long}, long, 1},
		{"C-09: a value too long", "app.example", https, []string{"__Host-session=" + long + "x"}, "", 1},
		{"C-09: any bytes are left to the caller", "app.example", https, []string{"__Host-session=a b,%41\xff"}, "a b,%41\xff", 1},
		{"C-18: the cookie of another port", "localhost:8080", http, []string{"session-9090=V"}, "", 0},
		{"C-18: beside the cookie of another port", "localhost:8080", http, []string{"session-9090=B; session-8080=A"}, "A", 1},
		{"C-18: a port that is part of another", "localhost:80", http, []string{"session-8080=V; session-8=V; session80=V; session_80=V"}, "", 0},
		{"C-10: as many cookies as net/http reads", "app.example", https, []string{strings.Repeat("a=b;", 2999) + "__Host-session=V"}, "V", 1},
		{"C-10: a cookie bomb", "app.example", https, []string{strings.Repeat("a=b;", 3000) + "__Host-session=V"}, "", 0},
		{"C-10: a cookie bomb in many headers", "app.example", https, append(make([]string, 3000), "__Host-session=V"), "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, n := session.Read(request(c.host, c.lines...), c.https)
			if got != c.want || n != c.n {
				t.Errorf("Read = %.40q, %d, want %.40q, %d", got, n, c.want, c.n)
			}
		})
	}
}

// Two bases on one https host are two cookies (C-18, CookieName).
func TestReadKeepsBasesApart(t *testing.T) {
	t.Parallel()
	r := request("app.example", "__Host-a=A; __Host-b=B; __Host-a-b=C")
	for base, want := range map[string]string{"a": "A", "b": "B", "a-b": "C"} {
		if got, n := (cookie.Spec{Base: base}).Read(r, true); got != want || n != 1 {
			t.Errorf("Read of %q = %q, %d, want %q, 1", base, got, n, want)
		}
	}
}

func TestReadDoesNotAllocate(t *testing.T) {
	for _, https := range []bool{true, false} {
		r := request("localhost:8888", "a=1; session-8888=V", "__Host-session=V; b=2")
		n := 0
		if got := testing.AllocsPerRun(100, func() { _, n = session.Read(r, https) }); got != 0 || n != 1 {
			t.Errorf("https %t: %v allocations for %d cookies, want 0 for 1", https, got, n)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	r := request("app.example", "_ga=GA1.1.1234567890.1234567890; theme=dark; __Host-session="+strings.Repeat("x", 43))
	b.ReportAllocs()
	for b.Loop() {
		session.Read(r, true)
	}
}

// FuzzRead compares Read with a slower reader that is plain to see, and what it finds with net/http's.
func FuzzRead(f *testing.F) {
	f.Add("app.example", true, "a=1; __Host-session=V", "b=2")
	f.Add("localhost:8888", false, "session-8888=V; session-8888=W", "session-8888 =V")
	f.Add("[::1]", false, `=session-80=V;session-80;session-80="V"`, "\tsession-80=V\t")
	f.Fuzz(func(t *testing.T, host string, https bool, line1, line2 string) {
		r := request(host, line1, line2)
		name := session.Set(r, https, "").Name
		var want []string
		pairs := append(strings.Split(line1, ";"), strings.Split(line2, ";")...)
		for _, pair := range pairs {
			pair = strings.TrimLeft(pair, " \t")
			if strings.HasPrefix(pair, name+"=") {
				want = append(want, strings.TrimRight(pair[len(name)+1:], " \t"))
			}
		}
		if len(pairs) > 3000 {
			want = nil
		}
		value, n := session.Read(r, https)
		if n != len(want) {
			t.Fatalf("Read counted %d of %q, want %q", n, name, want)
		}
		if n == 1 && len(want[0]) <= cookie.MaxValue && value != want[0] || n != 1 && value != "" || len(value) > cookie.MaxValue {
			t.Errorf("Read = %q, %d, want %q", value, n, want)
		}
		if valid := (&http.Cookie{Name: name, Value: value}).Valid() == nil; n == 1 && valid && value != "" {
			for _, c := range r.CookiesNamed(name) {
				if c.Value == value && !c.Quoted {
					return
				}
			}
			t.Errorf("net/http finds no %s=%q", name, value)
		}
	})
}
