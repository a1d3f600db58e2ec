package main_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"
)

// The session in the comment at the top of main.go is played as it stands there.
func TestTheCommentIsTrue(t *testing.T) {
	t.Parallel()
	p := startWith(t, []string{"AUTH_ADMIN_PASSWORD=" + adminPassword}, "-addr", "127.0.0.1:0")
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	comment, _, _ := strings.Cut(string(source), "\npackage ")
	var jar []string // cookies
	played := 0
	for paragraph := range strings.SplitSeq(comment, "\n//\n") {
		var lines []string
		for line := range strings.Lines(paragraph) {
			if line, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "//\t"); ok {
				lines = append(lines, line)
			}
		}
		if len(lines) == 0 || !strings.HasPrefix(lines[0], "$ curl ") {
			continue
		}
		played++
		r, status := parseCurl(t, lines[0])
		if strings.Contains(lines[0], " -b jar ") {
			r.headers = append(r.headers, jar...)
		}
		a := p.do(r)
		if strings.Contains(lines[0], " -c jar ") {
			jar = a.cookies()
		}
		got := strings.TrimSpace(a.body)
		if status {
			got = strings.TrimSpace(fmt.Sprintf("HTTP/1.1 %d %s\n%s", a.status, http.StatusText(a.status), got))
		}
		want := strings.Join(lines[1:], "\n")
		pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(want), regexp.QuoteMeta("{…}"), `\{.*\}`) + "$"
		if !regexp.MustCompile(pattern).MatchString(got) {
			t.Errorf("%s\ngot\n%s\nwant\n%s", lines[0], got, want)
		}
	}
	if played < 12 {
		t.Errorf("played %d commands, want at least 12", played)
	}
}

// parseCurl reads a command line as a shell and curl would, as far as ours go.
func parseCurl(t *testing.T, line string) (r request, status bool) {
	t.Helper()
	var words []string
	for _, m := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(line, -1) {
		words = append(words, m[1]+m[2])
	}
	r.headers = []string{"Accept: */*"}
	for words = words[2:]; len(words) > 0; words = words[1:] {
		switch words[0] {
		case "-i":
			status = true
		case "--globoff":
		case "-X", "-H", "-d", "-b", "-c":
			switch words[0] {
			case "-X":
				r.method = words[1]
			case "-H":
				r.headers = append(r.headers, words[1])
			case "-d":
				r.method, r.body = cmp.Or(r.method, http.MethodPost), words[1]
			}
			words = words[1:]
		default:
			path, ok := strings.CutPrefix(words[0], "http://127.0.0.1:8888")
			if !ok {
				t.Fatalf("%s: what is %q?", line, words[0])
			}
			r.path = path
		}
	}
	return r, status
}

func TestStartTellsTheAddress(t *testing.T) {
	t.Parallel()
	t.Run("JS111 a token that was made up is in the first line, which logs in when opened", func(t *testing.T) {
		t.Parallel()
		p := start(t, "-auth", "token")
		if !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/\?token=[0-9a-f]{48}$`).MatchString(p.first) {
			t.Fatalf("first line %q", p.first)
		}
		_, token, _ := strings.Cut(p.first, "token=")
		cookies := p.logIn(token)
		if a := p.do(request{path: "/", headers: append(cookies, navigation...)}); a.status != 200 || !strings.Contains(a.body, "<title>Shared notebook") {
			t.Errorf("got %d %s, want the page", a.status, a.body)
		}
		p.stop(syscall.SIGTERM)
		if rest := p.stdout.String(); rest != "" {
			t.Errorf("stdout goes on with %q", rest)
		}
		if strings.Contains(p.stderr.String(), token) {
			t.Error("the token is in the log")
		}
	})
	for name, p := range map[string]func(t *testing.T) *program{
		"JS111 a given token is printed nowhere": func(t *testing.T) *program { return start(t, "-auth", "token", "-token", sharedToken) },
		"JS111 nor is one from the environment": func(t *testing.T) *program {
			return startWith(t, []string{"AUTH_TOKEN=" + sharedToken}, "-addr", "127.0.0.1:0", "-auth", "token")
		},
		"JS111 nor is one from a file": func(t *testing.T) *program {
			file := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(file, []byte(sharedToken+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			return startWith(t, []string{"AUTH_TOKEN_FILE=" + file}, "-addr", "127.0.0.1:0", "-auth", "token")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := p(t)
			if !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/$`).MatchString(p.first) {
				t.Errorf("first line %q", p.first)
			}
			p.logIn(sharedToken)
			p.stop(syscall.SIGINT)
			if all := p.first + p.stdout.String() + p.stderr.String(); strings.Contains(all, sharedToken) {
				t.Errorf("the token is in what the program wrote:\n%s", all)
			}
		})
	}
	t.Run("JS111 the public URL is the one to open, with its path", func(t *testing.T) {
		t.Parallel()
		p := start(t, "-auth", "token", "-token", sharedToken, "-public-url", "https://app.example/base")
		if p.first != "https://app.example/base/" {
			t.Errorf("first line %q", p.first)
		}
	})
	t.Run("on all interfaces the address is one that can be opened", func(t *testing.T) {
		t.Parallel()
		p := startWith(t, nil, "-addr", ":0", "-insecure-http", "-auth", "token", "-token", sharedToken)
		if a := p.do(request{path: "/healthz"}); a.status != 200 || !strings.HasPrefix(p.first, "http://127.0.0.1:") {
			t.Errorf("%s: got %d", p.first, a.status)
		}
	})
}

