package op_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostiary/auth/oidcauth/internal/op"
)

// compressed is a small answer that becomes a large one.
func compressed(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write(bomb())
}

// compressedWell is an answer that would do, if it weren't compressed.
func compressedWell(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	_, _ = io.WriteString(z, `{"access_token":"a","token_type":"Bearer","id_token":"i","sub":"alice","active":true,"request_uri":"urn:a"}`)
	_ = z.Close()
}

var bomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 10<<20))
	_ = z.Close()
	return b.Bytes()
})

// asks are all the ways to ask a provider, by the path that is asked.
func asks(client *op.Provider) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		discovery: func(ctx context.Context) error { _, err := client.Metadata(ctx); return err },
		jwks:      func(ctx context.Context) error { _, err := client.Keys(ctx, "k1", "EdDSA", false); return err },
		tokens: func(ctx context.Context) error {
			_, err := client.Exchange(ctx, "the-code", "the-verifier", "https://app.example/callback")
			return err
		},
		userinfo:   func(ctx context.Context) error { _, err := client.UserInfo(ctx, "access-1", "alice"); return err },
		introspect: func(ctx context.Context) error { _, err := client.Introspect(ctx, "access-1"); return err },
		revoke:     func(ctx context.Context) error { return client.Revoke(ctx, "refresh-1") },
		par: func(ctx context.Context) error {
			_, err := client.AuthorizationURL(ctx, url.Values{"scope": {"openid"}})
			return err
		},
	}
}

// withPAR has the provider offer pushed authorization requests.
func withPAR(p *provider) {
	p.say(discovery, p.with(map[string]any{"pushed_authorization_request_endpoint": p.issuer + par}))
}

// O-14, O-16, O-18, J-12: whatever comes from an endpoint, it is an answer or none.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	for path := range asks(nil) {
		for name, answer := range map[string]http.HandlerFunc{
			"status 500":          sayJSON(500, `{"error":"server_error"}`),
			"status 503, a page":  typed("text/html", sayJSON(503, `<html>`)),
			"status 404":          http.NotFound,
			"a page":              typed("text/html", sayJSON(200, `<html>{}`)),
			"no content type":     typed("", sayJSON(200, `{"active":true,"sub":"alice"}`)),
			"100 MiB":             huge,
			"compressed unasked":  compressed,
			"compressed and good": compressedWell,
			"a redirect":          redirect("/elsewhere"),
			"a permanent redirect": func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			},
			"a reset mid-body": reset,
			"no answer at all": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			"not HTTP": func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					panic(err)
				}
				_, _ = io.WriteString(conn, "SSH-2.0-x the-code,access-1,refresh-1\x1b[31m\r\n")
				_ = conn.Close()
			},
		} {
			if path == revoke && (name == "a page" || name == "no content type") {
				continue // of that answer only the status counts
			}
			t.Run(path+" "+name, func(t *testing.T) {
				t.Parallel()
				p, client, _ := setup(t)
				withPAR(p)
				ask := asks(client)[path]
				if path != discovery && path != jwks { // these are kept: the keys' own test looks at them
					if err := ask(t.Context()); err != nil {
						t.Fatalf("the good answer: %v", err)
					}
				}
				p.say(path, answer)
				start := time.Now()
				err := ask(t.Context())
				check(t, err, "unavailable")
				sent := map[string]string{tokens: "the-code", userinfo: "access-1", introspect: "access-1", revoke: "refresh-1"}[path]
				if word := shows(err.Error(), "\x1b", "\n", `Post "`, `Get "`, "Post \\", cmp.Or(sent, "\x1b")); word != "" {
					t.Errorf("got %q, which holds %q", err, word)
				}
				if d := time.Since(start); d > 5*time.Second {
					t.Errorf("took %s", d)
				}
				if p.count("/elsewhere") != 0 {
					t.Error("the redirect was followed")
				}
				if got := p.last(t, path).header.Get("Accept-Encoding"); got != "identity" {
					t.Errorf("got Accept-Encoding %q, want identity", got)
				}
			})
		}
	}
}

