package auth_test

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/ostiary/auth"
)

// These tests play what only a real server sees: odd request lines, protocols, bodies that are never read.

// wireServer serves h, silently.
func wireServer(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv
}

// wireSend writes raw bytes ("\n" for CRLF) to srv and reads one answer. The status is 0 where the server hangs up.
func wireSend(t testing.TB, srv *httptest.Server, raw string) (status int, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(conn, strings.ReplaceAll(raw, "\n", "\r\n")) // fails where the server answers before it has read all
	conn.(*net.TCPConn).CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// guards stand at routes, not at path prefixes, so no spelling of a path leads around one.
func TestEverySpellingOfAPathIsGuarded(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, guardPeople())
	for _, router := range []string{"ServeMux", "chi"} {
		t.Run(router, func(t *testing.T) {
			t.Parallel()
			p, public := &guardProbe{}, &guardProbe{do: func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "public") }}
			guarded := a.CurrentUser(guardReads)(p)
			var h http.Handler
			if router == "chi" {
				r := chi.NewRouter()
				r.Get("/public/*", public.ServeHTTP)
				r.Handle("/admin", guarded)
				r.Handle("/admin/*", guarded)
				h = r
			} else {
				mux := http.NewServeMux()
				mux.Handle("GET /public/", public)
				mux.Handle("/admin", guarded)
				mux.Handle("/admin/", guarded)
				h = mux
			}
			srv := wireServer(t, h)
			send := func(method, target, headers string) (int, string) {
				return wireSend(t, srv, method+" "+target+" HTTP/1.1\nHost: 127.0.0.1\n"+headers+"Connection: close\n\n")
			}
			if status, body := send("GET", "/admin/x", "Test-User: alice\n"); status != 200 || body != guardedText {
				t.Fatalf("got %d, %q for who may", status, body)
			}
			if status, body := send("GET", "/public/x", ""); status != 200 || body != "public" {
				t.Fatalf("got %d, %q of the public route", status, body)
			}
			before := p.calls.Load()
			for _, target := range []string{
				"/admin/x", "//admin/x", "/./admin/x", "/x/../admin/x", "/x/%2e%2e/admin/x", "/admin%2fx", "/Admin/x", "/admin;/x", "/admin#/public",
				"/admin/x/", "/admin//x", "/%61dmin/x", "/admin?x=/public/", "/public/../admin", "/public%2f..%2fadmin", "/public/..%2fadmin", "/public/%2e%2e/admin/x",
				"/publicx", "http://evil.example/admin/x", "/admin/public/", "/admin\\x",
			} {
				for _, method := range []string{"GET", "POST", "HEAD", "OPTIONS", "GETX", "PROPFIND", "TRACE", "get"} {
					headers := "X-Forwarded-Uri: /public/\nX-Original-URL: /public/\nX-Rewrite-URL: /public/\nUser-Agent: kube-probe/1.30\n"
					status, body := send(method, target, headers)
					if strings.Contains(body, guardedText) || status == 200 && body != "public" && method != "HEAD" || status >= 500 {
						t.Errorf("%s %s: got %d, %q", method, target, status, body)
					}
				}
			}
			for _, target := range []string{"/admin", "127.0.0.1:80", "/admin/x"} {
				if status, _ := send("CONNECT", target, ""); status == 200 || status >= 500 {
					t.Errorf("A-16 CONNECT %s: got %d", target, status)
				}
			}
			if got := p.calls.Load() - before; got != 0 {
				t.Errorf("got %d calls of the handler for nobody, want 0", got)
			}
		})
	}
}