func TestStartWarnsOfHTTP(t *testing.T) {
	t.Parallel()
	t.Run("JS10 all interfaces without https: refused, with both ways out", func(t *testing.T) {
		t.Parallel()
		for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
			code, stdout, stderr := runToEnd(t, nil, "-addr", addr, "-auth", "token", "-token", sharedToken)
			if code == 0 || stdout != "" || !strings.Contains(stderr, "-public-url") || !strings.Contains(stderr, "-insecure-http") {
				t.Errorf("%s: got exit code %d, stdout %q, stderr %q", addr, code, stdout, stderr)
			}
		}
		code, _, stderr := runToEnd(t, nil, "-addr", "0.0.0.0:0", "-auth", "token", "-token", sharedToken, "-public-url", "http://lab.example:8888")
		if code == 0 || !strings.Contains(stderr, "-insecure-http") {
			t.Errorf("http public URL: got exit code %d, stderr %q", code, stderr)
		}
	})
	t.Run("JS10 with -insecure-http it starts and warns", func(t *testing.T) {
		t.Parallel()
		p := startWith(t, nil, "-addr", "0.0.0.0:0", "-insecure-http", "-auth", "token", "-token", sharedToken)
		p.stop(syscall.SIGTERM)
		if log := p.stderr.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "not encrypted") {
			t.Errorf("no warning in %s", log)
		}
	})
	t.Run("JS11 no warning with an https public URL, nor on loopback", func(t *testing.T) {
		t.Parallel()
		for _, p := range []*program{
			startWith(t, nil, "-addr", "0.0.0.0:0", "-auth", "token", "-token", sharedToken, "-public-url", "https://app.example"),
			start(t, "-auth", "token", "-token", sharedToken),
			start(t),
			start(t, "-auth", "noauth"),
		} {
			p.stop(syscall.SIGTERM)
			if log := p.stderr.String(); strings.Contains(log, "level=WARN") || strings.Contains(log, "level=ERROR") {
				t.Errorf("%v: %s", p.cmd.Args[1:], log)
			}
		}
	})
}