// O-14, O-16, O-18, O-20: a call takes ten seconds at most, from the dial to the last byte.
func TestSlowAnswersEndWithTheTimeOut(t *testing.T) {
	t.Parallel()
	for path := range asks(nil) {
		for name, answer := range map[string]http.HandlerFunc{
			"nothing": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			"a byte a second": func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				for r.Context().Err() == nil {
					_, _ = io.WriteString(w, " ")
					_ = http.NewResponseController(w).Flush()
					select {
					case <-time.After(time.Second):
					case <-r.Context().Done():
					}
				}
			},
		} {
			t.Run(path+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p, client := bubbled(t)
					withPAR(p)
					ask := asks(client)[path]
					if path != discovery && path != jwks {
						if err := ask(t.Context()); err != nil {
							t.Fatalf("the good answer: %v", err)
						}
					}
					p.say(path, answer)
					start := time.Now()
					err := ask(t.Context())
					check(t, err, "unavailable")
					if d := time.Since(start); d != 10*time.Second || !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v after %s, want the deadline after 10s", err, d)
					}
				})
			})
		}
	}
}

// O-20: nor does who waits for the keys wait for the metadata first, and then for them.
func TestKeysAndTheMetadataBeforeThemShareOneTimeOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, client := bubbled(t)
		slow := func(answer http.HandlerFunc) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(6 * time.Second)
				answer(w, r)
			}
		}
		p.say(discovery, slow(p.with(nil)))
		p.say(jwks, slow(p.keys("k1")))
		start := time.Now()
		_, err := found(t, client, "k1")
		check(t, err, "unavailable")
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("took %s, want 10s", d)
		}
		time.Sleep(2 * time.Second)
		mustFind(t, client, "k1") // the metadata is there by now
	})
}

// O-21: who leaves ends the call, and nothing of it stays.
func TestACallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for path := range asks(nil) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // fails where a goroutine stays behind
				p, client := bubbled(t)
				withPAR(p)
				told := make(chan struct{}, 1)
				p.say(path, func(_ http.ResponseWriter, r *http.Request) {
					<-r.Context().Done()
					told <- struct{}{}
				})
				ctx, leave := context.WithTimeout(t.Context(), time.Second)
				defer leave()
				start := time.Now()
				err := asks(client)[path](ctx)
				check(t, err, "unavailable")
				if d := time.Since(start); d != time.Second || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v after %s, want the caller's deadline", err, d)
				}
				client.Close() // ends what goes on for others
				<-told
			})
		})
	}
}

// O-20: with 16 calls of an endpoint under way the next one is refused at once, and those of others are made; when they end
// there is room again.
func TestCallsUnderWayAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, client := bubbled(t)
		if _, err := exchange(t, client); err != nil {
			t.Fatalf("the good answer: %v", err)
		}
		goOn := make(chan struct{})
		good := p.answers[tokens]
		p.say(tokens, func(w http.ResponseWriter, r *http.Request) {
			<-goOn
			good(w, r)
		})
		var held sync.WaitGroup
		for range 16 {
			held.Go(func() {
				_, err := exchange(t, client)
				check(t, err, "")
			})
		}
		synctest.Wait()
		start := time.Now()
		for path, ask := range asks(client) {
			if path != tokens {
				if err := ask(t.Context()); err != nil { // calls that hang keep nothing else away
					t.Errorf("%s: %v", path, err)
				}
				continue
			}
			check(t, ask(t.Context()), "unavailable")
		}
		if d := time.Since(start); d != 0 || p.count(tokens) != 17 {
			t.Errorf("took %s with %d calls, want no time and none more", d, p.count(tokens))
		}
		close(goOn)
		held.Wait()
		_, err := exchange(t, client)
		check(t, err, "")
	})
}

// O-20: an endpoint that doesn't answer isn't asked for a while, one call tries it then, and the others work meanwhile.
func TestAnEndpointThatDoesNotAnswerIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, client := bubbled(t)
		ask := func() error { _, err := client.Introspect(t.Context(), "access-1"); return err }
		check(t, ask(), "")
		good := p.answers[introspect]
		p.say(introspect, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		for range 5 {
			check(t, ask(), "unavailable")
		}
		asked := p.count(introspect)
		start := time.Now()
		for range 1000 {
			check(t, ask(), "unavailable")
		}
		if n := p.count(introspect); n != asked || time.Since(start) != 0 {
			t.Errorf("got %d more calls in %s, want none, at once", n-asked, time.Since(start))
		}
		_, err := exchange(t, client)
		check(t, err, "")
		// Over ten minutes, with somebody asking each second, it is tried less and less often, to once in 40 seconds: the pause of
		// 30 and the time-out of 10.
		for time.Since(start) < 10*time.Minute {
			go ask()
			time.Sleep(time.Second)
		}
		if n := p.count(introspect) - asked; n < 14 || n > 20 {
			t.Errorf("got %d tries in ten minutes, want about 18", n)
		}
		p.say(introspect, good)
		time.Sleep(41 * time.Second)
		check(t, ask(), "")
		var all sync.WaitGroup // closed again: for all, not for one at a time
		p.say(introspect, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			good(w, r)
		})
		for range 10 {
			all.Go(func() { check(t, ask(), "") })
		}
		all.Wait()
	})
}

