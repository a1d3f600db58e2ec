package main_test

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"
	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// startUsers runs the program over a database of its own, and gives that database's accounts, as useradmin has them.
func startUsers(t *testing.T, args ...string) (*program, *userauth.Accounts) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.db")
	return startOver(t, path, args...), accountsIn(t, path)
}

func startOver(t *testing.T, path string, args ...string) *program {
	t.Helper()
	args = append([]string{"-addr", "127.0.0.1:0", "-db", "sqlite:" + path}, args...)
	return startWith(t, []string{"AUTH_ADMIN_PASSWORD=" + adminPassword}, args...)
}

func openAccounts(t *testing.T, path string) (*sqlx.DB, *userauth.Accounts) {
	t.Helper()
	db, err := userauth.OpenSQLite(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	accounts, err := userauth.OpenAccounts(t.Context(), db, userauth.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accounts.Close() })
	return db, accounts
}

func accountsIn(t *testing.T, path string) *userauth.Accounts {
	t.Helper()
	_, accounts := openAccounts(t, path)
	return accounts
}

func addUser(t *testing.T, accounts *userauth.Accounts, name string, held auth.Permissions) {
	t.Helper()
	_, err := accounts.Add(t.Context(), userauth.NewAccount{Username: name, Password: userPassword, Permissions: held})
	if err != nil {
		t.Fatal(err)
	}
}

func change(t *testing.T, accounts *userauth.Accounts, name string, c userauth.AccountChange) {
	t.Helper()
	if _, err := accounts.Change(t.Context(), name, c); err != nil {
		t.Fatal(err)
	}
}