func TestToken(t *testing.T) {
	t.Parallel()
	p := start(t, "-auth", "token", "-token", sharedToken)
	p.put("demo", "hello")
	cookies := p.logIn(sharedToken)

	t.Run("JV07 a stranger who navigates is sent to the login page", func(t *testing.T) {
		a := p.do(request{path: "/", headers: navigation})
		if a.status != 303 || a.header.Get("Location") != "/auth/login?next=%2F" {
			t.Errorf("got %d %v", a.status, a.header)
		}
	})
	t.Run("JV04 an API client is not", func(t *testing.T) {
		a := p.do(request{path: "/", headers: asAPI})
		if a.status != 401 || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") || a.header.Get("Location") != "" {
			t.Errorf("got %d %v", a.status, a.header)
		}
	})
	t.Run("JV08 the link is traded for a cookie", func(t *testing.T) {
		a := p.do(request{path: "/?token=" + sharedToken, headers: navigation})
		if a.status != 303 || a.header.Get("Location") != "/" || len(a.cookies()) != 1 {
			t.Errorf("got %d %v", a.status, a.header)
		}
		if strings.Contains(strings.Join(a.header["Set-Cookie"], ""), sharedToken) {
			t.Error("the cookie holds the token")
		}
	})
	t.Run("JS42 an API client's query is answered as it stands", func(t *testing.T) {
		if a := p.do(request{path: "/api/me?token=" + sharedToken, headers: asAPI}); a.status != 200 || a.header.Get("Location") != "" {
			t.Errorf("got %d %v", a.status, a.header)
		}
	})
	t.Run("JV45 each browser is a guest of its own and stays the same one", func(t *testing.T) {
		other := p.logIn(sharedToken)
		a, b := p.identity(cookies...), p.identity(other...)
		if a["username"] == b["username"] {
			t.Errorf("both are %v", a["username"])
		}
		for _, who := range []map[string]any{a, b} {
			checkGuest(t, who)
		}
		if again := p.identity(cookies...); !sameJSON(t, a, again) {
			t.Errorf("got %v, then %v", a, again)
		}
	})
	t.Run("JV01 a stranger's socket closes with 1008", func(t *testing.T) {
		if code := p.closeCode(p.dial("/api/room/demo?session_id=session_id_0")); code != websocket.StatusPolicyViolation {
			t.Errorf("got %d", code)
		}
	})
	t.Run("JV02 a guest's socket opens with the welcome", func(t *testing.T) {
		m := p.receive(p.dial("/api/room/demo", cookies...))
		if m.Type != "welcome" || m.Text == nil || *m.Text != "hello" {
			t.Errorf("got %+v", m)
		}
		if !slices.Equal(m.Permissions["contents"], []string{"read", "write"}) || len(m.Permissions) != 1 {
			t.Errorf("permissions %v", m.Permissions)
		}
		if me := p.identity(cookies...); !sameJSON(t, m.User, me) || len(me) != 6 {
			t.Errorf("user %v, want %v", m.User, me)
		}
	})
	t.Run("JS113 a token in the socket's address opens it", func(t *testing.T) {
		if m := p.receive(p.dial("/api/room/demo?token=" + sharedToken)); m.Type != "welcome" {
			t.Errorf("got %+v", m)
		}
	})
	t.Run("an edit reaches everybody, the sender too, and so does a PUT", func(t *testing.T) {
		one, two := p.dial("/api/room/shared", cookies...), p.dial("/api/room/shared", bearer)
		p.receive(one)
		p.receive(two)
		if err := one.Write(t.Context(), websocket.MessageText, []byte(`{"type":"edit","text":"by one"}`)); err != nil {
			t.Fatal(err)
		}
		for _, conn := range []*websocket.Conn{one, two} {
			if m := p.receive(conn); m.Type != "edit" || *m.Text != "by one" || !sameJSON(t, m.User, p.identity(cookies...)) {
				t.Errorf("got %+v", m)
			}
		}
		p.put("shared", "by PUT")
		if m := p.receive(two); m.Type != "edit" || *m.Text != "by PUT" || !sameJSON(t, m.User, p.identity(bearer)) {
			t.Errorf("got %+v", m)
		}
	})
}

func TestNoauth(t *testing.T) {
	t.Parallel()
	p := start(t, "-auth", "noauth")
	if a := p.do(request{method: "PUT", path: "/api/contents/demo", body: `{"text":"hello"}`, headers: []string{sendsJSON}}); a.status != 200 {
		t.Fatalf("PUT: got %d %s", a.status, a.body)
	}
	t.Run("JV03 the page comes without a login", func(t *testing.T) {
		if a := p.do(request{path: "/", headers: navigation}); a.status != 200 || !strings.Contains(a.body, "<title>Shared notebook") {
			t.Errorf("got %d %s", a.status, a.body)
		}
	})
	t.Run("JV06 so does a note", func(t *testing.T) {
		if a := p.do(request{path: "/api/contents/demo"}); a.status != 200 || strings.TrimSpace(a.body) != `{"name":"demo","text":"hello"}` {
			t.Errorf("got %d %s", a.status, a.body)
		}
	})
	t.Run("JS70 a socket opens with all permissions, in the order asked", func(t *testing.T) {
		if m := p.receive(p.dial("/api/room/demo")); m.Type != "welcome" || !slices.Equal(m.Permissions["contents"], []string{"read", "write"}) {
			t.Errorf("got %+v", m)
		}
	})
	t.Run("JV44 each browser is a guest of its own", func(t *testing.T) {
		names := map[any]bool{}
		for range 2 {
			if a := p.do(request{path: "/api/me"}); a.status != 200 || len(a.cookies()) != 1 {
				t.Errorf("got %d %v", a.status, a.header)
			} else {
				who := p.identity(a.cookies()...)
				checkGuest(t, who)
				names[who["username"]] = true
			}
		}
		if len(names) != 2 {
			t.Errorf("usernames %v, want two", names)
		}
	})
}

