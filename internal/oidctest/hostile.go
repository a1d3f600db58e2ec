package oidctest

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
)

// A Fault stands before an endpoint and spoils how it answers. The faults here work with the endpoint's own, right answer
// where they can: a client that takes the broken one would have succeeded.
type Fault func(next http.Handler) http.Handler

// Hold answers after release is closed, or never: then the client has to give up.
func Hold(release <-chan struct{}) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
				next.ServeHTTP(w, r)
			case <-r.Context().Done(): // the client has left, or the provider ends
				panic(http.ErrAbortHandler) // to return would be an empty 200
			}
		})
	}
}

// Status answers with the status and no content that means anything.
func Status(status int) Fault {
	return instead(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, http.StatusText(status), status) })
}

// OAuthError answers 400 with an error of OAuth.
func OAuthError(code string) Fault {
	return instead(func(w http.ResponseWriter, _ *http.Request) { answerProblem(w, refuse(code, "on demand")) })
}

// HTML answers 200 with a page, as captive portals and proxies do.
func HTML() Fault {
	return instead(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!DOCTYPE html><title>Welcome</title><p>Please accept our terms.")
	})
}

func instead(h http.HandlerFunc) Fault { return func(http.Handler) http.Handler { return h } }

// Times spoils the first n requests.
func Times(n int64, f Fault) Fault {
	var count atomic.Int64
	return func(next http.Handler) http.Handler {
		faulty := f(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if count.Add(1) <= n {
				faulty.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Edit changes the right answer: its headers in place, its body as it returns it.
func Edit(change func(h http.Header, body []byte) []byte) Fault {
	return recorded(func(w http.ResponseWriter, _ *http.Request, a *httptest.ResponseRecorder) {
		body := change(w.Header(), a.Body.Bytes())
		w.WriteHeader(a.Code)
		w.Write(body)
	})
}

// recorded runs the endpoint, puts its headers into w and leaves the rest to send.
func recorded(send func(http.ResponseWriter, *http.Request, *httptest.ResponseRecorder)) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := httptest.NewRecorder()
			next.ServeHTTP(a, r)
			for name, values := range a.Header() {
				w.Header()[name] = values
			}
			send(w, r, a)
		})
	}
}

// ContentType sends the right answer under another type.
func ContentType(mediaType string) Fault {
	return Edit(func(h http.Header, body []byte) []byte {
		h.Set("Content-Type", mediaType)
		return body
	})
}

// SetCookie sends the right answer with a cookie.
func SetCookie(cookie *http.Cookie) Fault {
	return Edit(func(h http.Header, body []byte) []byte {
		h.Add("Set-Cookie", cookie.String())
		return body
	})
}

// Members adds members, as they stand, at the end of the right answer's object: most readers take the last of a name.
func Members(members string) Fault {
	return Edit(func(_ http.Header, body []byte) []byte { return addMembers(body, members) })
}

// Cut sends the right answer without its last bytes, and says that this was all.
func Cut() Fault {
	return Edit(func(_ http.Header, body []byte) []byte { return body[:len(body)/2] })
}

// Huge pads the right answer to about size bytes: who reads them all finds nothing wrong.
func Huge(size int64) Fault {
	return recorded(func(w http.ResponseWriter, _ *http.Request, a *httptest.ResponseRecorder) {
		w.WriteHeader(a.Code)
		_ = pad(w, a.Body.Bytes(), size) // fails when the client has had enough
	})
}

// GzipBomb is Huge in a compressed form, of about a thousandth of size, whether the client takes that or not.
func GzipBomb(size int64) Fault {
	return recorded(func(w http.ResponseWriter, _ *http.Request, a *httptest.ResponseRecorder) {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(a.Code)
		z := gzip.NewWriter(w)
		if pad(z, a.Body.Bytes(), size) == nil {
			_ = z.Close() // fails when the client has had enough
		}
	})
}

// Gzip compresses the right answer for clients that take that, as an honest server may.
func Gzip() Fault {
	return recorded(func(w http.ResponseWriter, r *http.Request, a *httptest.ResponseRecorder) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.WriteHeader(a.Code)
			w.Write(a.Body.Bytes())
			return
		}
		var body bytes.Buffer
		z := gzip.NewWriter(&body)
		_, _ = z.Write(a.Body.Bytes()) // a buffer takes every write
		_ = z.Close()
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(a.Code)
		w.Write(body.Bytes())
	})
}

// pad writes object with a member of size bytes more.
func pad(w io.Writer, object []byte, size int64) error {
	start, _ := bytes.CutSuffix(addMembers(object, `"padding":"`), []byte("}"))
	if _, err := w.Write(start); err != nil {
		return err
	}
	chunk := bytes.Repeat([]byte("a"), 1<<16)
	for sent := int64(0); sent < size; sent += int64(len(chunk)) {
		if _, err := w.Write(chunk); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, `"}`)
	return err
}

// RedirectTo answers with a redirect; 307 and 308 would repeat a POST, secrets and all, at the new address.
func RedirectTo(status int, target string) Fault {
	return instead(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", target)
		w.WriteHeader(status)
	})
}

// Elsewhere redirects to the same endpoint under the name localhost, another host than the issuer's, which gives the right
// answer: [Call.Host] shows who went there. It is for http: no certificate names localhost.
func Elsewhere(status int) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			host, port, _ := strings.Cut(r.Host, ":")
			if host == "localhost" {
				next.ServeHTTP(w, r)
				return
			}
			RedirectTo(status, "http://localhost:"+port+r.URL.RequestURI())(next).ServeHTTP(w, r)
		})
	}
}

// Lost does what was asked, then breaks the connection without an answer.
func Lost() Fault {
	return recorded(func(w http.ResponseWriter, _ *http.Request, _ *httptest.ResponseRecorder) { breakOff(w, nil) })
}

// BreakOff breaks the connection in the middle of the right answer.
func BreakOff() Fault {
	return recorded(func(w http.ResponseWriter, _ *http.Request, a *httptest.ResponseRecorder) {
		body := a.Body.Bytes()
		head := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
		breakOff(w, append([]byte(head), body[:len(body)/2]...))
	})
}

// breakOff sends what there is and resets the connection.
func breakOff(w http.ResponseWriter, sent []byte) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // without a connection of its own (HTTP/2): the next best thing
	}
	_, _ = conn.Write(sent) // fails when the client is gone: then nothing is left to break
	if over, ok := conn.(*tls.Conn); ok {
		conn = over.NetConn()
	}
	reset(conn)
}
