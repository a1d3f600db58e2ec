package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// These tests run the program itself and speak to it from outside.

// patience is how long anything may take before a test gives up on it.
const patience = 20 * time.Second

// What the users of these tests log in with.
const (
	adminPassword = "purple-otter-crosses-43"
	userPassword  = "seven-grey-lanterns-91"
)

const sharedToken = "4f9d1c7ab02e5863f19c0a7d24be6835d1907c3f5ea8b264"

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "quickstart")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "quickstart")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("building: %v\n%s", err, out))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// output collects what the program writes, while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// command prepares the program, without the tester's own settings, in a folder of its own.
func command(ctx context.Context, t *testing.T, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = t.TempDir()
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AUTH_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// program is one that listens.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	first  string // line on stdout
	base   string // URL without a trailing slash
	stdout output // behind the first line
	stderr output
	ended  chan error
	once   sync.Once
}

// start runs the program on a port of its choice. At the end of the test it is stopped, if it wasn't before.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	return startWith(t, nil, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
}

func startWith(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: command(context.Background(), t, env, args...), ended: make(chan error, 1)}
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stop(syscall.SIGTERM) })
	lines, first := bufio.NewReader(stdout), make(chan string, 1)
	go func() {
		line, _ := lines.ReadString('\n')
		first <- line
		_, _ = io.Copy(&p.stdout, lines)
		p.ended <- p.cmd.Wait()
	}()
	select {
	case line := <-first:
		var ok bool
		if p.first, ok = strings.CutSuffix(line, "\n"); !ok {
			t.Fatalf("the program ended: %s", &p.stderr)
		}
	case <-time.After(patience):
		t.Fatal("no line on stdout")
	}
	p.base, _, _ = strings.Cut(p.first, "?")
	p.base = strings.TrimSuffix(p.base, "/")
	return p
}

// awaitOutput waits until the program has written what the pattern finds, to stdout or stderr: each comes through a pipe
// of its own.
func (p *program) awaitOutput(from *output, pattern string) (groups []string) {
	p.t.Helper()
	wanted := regexp.MustCompile(pattern)
	late := time.After(patience)
	for {
		if found := wanted.FindStringSubmatch(from.String()); found != nil {
			return found
		}
		select {
		case <-late:
			p.t.Fatalf("no %s in %s", wanted, from)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// stop sends a signal and fails the test unless the program ends with exit code 0. Only the first call counts.
func (p *program) stop(signal os.Signal) {
	p.once.Do(func() {
		_ = p.cmd.Process.Signal(signal)
		select {
		case err := <-p.ended:
			if err != nil {
				p.t.Errorf("after %s the program ended with %v, want exit code 0\n%s", signal, err, &p.stderr)
			}
		case <-time.After(patience):
			_ = p.cmd.Process.Kill()
			p.t.Errorf("the program didn't stop on %s", signal)
		}
	})
}

// request is what a test sends; headers as "Name: value".
type request struct {
	method, path, body string
	headers            []string
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) cookies() (pairs []string) {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.MaxAge >= 0 {
			pairs = append(pairs, "Cookie: "+c.Name+"="+c.Value)
		}
	}
	return pairs
}

// do sends a request and follows no redirect.
func (p *program) do(r request) answer {
	p.t.Helper()
	if r.method == "" {
		r.method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(p.t.Context(), r.method, p.base+r.path, strings.NewReader(r.body))
	if err != nil {
		p.t.Fatal(err)
	}
	p.setHeaders(req.Header, r.headers)
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	client := &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func (p *program) setHeaders(h http.Header, lines []string) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Cookie" && h.Get("Cookie") != "" {
			h.Set(name, h.Get("Cookie")+"; "+value)
			continue
		}
		h.Add(name, value)
	}
}

var (
	asAPI      = []string{"Accept: application/json"}
	navigation = []string{"Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: none"}
	bearer     = "Authorization: token " + sharedToken
	sendsJSON  = "Content-Type: application/json"
)

// logIn opens the link with the token, as a browser does, and gives the browser's cookies.
func (p *program) logIn(token string) []string {
	p.t.Helper()
	a := p.do(request{path: "/?token=" + url.QueryEscape(token), headers: navigation})
	if a.status != http.StatusSeeOther || len(a.cookies()) == 0 {
		p.t.Fatalf("opening the link: got %d %v, want 303 and a cookie", a.status, a.header)
	}
	return a.cookies()
}

// logInAs logs in by name and gives the session's cookie.
func (p *program) logInAs(name, password string, headers ...string) []string {
	p.t.Helper()
	a := p.postLogin(name, password, headers...)
	if a.status != http.StatusOK {
		p.t.Fatalf("logging in as %s: got %d %s", name, a.status, a.body)
	}
	for _, cookie := range a.cookies() {
		if !strings.Contains(cookie, "-device") { // that one remembers the browser, and proves nothing
			return []string{cookie}
		}
	}
	p.t.Fatalf("logging in as %s: no cookie", name)
	return nil
}

func (p *program) postLogin(name, password string, headers ...string) answer {
	p.t.Helper()
	body, err := json.Marshal(map[string]string{"username": name, "password": password})
	if err != nil {
		p.t.Fatal(err)
	}
	return p.do(request{method: http.MethodPost, path: "/auth/login", body: string(body), headers: append([]string{sendsJSON}, headers...)})
}

// dial opens a socket as a page of the program's own would.
func (p *program) dial(path string, headers ...string) *websocket.Conn {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	h := http.Header{"Origin": {originOf(p.base)}}
	p.setHeaders(h, headers)
	conn, resp, err := websocket.Dial(ctx, p.base+path, &websocket.DialOptions{HTTPHeader: h})
	if err != nil {
		p.t.Fatalf("handshake: %v %v", err, resp)
	}
	conn.SetReadLimit(1 << 20)
	p.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func originOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		panic(err)
	}
	return u.Scheme + "://" + u.Host
}

// message is one that a socket sends.
type message struct {
	Type        string              `json:"type"`
	Text        *string             `json:"text"`
	Permissions map[string][]string `json:"permissions"`
	User        map[string]any      `json:"user"`
	Users       []map[string]any    `json:"users"`
}

func (p *program) receive(conn *websocket.Conn) message {
	p.t.Helper()
	m, err := read(p.t.Context(), conn)
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

func read(ctx context.Context, conn *websocket.Conn) (m message, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, data, err := conn.Read(ctx)
	if err != nil {
		return m, fmt.Errorf("reading a message: %w", err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("message %s: %w", data, err)
	}
	return m, nil
}

// closeCode waits for the end of a socket, past messages that are still on their way.
func (p *program) closeCode(conn *websocket.Conn) websocket.StatusCode {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for {
		if _, _, err := conn.Read(ctx); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

func (p *program) identity(headers ...string) map[string]any {
	p.t.Helper()
	a := p.do(request{path: "/api/me", headers: append(headers, asAPI...)})
	var me struct{ Identity map[string]any }
	if err := json.Unmarshal([]byte(a.body), &me); err != nil || a.status != http.StatusOK {
		p.t.Fatalf("GET /api/me: got %d %s", a.status, a.body)
	}
	return me.Identity
}

func (p *program) put(name, text string) {
	p.t.Helper()
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		p.t.Fatal(err)
	}
	a := p.do(request{method: http.MethodPut, path: "/api/contents/" + name, body: string(body), headers: []string{bearer, sendsJSON}})
	if a.status != http.StatusOK {
		p.t.Fatalf("PUT %s: got %d %s", name, a.status, a.body)
	}
}