// checkGuest holds a user against what guests are called.
func checkGuest(t *testing.T, user map[string]any) {
	t.Helper()
	moons, err := os.ReadFile("../../internal/guest/moons.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(string(moons))
	moon, ok := strings.CutPrefix(user["name"].(string), "Anonymous ")
	if len(names) != 57 || !ok || !slices.Contains(names, moon) || user["display_name"] != user["name"] {
		t.Fatalf("name %v is none of Jupiter's %d moons", user["name"], len(names))
	}
	if user["initials"] != "A"+moon[:1] {
		t.Errorf("initials %v of %v", user["initials"], moon)
	}
	if color, _ := user["color"].(string); !regexp.MustCompile(`^#[0-9a-f]{6}$`).MatchString(color) {
		t.Errorf("color %v", user["color"])
	}
}

func sameJSON(t *testing.T, a, b any) bool {
	t.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(x) == string(y)
}

func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	const password, token = "pw-9f1c4e", "tk-7d2e80"
	p := start(t, "-auth", "token", "-token", sharedToken)
	if a := p.do(request{path: "/path?token=secret123&normal=value"}); a.status != 404 {
		t.Errorf("got %d", a.status)
	}
	query := "?password=" + password + "&token=" + token
	conn := p.dial("/api/room/demo" + query)
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation || strings.Contains(err.Error(), token) {
		t.Errorf("JS109 handshake: %v", err)
	}
	for _, path := range []string{"/path", "/", "/api/me", "/api/contents/demo", "/api/room/demo", "/auth/login", "/auth/nothing"} {
		for _, headers := range [][]string{asAPI, navigation} {
			a := p.do(request{path: path + query, headers: headers})
			for _, secret := range []string{password, token} {
				if strings.Contains(a.body, secret) || strings.Contains(strings.Join(a.header["Location"], ""), secret) {
					t.Errorf("JS109 %s: %s is in the answer: %v %s", path, secret, a.header, a.body)
				}
			}
		}
	}
	p.do(request{method: "POST", path: "/auth/login", body: "password=" + password, headers: []string{"Content-Type: application/x-www-form-urlencoded"}})
	p.stop(syscall.SIGTERM)
	log := p.stderr.String()
	if !strings.Contains(log, "path=/path") || !strings.Contains(log, "level=DEBUG") {
		t.Errorf("the requests are not in the log:\n%s", log)
	}
	for id, secret := range map[string]string{"JS108": "secret123", "JS109 password": password, "JS109 token": token, "the shared token": sharedToken} {
		if strings.Contains(log, secret) {
			t.Errorf("%s is in the log:\n%s", id, log)
		}
	}
}

func TestStopEndsWhatIsOpen(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			p := start(t, "-auth", "token", "-token", sharedToken)
			conn := p.dial("/api/room/demo", bearer)
			p.receive(conn)
			req, err := http.NewRequestWithContext(t.Context(), "GET", p.base+"/api/stream/demo?token="+sharedToken, nil)
			if err != nil {
				t.Fatal(err)
			}
			stream, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Body.Close()
			first := make([]byte, len("data: {\"text\":\"\"}\n\n"))
			if n, err := stream.Body.Read(first); err != nil || string(first[:n]) != "data: {\"text\":\"\"}\n\n" {
				t.Fatalf("stream: %q %v", first[:n], err)
			}
			code := make(chan websocket.StatusCode, 1)
			go func() { code <- p.closeCode(conn) }()
			p.stop(signal) // fails unless the exit code is 0
			if code := <-code; code != websocket.StatusGoingAway {
				t.Errorf("the socket closed with %d, want 1001", code)
			}
			if n, err := stream.Body.Read(first); n != 0 || err == nil {
				t.Errorf("the stream goes on: %q", first[:n])
			}
			if strings.Contains(p.stderr.String(), "cut off") {
				t.Errorf("not everything ended by itself:\n%s", &p.stderr)
			}
			if _, err := net.Dial("tcp", strings.TrimPrefix(p.base, "http://")); err == nil {
				t.Error("it still listens")
			}
		})
	}
}