// putAs saves a note with the credentials in headers.
func (p *program) putAs(name, text string, headers []string) {
	p.t.Helper()
	a := p.do(request{method: "PUT", path: "/api/contents/" + name, body: `{"text":"` + text + `"}`, headers: append([]string{sendsJSON}, headers...)})
	if a.status != 200 {
		p.t.Fatalf("PUT %s: got %d %s", name, a.status, a.body)
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	p, accounts := startUsers(t)
	addUser(t, accounts, "nobody", nil)
	addUser(t, accounts, "reader", auth.Permissions{"contents": {"read"}})
	admin := p.logInAs("admin", adminPassword)
	const contents = "/api/contents/demo"

	t.Run("JV05 an API client that is unknown gets 401", func(t *testing.T) {
		a := p.do(request{path: "/", headers: asAPI})
		if a.status != 401 || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") || a.header.Get("Location") != "" {
			t.Errorf("got %d %v", a.status, a.header)
		}
	})
	t.Run("JV11 and so it does at /api/me", func(t *testing.T) {
		a := p.do(request{path: "/api/me", headers: asAPI})
		if a.status != 401 || !strings.Contains(a.body, `"error":`) || !strings.Contains(a.body, `"code":`) || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Location") != "" {
			t.Errorf("got %d %v %s", a.status, a.header, a.body)
		}
	})
	t.Run("a browser is sent to the login page", func(t *testing.T) {
		a := p.do(request{path: "/", headers: navigation})
		if a.status != 303 || a.header.Get("Location") != "/auth/login?next=%2F" {
			t.Errorf("got %d %v", a.status, a.header)
		}
	})
	t.Run("the page says who is logged in, and leads to the account and out", func(t *testing.T) {
		a := p.do(request{path: "/", headers: append(p.logInAs("reader", userPassword), navigation...)})
		for _, part := range []string{">reader</span>", "Signed in as <bdi>reader</bdi>", `href="/auth/me"`, `action="/auth/logout"`} {
			if a.status != 200 || !strings.Contains(a.body, part) {
				t.Errorf("got %d, no %s in %s", a.status, part, a.body)
			}
		}
	})
	t.Run("JV13 a login by JSON", func(t *testing.T) {
		a := p.postLogin("admin", adminPassword)
		if a.status != 200 || !strings.Contains(strings.Join(a.header["Set-Cookie"], "\n"), "ostiary-user-") {
			t.Errorf("got %d %v", a.status, a.header)
		}
	})
	t.Run("JS60 who holds nothing gets nowhere", func(t *testing.T) {
		p.putAs("demo", "before", admin)
		cookie := p.logInAs("nobody", userPassword)
		for _, r := range []request{
			{method: "GET", path: contents}, {method: "PUT", path: contents, body: `{"text":"x"}`}, {method: "DELETE", path: contents},
			{method: "GET", path: "/api/stream/demo"},
		} {
			r.headers = append([]string{sendsJSON}, cookie...)
			if a := p.do(r); a.status != 403 {
				t.Errorf("%s %s: got %d %s, want 403", r.method, r.path, a.status, a.body)
			}
		}
		if code := p.closeCode(p.dial("/api/room/demo", cookie...)); code != websocket.StatusPolicyViolation {
			t.Errorf("the socket closed with %d, want 1008", code)
		}
		if a := p.do(request{path: contents, headers: admin}); !strings.Contains(a.body, `"before"`) {
			t.Errorf("the note is now %s", a.body)
		}
	})
	t.Run("JS61 who holds everything gets everywhere", func(t *testing.T) {
		for _, r := range []request{
			{method: "GET", path: contents}, {method: "PUT", path: contents, body: `{"text":"x"}`}, {method: "DELETE", path: contents},
		} {
			p.putAs("demo", "before", admin)
			r.headers = append([]string{sendsJSON}, admin...)
			want := map[string]int{"GET": 200, "PUT": 200, "DELETE": 204}[r.method]
			if a := p.do(r); a.status != want {
				t.Errorf("%s %s: got %d %s, want %d", r.method, r.path, a.status, a.body, want)
			}
		}
		p.putAs("demo", "before", admin)
		if first := p.firstEvent("/api/stream/demo", admin); first != `data: {"text":"before"}` {
			t.Errorf("the stream begins with %q", first)
		}
		if m := p.receive(p.dial("/api/room/demo", admin...)); m.Type != "welcome" || *m.Text != "before" {
			t.Errorf("the socket begins with %+v", m)
		}
	})
	t.Run("JV37 who may only read can't save", func(t *testing.T) {
		p.putAs("demo", "before", admin)
		cookie := p.logInAs("reader", userPassword)
		if a := p.do(request{method: "PUT", path: contents, body: `{"text":"after"}`, headers: append([]string{sendsJSON}, cookie...)}); a.status != 403 {
			t.Errorf("got %d %s", a.status, a.body)
		}
		if a := p.do(request{path: contents, headers: cookie}); a.status != 200 || !strings.Contains(a.body, `"before"`) {
			t.Errorf("the note is now %d %s", a.status, a.body)
		}
	})
	t.Run("JV38 who may only read sees edits, and makes none", func(t *testing.T) {
		p.putAs("read", "before", admin)
		reader, writer := p.dial("/api/room/read", p.logInAs("reader", userPassword)...), p.dial("/api/room/read", admin...)
		m := p.receive(reader)
		if m.Type != "welcome" || len(m.Permissions) != 1 || !slices.Equal(m.Permissions["contents"], []string{"read"}) || *m.Text != "before" {
			t.Errorf("got %+v", m)
		}
		p.receive(writer)
		if err := reader.Write(t.Context(), websocket.MessageText, []byte(`{"type":"edit","text":"by the reader"}`)); err != nil {
			t.Fatal(err)
		}
		next := make(chan message, 1)
		go func() {
			m, err := read(t.Context(), reader)
			if err != nil {
				t.Error(err)
			}
			next <- m
		}()
		// The server has looked at the reader's edit before it answers the ping behind it.
		if err := reader.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a := p.do(request{path: "/api/contents/read", headers: admin}); !strings.Contains(a.body, `"before"`) {
			t.Errorf("the note is now %s", a.body)
		}
		if err := writer.Write(t.Context(), websocket.MessageText, []byte(`{"type":"edit","text":"by the writer"}`)); err != nil {
			t.Fatal(err)
		}
		for _, m := range []message{<-next, p.receive(writer)} {
			if m.Type != "edit" || m.Text == nil || *m.Text != "by the writer" || m.User["username"] != "admin" {
				t.Errorf("got %+v", m)
			}
		}
	})
	t.Run("JV49 /api/me says which of the permissions asked for are held", func(t *testing.T) {
		a := p.do(request{path: `/api/me?permissions={"contents":["read","write"],"kernels":["read"]}`, headers: p.logInAs("reader", userPassword)})
		if a.status != 200 || !strings.Contains(a.body, `"contents":["read"]`) || !strings.Contains(a.body, `"kernels":[]`) {
			t.Errorf("got %d %s", a.status, a.body)
		}
	})
	t.Run("FU05 JV15 logging out answers the same to everybody, and ends the session", func(t *testing.T) {
		cookie := p.logInAs("reader", userPassword)
		logOut := func(who string, headers []string) {
			if a := p.do(request{method: "POST", path: "/auth/logout", headers: append(headers, asAPI...)}); a.status != 204 {
				t.Errorf("%s: got %d %s", who, a.status, a.body)
			}
		}
		logOut("nobody", nil)
		if a := p.do(request{path: "/api/me", headers: cookie}); a.status != 200 {
			t.Errorf("before it: got %d", a.status)
		}
		logOut("a session", cookie)
		if a := p.do(request{path: "/api/me", headers: cookie}); a.status != 401 {
			t.Errorf("after it: got %d", a.status)
		}
		logOut("the ended session", cookie)
	})
	t.Run("a change of the profile on the account's page reaches the room", func(t *testing.T) {
		conn := p.dial("/api/room/people?people=1", admin...)
		m := p.receive(conn)
		for m.Type != "people" {
			m = p.receive(conn)
		}
		form := "name=&display_name=The+Admin&initials=TA&color=teal&avatar_url="
		a := p.do(request{method: "POST", path: "/auth/me", body: form, headers: append([]string{"Content-Type: application/x-www-form-urlencoded"}, admin...)})
		if a.status != 303 {
			t.Fatalf("got %d %s", a.status, a.body)
		}
		if m := p.receive(conn); m.Type != "people" || len(m.Users) != 1 || m.Users[0]["display_name"] != "The Admin" {
			t.Errorf("got %+v", m)
		}
	})
	p.stop(syscall.SIGTERM)
	for name, secret := range map[string]string{"the admin's password": adminPassword, "a password": userPassword, "a session": strings.SplitN(admin[0], "=", 2)[1]} {
		if strings.Contains(p.stderr.String(), secret) {
			t.Errorf("%s is in the log:\n%s", name, &p.stderr)
		}
	}
}

// firstEvent opens a stream and gives its first line.
func (p *program) firstEvent(path string, headers []string) string {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), "GET", p.base+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.setHeaders(req.Header, headers)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text := make([]byte, 200)
	n, err := resp.Body.Read(text)
	if err != nil || resp.StatusCode != 200 {
		p.t.Fatalf("%s: got %d %q %v", path, resp.StatusCode, text[:n], err)
	}
	return strings.TrimSpace(string(text[:n]))
}