// O-20: an error is an answer: no stranger's token that a provider chokes on keeps others out.
func TestErrorsDoNotCloseAnEndpoint(t *testing.T) {
	t.Parallel()
	p, client, _ := setup(t)
	for _, answer := range []http.HandlerFunc{sayJSON(500, ""), huge, compressed, typed("text/html", sayJSON(200, ""))} {
		good := p.answers[introspect]
		p.say(introspect, answer)
		for range 6 {
			_, err := client.Introspect(t.Context(), "access-1")
			check(t, err, "unavailable")
		}
		p.say(introspect, good)
		_, err := client.Introspect(t.Context(), "access-1")
		check(t, err, "")
	}
}

// O-20: nor do callers that leave, however many.
func TestCallersThatLeaveDoNotCloseAnEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, client := bubbled(t)
		good := p.answers[introspect]
		p.say(introspect, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		for range 20 {
			ctx, leave := context.WithTimeout(t.Context(), time.Second)
			_, err := client.Introspect(ctx, "access-1")
			check(t, err, "unavailable")
			leave()
		}
		p.say(introspect, good)
		_, err := client.Introspect(t.Context(), "access-1")
		check(t, err, "")
	})
}

// O-22
func TestCertificatesAreVerified(t *testing.T) {
	t.Parallel()
	p := newProvider("")
	server := httptest.NewUnstartedServer(p)
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	t.Cleanup(server.Close)
	p.issuer = server.URL
	known := x509.NewCertPool()
	known.AddCert(server.Certificate())
	trusting := func(change func(*tls.Config)) func(*op.Config) {
		return func(c *op.Config) {
			cfg := &tls.Config{RootCAs: known, Time: func() time.Time { return server.Certificate().NotBefore.Add(time.Hour) }}
			change(cfg)
			transport := &http.Transport{TLSClientConfig: cfg}
			t.Cleanup(transport.CloseIdleConnections)
			c.Transport = transport
		}
	}
	for name, c := range map[string]struct {
		change func(*op.Config)
		want   string
	}{
		"a certificate of a known authority": {trusting(func(*tls.Config) {}), ""},
		"self-signed, the default":           {func(*op.Config) {}, "unavailable"},
		"another name":                       {trusting(func(c *tls.Config) { c.ServerName = "op.evil.example" }), "unavailable"},
		"expired": {trusting(func(c *tls.Config) {
			c.Time = func() time.Time { return server.Certificate().NotAfter.Add(time.Hour) }
		}), "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := newClient(t, p, c.change)
			_, err := exchange(t, client)
			check(t, err, c.want)
		})
	}
	t.Cleanup(func() {
		if n := p.count(tokens); n != 1 {
			t.Errorf("got %d codes sent, want only that over the good connection", n)
		}
	})
}

// O-18: an address that a name stands for is looked at when it is dialled, by the transport that is the default.
func TestTheDefaultTransportDialsNoLinkLocalAddress(t *testing.T) {
	t.Parallel()
	for address, good := range map[string]bool{
		"127.0.0.1:443": true, "10.0.0.1:443": true, "[fd00::1]:443": true, "192.0.2.1:443": true,
		"169.254.169.254:80": false, "[fe80::1%eth0]:80": false, "[::ffff:169.254.169.254]:80": false, "nonsense": false,
	} {
		if err := op.RefuseLinkLocal("tcp", address, nil); (err == nil) != good {
			t.Errorf("%s: got %v, want it dialled: %t", address, err, good)
		}
	}
}

// A body of 100 MiB costs one of 1 MiB, not what a hostile provider likes.
func TestALongAnswerCostsLittleMemory(t *testing.T) {
	p, client, _ := setup(t)
	if _, err := exchange(t, client); err != nil {
		t.Fatalf("the good answer: %v", err)
	}
	p.say(tokens, huge)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := exchange(t, client)
	runtime.ReadMemStats(&after)
	check(t, err, "unavailable")
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 {
		t.Errorf("allocated %d bytes, want less than 16 MiB, the provider's own block included", grown)
	}
}
