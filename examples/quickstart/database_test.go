package main_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"
)

func TestTheFirstAdmin(t *testing.T) {
	t.Parallel()
	t.Run("a password is made up once, and printed below the address", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "users.db")
		p := startWith(t, nil, "-addr", "127.0.0.1:0", "-db", "sqlite:"+path)
		if !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/$`).MatchString(p.first) {
			t.Errorf("first line %q", p.first)
		}
		password := p.awaitOutput(&p.stdout, `^admin password: (\S{20,})\n$`)[1]
		cookie := p.logInAs("admin", password)
		if a := p.do(request{path: `/api/me?permissions={"contents":["read","write","delete"],"admin":["read","write"],"other":["read"]}`, headers: cookie}); !strings.Contains(a.body, `"admin":["read","write"],"contents":["read","write","delete"],"other":[]`) {
			t.Errorf("the admin holds %s", a.body)
		}
		p.stop(syscall.SIGTERM)
		if strings.Contains(p.stderr.String(), password) {
			t.Error("the password is in the log")
		}
		again := startWith(t, []string{"AUTH_ADMIN_PASSWORD=" + adminPassword}, "-addr", "127.0.0.1:0", "-db", "sqlite:"+path)
		again.logInAs("admin", password)
		if a := again.postLogin("admin", adminPassword); a.status != 401 {
			t.Errorf("AUTH_ADMIN_PASSWORD replaced a password: got %d", a.status)
		}
		again.stop(syscall.SIGTERM)
		if rest := again.stdout.String(); rest != "" {
			t.Errorf("the second start prints %q too", rest)
		}
	})
	t.Run("a given password is printed nowhere", func(t *testing.T) {
		t.Parallel()
		p, accounts := startUsers(t)
		p.logInAs("admin", adminPassword)
		p.stop(syscall.SIGINT)
		if all := p.first + p.stdout.String() + p.stderr.String(); strings.Contains(all, adminPassword) || p.stdout.String() != "" {
			t.Errorf("the program wrote\n%s", all)
		}
		if users, _, err := accounts.List(t.Context(), "", "", 0); err != nil || len(users) != 1 || users[0].Username != "admin" {
			t.Errorf("the users are %v, %v", users, err)
		}
	})
	t.Run("there is none where there are users, whatever they may", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "users.db")
		addUser(t, accountsIn(t, path), "ann", nil)
		p := startOver(t, path)
		if a := p.postLogin("admin", adminPassword); a.status != 401 {
			t.Errorf("got %d, want 401", a.status)
		}
		p.stop(syscall.SIGTERM)
		if rest := p.stdout.String(); rest != "" {
			t.Errorf("stdout goes on with %q", rest)
		}
	})
}

func TestTheDatabaseIsLeftWhole(t *testing.T) {
	t.Parallel()
	p := startWith(t, []string{"AUTH_ADMIN_PASSWORD=" + adminPassword}, "-addr", "127.0.0.1:0")
	cookie := p.logInAs("admin", adminPassword)
	conn := p.dial("/api/room/demo", cookie...)
	p.receive(conn)
	code := make(chan websocket.StatusCode, 1)
	go func() { code <- p.closeCode(conn) }()
	p.stop(syscall.SIGTERM)
	if code := <-code; code != websocket.StatusGoingAway {
		t.Errorf("the socket closed with %d, want 1001", code)
	}
	var files []string
	err := filepath.WalkDir(p.cmd.Dir, func(_ string, d fs.DirEntry, err error) error {
		files = append(files, d.Name())
		return err
	})
	if err != nil || !slices.Equal(files[1:], []string{"quickstart.db"}) {
		t.Errorf("it leaves %v behind (%v), want quickstart.db without a log", files[1:], err)
	}
	info, err := os.Stat(filepath.Join(p.cmd.Dir, "quickstart.db"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v (%v), want 0600", info.Mode(), err)
	}
	if strings.Contains(p.stderr.String(), "level=WARN") || strings.Contains(p.stderr.String(), "level=ERROR") {
		t.Errorf("its log has warnings:\n%s", &p.stderr)
	}
}

// Restarted on its file, the program knows who is logged in. The cookie's name has the port that the browser asks for, so
// both have the same public URL.
func TestARestartKeepsSessions(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.db")
	host := "Host: localhost:8888"
	begin := func() *program {
		p := startOver(t, path, "-public-url", "http://localhost:8888")
		p.base = "http://" + listenAddress(p)
		return p
	}
	p := begin()
	cookie := append(p.logInAs("admin", adminPassword, host), host)
	ended := append(p.logInAs("admin", adminPassword, host), host)
	if a := p.do(request{method: "POST", path: "/auth/logout", headers: append(ended, asAPI...)}); a.status != 204 {
		t.Fatalf("logout: got %d", a.status)
	}
	// JV20
	a := p.do(request{method: "PATCH", path: "/auth/me", body: `{"settings":"{\"theme\":\"dark\"}"}`, headers: append([]string{sendsJSON}, cookie...)})
	if a.status != 200 {
		t.Fatalf("PATCH /auth/me: got %d %s", a.status, a.body)
	}
	p.stop(syscall.SIGTERM)
	p = begin()
	if me := p.identity(cookie...); me["username"] != "admin" { // JV48
		t.Errorf("the session is %v's", me["username"])
	}
	if a := p.do(request{path: "/api/me", headers: ended}); a.status != 401 {
		t.Errorf("a session that had ended is back: got %d", a.status)
	}
	a = p.do(request{path: "/auth/me", headers: append(cookie, asAPI...)})
	var me map[string]any
	if err := json.Unmarshal([]byte(a.body), &me); err != nil || len(me) != 9 || me["settings"] != `{"theme":"dark"}` {
		t.Errorf("JV20 /auth/me: got %v", me)
	}
}
