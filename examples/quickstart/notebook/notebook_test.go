package notebook_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/examples/quickstart/notebook"
	"github.com/ostiary/auth/tokenauth"
)

const (
	patience = 20 * time.Second
	shared   = "everything-0123456789abcdef0123456789abcdef"
	reader   = "reader-0123456789abcdef0123456789abcdef"
	scribe   = "scribe-0123456789abcdef0123456789abcdef" // may write, not read
	nobody   = "nobody-0123456789abcdef0123456789abcdef"
)

// app is the notebook behind tokens with different rights.
type app struct {
	t   *testing.T
	url string
}

func setup(t *testing.T) *app {
	t.Helper()
	a, err := tokenauth.New(t.Context(), tokenauth.Config{
		Auth:  auth.Config{Logger: slog.New(slog.DiscardHandler)},
		Token: shared,
		Tokens: []tokenauth.Token{
			{Name: "reader", Token: reader, Permissions: auth.Permissions{"contents": {"read"}}},
			{Name: "scribe", Token: scribe, Permissions: auth.Permissions{"contents": {"write"}}},
			{Name: "nobody", Token: nobody},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(notebook.Handler(notebook.Config{Auth: a, Routes: a.Routes()}))
	t.Cleanup(func() {
		_ = a.Close()
		server.Close()
	})
	return &app{t, server.URL}
}

// client has a transport of its own: a server of httptest that closes also closes the idle connections of the default one, on
// which another test may be waiting for its answer.
var client = &http.Client{Transport: &http.Transport{}}

func (a *app) do(method, path, token, body string) (status int, answer string) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if name, value, ok := strings.Cut(token, "="); ok {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	} else if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(data))
}

func (a *app) put(name, text string) {
	a.t.Helper()
	if status, answer := a.do("PUT", "/api/contents/"+name, shared, `{"text":"`+text+`"}`); status != 200 {
		a.t.Fatalf("PUT %s: got %d %s", name, status, answer)
	}
}

// browser logs in and gives the cookie as name=value.
func (a *app) browser() string {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), "POST", a.url+"/auth/login", strings.NewReader(`{"password":"`+shared+`"}`))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 || len(resp.Cookies()) == 0 {
		a.t.Fatalf("login: got %d %v", resp.StatusCode, resp.Header)
	}
	return resp.Cookies()[0].Name + "=" + resp.Cookies()[0].Value
}

type message struct {
	Type        string
	Text        *string
	Permissions map[string][]string
	User        map[string]any
	Users       []map[string]any
}

// socket is an open room.
type socket struct {
	t    *testing.T
	conn *websocket.Conn
}

func (a *app) room(path, credential string) socket {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), patience)
	defer cancel()
	h := http.Header{}
	if strings.Contains(credential, "=") {
		h.Set("Cookie", credential)
	} else {
		h.Set("Authorization", "Bearer "+credential)
	}
	conn, resp, err := websocket.Dial(ctx, a.url+"/api/room/"+path, &websocket.DialOptions{HTTPHeader: h})
	if err != nil {
		a.t.Fatalf("handshake: %v %v", err, resp)
	}
	conn.SetReadLimit(1 << 20)
	a.t.Cleanup(func() { _ = conn.CloseNow() })
	return socket{a.t, conn}
}

// next reads a message; an empty one is a failure.
func (s socket) next() (m message) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	_, data, err := s.conn.Read(ctx)
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		s.t.Errorf("reading a message: %v", err)
	}
	return m
}

// expect reads the next message and wants it to be of this type, with this text.
func (s socket) expect(kind, text string) message {
	s.t.Helper()
	m := s.next()
	if m.Type != kind || m.Text == nil || *m.Text != text {
		s.t.Fatalf("got %+v, want %s with the text %q", m, kind, text)
	}
	return m
}

func (s socket) edit(text string) {
	s.t.Helper()
	if err := s.conn.Write(s.t.Context(), websocket.MessageText, fmt.Appendf(nil, `{"type":"edit","text":%q}`, text)); err != nil {
		s.t.Fatal(err)
	}
}