// GO5 (root's half): a doubled slash ends at the guard or nowhere.
func TestDoubledSlash(t *testing.T) {
	t.Parallel()
	store := &meStore{Backend: guardPeople()}
	mux := http.NewServeMux()
	mux.Handle("/api/me", auth.Me(guardNew(t, auth.Config{}, store)))
	srv := wireServer(t, mux)
	for _, user := range []string{"alice", ""} {
		r, _ := http.NewRequestWithContext(t.Context(), "PATCH", srv.URL+"/api//me", strings.NewReader(`{"color":"red"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Test-User", user)
		resp, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if want := map[string]int{"alice": 200, "": 401}[user]; resp.StatusCode != want {
			t.Errorf("%q: got %d, want %d", user, resp.StatusCode, want)
		}
	}
	if got := store.calls.Load(); got != 1 {
		t.Errorf("got %d changes, want 1: none for nobody", got)
	}
}

// JS65: where there is no guard, no backend is asked.
func TestRouteWithoutAGuard(t *testing.T) {
	t.Parallel()
	b := &guardFixed{err: auth.ErrInvalidCredentials}
	a := guardNew(t, auth.Config{}, b)
	p, q := &guardProbe{}, &guardProbe{}
	mux := http.NewServeMux()
	mux.Handle("/open", p)
	mux.Handle("/guarded", a.CurrentUser(nil)(q))
	resp := p.ask(t, mux, guardRequest("OPTIONS", "/open"), 200)
	if got := guardBody(t, resp); got != guardedText || b.asked.Load() != 0 {
		t.Errorf("JS65 got %q, and %d questions to the backend", got, b.asked.Load())
	}
	if got := resp.Header.Values("Set-Cookie"); len(got) != 0 {
		t.Errorf("C-20 got cookies %q", got)
	}
	q.ask(t, mux, guardRequest("OPTIONS", "/guarded"), 401)
}

// HEAD is answered as GET, without the body.
func TestHeadIsAsGet(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, &guardLogin{Backend: guardPeople(), name: "app"})
	srv := wireServer(t, a.CurrentUser(guardReads)(&guardProbe{}))
	client := srv.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for user, want := range map[string]int{"alice": 200, "bob": 403, "mallory": 401, "": 401} {
		var headers []string
		for _, method := range []string{"GET", "HEAD"} {
			r, _ := http.NewRequestWithContext(t.Context(), method, srv.URL, nil)
			r.Header.Set("Test-User", user)
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body := guardBody(t, resp)
			resp.Body.Close()
			if resp.StatusCode != want || method == "HEAD" && body != "" {
				t.Errorf("%s as %q: got %d, %q, want %d", method, user, resp.StatusCode, body, want)
			}
			// net/http counts the bytes of a body that it drops only where the handler wrote them.
			resp.Header.Del("Date")
			resp.Header.Del("Content-Length")
			headers = append(headers, fmt.Sprint(resp.Header))
		}
		if headers[0] != headers[1] {
			t.Errorf("%q: got headers %s of HEAD, want %s", user, headers[1], headers[0])
		}
	}
}

// Requests that no ordinary client sends.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	p := &guardProbe{}
	a := guardNew(t, auth.Config{}, byHeader(map[string]*auth.Identity{"alice": guardPerson("alice", "")}), originHeader)
	srv := wireServer(t, a.CurrentUser(nil)(p))
	for _, c := range []struct {
		name, raw string
		want      []int // 0: the server hangs up
	}{
		{"as it should be", "GET / HTTP/1.1\nHost: 127.0.0.1\nTest-User: alice\n\n", []int{200}},
		{"a bearer token as it should be", "GET / HTTP/1.1\nHost: 127.0.0.1\nAuthorization: Bearer alice\n\n", []int{200}},
		{"A-21 a header that is named hop by hop", "GET / HTTP/1.1\nHost: 127.0.0.1\nX-Auth-User: alice\nConnection: close, X-Auth-User\n\n", []int{401}},
		{"A-21 nobody's header is trusted", "GET / HTTP/1.1\nHost: 127.0.0.1\nX-Auth-User: alice\nRemote-User: alice\nX-Forwarded-User: alice\n\n", []int{401}},
		{"A-22 an underscore is no dash", "GET / HTTP/1.1\nHost: 127.0.0.1\nTest_User: alice\n\n", []int{401}},
		{"A-23 HTTP/1.0 without Host", "GET / HTTP/1.0\n\n", []int{401}},
		{"A-23 two Hosts", "GET / HTTP/1.1\nHost: 127.0.0.1\nHost: b\nTest-User: alice\n\n", []int{400}},
		{"A-23 a Host with an @", "GET / HTTP/1.1\nHost: a@b\n\n", []int{400, 401}},
		{"A-24 a folded header", "GET / HTTP/1.1\nHost: 127.0.0.1\nAuthorization: Bearer\n alice2\n\n", []int{200, 400, 401}},
		{"A-24 NUL", "GET / HTTP/1.1\nHost: 127.0.0.1\nAuthorization: Bea\x00rer alice\n\n", []int{400, 401}},
		{"A-24 no ASCII", "GET / HTTP/1.1\nHost: 127.0.0.1\nAuthorization: \xff\xfe\n\n", []int{400, 401}},
		{"A-24 a blank before the colon", "GET / HTTP/1.1\nHost: 127.0.0.1\nAuthorization : Bearer alice\n\n", []int{400}},
		{"A-26 a credential in the trailer", "POST / HTTP/1.1\nHost: 127.0.0.1\nTransfer-Encoding: chunked\nTrailer: Authorization, Test-User\n\n1\nx\n0\nAuthorization: Bearer alice\nTest-User: alice\n\n", []int{400, 401}},
		{"A-26 another trailer", "POST / HTTP/1.1\nHost: 127.0.0.1\nTransfer-Encoding: chunked\nTrailer: Test-User\n\n1\nx\n0\nTest-User: alice\n\n", []int{401}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := p.calls.Load()
			status, body := wireSend(t, srv, c.raw)
			ok := false
			for _, want := range c.want {
				ok = ok || status == want
			}
			if !ok {
				t.Errorf("got %d, %q, want one of %v", status, body, c.want)
			}
			if got := p.calls.Load() - before; (got == 1) != (status == 200) {
				t.Errorf("got %d calls of the handler with a %d", got, status)
			}
		})
	}
}

// the protocol makes no difference.
func TestProtocols(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, guardPeople())
	p := &guardProbe{}
	h := a.CurrentUser(guardReads)(p)
	overTLS := httptest.NewUnstartedServer(h)
	overTLS.EnableHTTP2 = true
	overTLS.StartTLS()
	t.Cleanup(overTLS.Close)
	clear := httptest.NewUnstartedServer(h)
	clear.Config.Protocols = new(http.Protocols)
	clear.Config.Protocols.SetHTTP1(true)
	clear.Config.Protocols.SetUnencryptedHTTP2(true)
	clear.Start()
	t.Cleanup(clear.Close)
	h2c := &http.Transport{Protocols: new(http.Protocols)}
	h2c.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(h2c.CloseIdleConnections)
	for _, c := range []struct {
		name   string
		url    string
		client *http.Client
		proto  string
	}{
		{"HTTP/1.1", clear.URL, clear.Client(), "HTTP/1.1"},
		{"A-25 HTTP/2", overTLS.URL, overTLS.Client(), "HTTP/2.0"},
		{"A-25 HTTP/2 with prior knowledge", clear.URL, &http.Client{Transport: h2c}, "HTTP/2.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for user, want := range map[string]int{"alice": 200, "bob": 403, "mallory": 401, "": 401} {
				before := p.calls.Load()
				r, _ := http.NewRequestWithContext(t.Context(), "GET", c.url, nil)
				r.Header.Set("Test-User", user)
				resp, err := c.client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body := guardBody(t, resp)
				resp.Body.Close()
				if resp.StatusCode != want || resp.Proto != c.proto || (body == guardedText) != (want == 200) || (p.calls.Load()-before == 1) != (want == 200) {
					t.Errorf("%q: got %d over %s, %d calls of the handler, want %d over %s", user, resp.StatusCode, resp.Proto, p.calls.Load()-before, want, c.proto)
				}
			}
		})
	}
}

// who isn't let in is told so before the upload begins.
func TestUploadIsRefusedUnread(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, guardPeople())
	srv := wireServer(t, a.CurrentUser(guardReads)(&guardProbe{}))
	for _, user := range []string{"", "mallory", "bob"} {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTest-User: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", user, 1<<30)
		answer := bufio.NewReader(conn)
		resp, err := http.ReadResponse(answer, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]int{"": 401, "mallory": 401, "bob": 403}[user]; resp.StatusCode != want {
			t.Errorf("%q: got %d first, want %d", user, resp.StatusCode, want)
		}
		io.Copy(io.Discard, resp.Body)
		if _, err := answer.ReadByte(); err != io.EOF {
			t.Errorf("%q: got %v after the answer, want the connection closed", user, err)
		}
	}
}

// wireBody counts what is read of it.
type wireBody struct {
	io.Reader
	read atomic.Int64
}

func (b *wireBody) Read(p []byte) (int, error) {
	b.read.Add(1)
	return b.Reader.Read(p)
}

func (b *wireBody) Close() error { return nil }

// A-28, JS47: the guard never looks into a body.
func TestBodyIsTheHandlers(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, &guardLogin{Backend: guardPeople()})
	const form = "token=T&password=P&Test-User=alice"
	p := &guardProbe{do: func(_ http.ResponseWriter, r *http.Request) {
		if got, err := io.ReadAll(r.Body); string(got) != form || err != nil {
			t.Errorf("A-28 got body %q, %v", got, err)
		}
	}}
	h := a.CurrentUser(guardReads)(p)
	for user, want := range map[string]int{"alice": 200, "bob": 403, "": 401} {
		body := &wireBody{Reader: strings.NewReader(form)}
		r := guardRequest("POST", "/x", "Content-Type", "application/x-www-form-urlencoded", "Test-User", user)
		r.Body, r.ContentLength = body, int64(len(form))
		p.ask(t, h, r, want)
		if got := body.read.Load(); (got > 0) != (want == 200) {
			t.Errorf("JS47 %q: got %d reads of the body", user, got)
		}
		if r.Form != nil || r.PostForm != nil {
			t.Errorf("JS47 %q: the form was parsed", user)
		}
	}
}

// nothing of a handler's answer precedes the check, and one that panics leaves the guard as it was.
func TestHandlerThatPanics(t *testing.T) {
	t.Parallel()
	a := guardNew(t, auth.Config{}, guardPeople())
	p := &guardProbe{do: func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("secret of a handler")
		}
		io.WriteString(w, guardedText)
	}}
	srv := wireServer(t, a.CurrentUser(guardReads)(p))
	send := func(path, user string) (int, string) {
		return wireSend(t, srv, "GET "+path+" HTTP/1.1\nHost: 127.0.0.1\nTest-User: "+user+"\n\n")
	}
	for range 3 {
		if status, body := send("/panic", "alice"); status != 0 {
			t.Errorf("got %d, %q of a handler that panics before it answers", status, body)
		}
		if status, body := send("/x", "alice"); status != 200 || body != guardedText {
			t.Errorf("got %d, %q afterwards", status, body)
		}
		if status, body := send("/panic", "bob"); status != 403 || strings.Contains(body, "secret") {
			t.Errorf("got %d, %q for who may not", status, body)
		}
	}
}

// F-03 (PATCH /api/me): a body that isn't what its length says is 400, at once.
func TestMeBodyOfAnotherLength(t *testing.T) {
	t.Parallel()
	store := &meStore{Backend: guardPeople()}
	srv := wireServer(t, auth.Me(guardNew(t, auth.Config{}, store)))
	const head = "PATCH /api/me HTTP/1.1\nHost: 127.0.0.1\nTest-User: alice\nContent-Type: application/json\n"
	for _, c := range []struct {
		name, rest string
		want       int
	}{
		{"as it should be", "Content-Length: 15\n\n{\"color\":\"red\"}", 200},
		{"in chunks", "Transfer-Encoding: chunked\n\n5\n{\"col\na\nor\":\"red\"}\n0\n\n", 200},
		{"F-03 shorter than it says", "Content-Length: 100\n\n{\"color\":\"blue\"}", 400},
		{"F-03 a chunk that ends early", "Transfer-Encoding: chunked\n\nff\n{\"color\":\"blue\"}", 400},
		{"F-03 a chunk of no length", "Transfer-Encoding: chunked\n\nx\n{}\n0\n\n", 400},
		{"F-03 a huge chunk extension", "Transfer-Encoding: chunked\n\n2;" + strings.Repeat("x", 16<<10) + "\n{}\n0\n\n", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := store.calls.Load()
			status, body := wireSend(t, srv, head+c.rest)
			if status != c.want {
				t.Errorf("got %d, %q, want %d", status, body, c.want)
			}
			if got := store.calls.Load() - before; (got == 1) != (c.want == 200) {
				t.Errorf("got %d changes", got)
			}
		})
	}
}