func (s socket) closeCode() websocket.StatusCode {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		if _, _, err := s.conn.Read(ctx); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

// JV38, with tokens.
func TestReadersSeeAndDontChange(t *testing.T) {
	t.Parallel()
	a := setup(t)
	a.put("demo", "one")
	writing, reading := a.room("demo", shared), a.room("demo", reader)
	writing.expect("welcome", "one")
	hello := reading.expect("welcome", "one")
	if !slices.Equal(hello.Permissions["contents"], []string{"read"}) {
		t.Errorf("permissions %v", hello.Permissions)
	}
	next := make(chan message, 1)
	go func() { next <- reading.next() }()
	reading.edit("by the reader")
	if err := reading.conn.Ping(t.Context()); err != nil { // the edit before it has been dealt with
		t.Fatal(err)
	}
	writing.edit("two")
	writing.expect("edit", "two")
	m := <-next
	if m.Type != "edit" || m.Text == nil || *m.Text != "two" {
		t.Errorf("got %+v, want the writer's edit", m)
	}
	if len(m.User) != 6 || m.User["username"] == hello.User["username"] {
		t.Errorf("user %v", m.User)
	}
	if status, _ := a.do("PUT", "/api/contents/demo", reader, `{"text":"x"}`); status != 403 {
		t.Errorf("PUT: got %d, want 403", status)
	}
	if status, _ := a.do("DELETE", "/api/contents/demo", reader, ""); status != 403 {
		t.Errorf("DELETE: got %d, want 403", status)
	}
	if _, text := a.do("GET", "/api/contents/demo", reader, ""); text != `{"name":"demo","text":"two"}` {
		t.Errorf("the note is %s", text)
	}
}

func TestWritersWhoMayNotReadSeeNothing(t *testing.T) {
	t.Parallel()
	a := setup(t)
	a.put("demo", "hidden")
	writing, watching := a.room("demo?people=1", scribe), a.room("demo", shared)
	if m := writing.next(); m.Type != "welcome" || m.Text != nil || !slices.Equal(m.Permissions["contents"], []string{"write"}) {
		t.Errorf("got %+v", m)
	}
	watching.expect("welcome", "hidden")
	writing.edit("by the scribe")
	watching.expect("edit", "by the scribe")
	// What is sent next, should anything have been sent before, is the close frame.
	go func() { _ = writing.conn.Close(websocket.StatusNormalClosure, "") }()
	for {
		_, data, err := writing.conn.Read(t.Context())
		if err != nil {
			break
		}
		t.Errorf("the scribe was sent %s", data)
	}
	for _, path := range []string{"/api/contents/demo", "/api/stream/demo"} {
		if status, _ := a.do("GET", path, scribe, ""); status != 403 {
			t.Errorf("GET %s: got %d, want 403", path, status)
		}
	}
}

func TestWithoutPermissionsThereIsOnlyThePage(t *testing.T) {
	t.Parallel()
	a := setup(t)
	a.put("demo", "one")
	for path, want := range map[string]int{"/": 200, "/api/me": 200, "/api/contents/demo": 403, "/api/stream/demo": 403} {
		if status, _ := a.do("GET", path, nobody, ""); status != want {
			t.Errorf("GET %s: got %d, want %d", path, status, want)
		}
	}
	if code := a.room("demo", nobody).closeCode(); code != websocket.StatusPolicyViolation {
		t.Errorf("the socket closed with %d, want 1008", code)
	}
}

func TestDeletingEmptiesTheNoteForThoseWhoHaveItOpen(t *testing.T) {
	t.Parallel()
	a := setup(t)
	a.put("demo", "one")
	in := a.room("demo", shared)
	in.expect("welcome", "one")
	if status, _ := a.do("DELETE", "/api/contents/demo", shared, ""); status != 204 {
		t.Errorf("DELETE: got %d", status)
	}
	in.expect("edit", "")
	if status, _ := a.do("GET", "/api/contents/demo", shared, ""); status != 404 {
		t.Errorf("GET: got %d, want 404", status)
	}
	in.edit("anew")
	in.expect("edit", "anew")
	if _, text := a.do("GET", "/api/contents/demo", shared, ""); text != `{"name":"demo","text":"anew"}` {
		t.Errorf("the note is %s", text)
	}
}

func TestPeopleAreToldToThoseWhoAsk(t *testing.T) {
	t.Parallel()
	a := setup(t)
	one, two := a.browser(), a.browser()
	asking := a.room("demo?people=1", one)
	me := asking.expect("welcome", "").User
	if m := asking.next(); m.Type != "people" || len(m.Users) != 1 || m.Users[0]["username"] != me["username"] || len(m.Users[0]) != 6 {
		t.Fatalf("got %+v", m)
	}
	again := a.room("demo", one) // a second tab is no second person
	again.expect("welcome", "")
	if m := asking.next(); len(m.Users) != 1 {
		t.Errorf("got %+v", m)
	}
	other := a.room("demo", two)
	other.expect("welcome", "")
	if m := asking.next(); len(m.Users) != 2 {
		t.Errorf("got %+v", m)
	}
	if status, answer := a.do("PATCH", "/api/me", two, `{"display_name":"Zoë"}`); status != 200 {
		t.Fatalf("PATCH: got %d %s", status, answer)
	}
	if m := asking.next(); len(m.Users) != 2 || m.Users[1]["display_name"] != "Zoë" {
		t.Errorf("got %+v", m)
	}
	// Who changes nobody makes the server tell nobody: the next message is the edit.
	for token, want := range map[string]int{"": 401, "WRONG": 401, shared: 400} {
		if status, answer := a.do("PATCH", "/api/me", token, `{"username":"root"}`); status != want {
			t.Errorf("PATCH as %q: got %d %s, want %d", token, status, answer, want)
		}
	}
	other.edit("hello")
	if m := asking.expect("edit", "hello"); m.User["display_name"] != "Zoë" {
		t.Errorf("got %+v", m)
	}
	other.expect("edit", "hello") // its first message behind the welcome: who doesn't ask isn't told
	_ = other.conn.Close(websocket.StatusNormalClosure, "")
	if m := asking.next(); len(m.Users) != 1 || m.Users[0]["username"] != me["username"] {
		t.Errorf("got %+v", m)
	}
}

func TestTheStreamFollowsTheNoteAndEndsWithTheSession(t *testing.T) {
	t.Parallel()
	a := setup(t)
	a.put("demo", "one")
	cookie := a.browser()
	req, err := http.NewRequestWithContext(t.Context(), "GET", a.url+"/api/stream/demo", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", cookie)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
		t.Fatalf("content type %q", got)
	}
	events := bufio.NewReader(resp.Body)
	expect := func(text string) {
		t.Helper()
		line, err := events.ReadString('\n')
		end, _ := events.ReadString('\n')
		if want := `data: {"text":"` + text + "\"}\n"; err != nil || line != want || end != "\n" {
			t.Fatalf("got %q %q %v, want %q", line, end, err, want)
		}
	}
	expect("one")
	a.put("demo", "two")
	expect("two")
	in := a.room("demo", shared)
	in.expect("welcome", "two")
	in.edit("line\nbreak")
	expect(`line\nbreak`) // one event stays one event
	if status, _ := a.do("POST", "/auth/logout", cookie, ""); status != 204 {
		t.Fatalf("logout: got %d", status)
	}
	if rest, err := io.ReadAll(events); len(rest) > 0 || err != nil {
		t.Errorf("after the logout: %q %v", rest, err)
	}
}

// One who doesn't read must not hold up the others, nor make the server keep what was missed.
func TestSlowReadersAreCutOff(t *testing.T) {
	t.Parallel()
	a := setup(t)
	slow, quick := a.room("demo", shared), a.room("demo", shared)
	quick.expect("welcome", "")
	text := strings.Repeat("x", 60<<10)
	const edits = 400 // 24 MB: more than the operating system buffers
	for i := range edits {
		quick.edit(fmt.Sprint(i) + text)
		quick.expect("edit", fmt.Sprint(i)+text)
	}
	n := 0
	for {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, _, err := slow.conn.Read(ctx)
		cancel()
		if err != nil {
			break
		}
		n++
	}
	if n >= edits {
		t.Errorf("all %d messages were kept for who didn't read", n)
	}
}

// A client that ignores the close frame gets no edit through after its session has ended.
func TestNoEditAfterTheSession(t *testing.T) {
	t.Parallel()
	a := setup(t)
	a.put("demo", "before")
	cookie := a.browser()
	in := a.room("demo", cookie)
	in.expect("welcome", "before")
	in.edit("before the end")
	in.expect("edit", "before the end")
	if status, _ := a.do("POST", "/auth/logout", cookie, ""); status != 204 {
		t.Fatalf("logout: got %d", status)
	}
	for range 20 { // nothing is read here, so the close frame isn't answered
		if in.conn.Write(t.Context(), websocket.MessageText, []byte(`{"type":"edit","text":"after the end"}`)) != nil {
			break
		}
	}
	if code := in.closeCode(); code != websocket.StatusPolicyViolation && code != -1 {
		t.Errorf("got %d, want 1008, or the connection dropped", code)
	}
	if _, text := a.do("GET", "/api/contents/demo", shared, ""); text != `{"name":"demo","text":"before the end"}` {
		t.Errorf("the note is %s", text)
	}
}

func TestThereIsAnEndToNotes(t *testing.T) {
	t.Parallel()
	a := setup(t)
	for i := range 1000 {
		a.put(fmt.Sprint("n", i), "x")
	}
	if status, answer := a.do("PUT", "/api/contents/more", shared, `{"text":"x"}`); status != 507 || !strings.Contains(answer, `"code":"full"`) {
		t.Errorf("PUT: got %d %s", status, answer)
	}
	in := a.room("more", shared)
	in.expect("welcome", "")
	in.edit("x")
	if code := in.closeCode(); code != websocket.StatusTryAgainLater {
		t.Errorf("an edit: got %d, want 1013", code)
	}
	a.put("n0", "still changes")
	if status, _ := a.do("DELETE", "/api/contents/n1", shared, ""); status != 204 {
		t.Errorf("DELETE: got %d", status)
	}
	a.put("more", "now there is room")
}

func TestThePageIsUnderAStrictPolicy(t *testing.T) {
	t.Parallel()
	a := setup(t)
	req, err := http.NewRequestWithContext(t.Context(), "GET", a.url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+shared)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	policy := resp.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("no %s in %q", part, policy)
		}
	}
	for _, inline := range []string{"<script>", "<style", " style=", " onclick=", " onload="} {
		if strings.Contains(string(body), inline) {
			t.Errorf("%s in the page", inline)
		}
	}
	if resp.Header.Get("Cache-Control") != "private, no-store" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", resp.Header)
	}
	for name, kind := range map[string]string{"notebook.js": "text/javascript", "style.css": "text/css", "icon.svg": "image/svg+xml"} {
		resp, err := client.Get(a.url + "/static/" + name)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), kind) || resp.Header.Get("ETag") == "" {
			t.Errorf("%s: got %d %v", name, resp.StatusCode, resp.Header)
		}
	}
}
