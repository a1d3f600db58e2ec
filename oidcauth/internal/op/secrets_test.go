package op_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/ostiary/auth/oidcauth/internal/op"
)

// book is what a provider's client logs.
type book struct {
	mu    sync.Mutex
	lines []string
}

func (b *book) log(doing string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, doing+": "+err.Error())
}

func (b *book) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.lines, "\n")
}

// G-03 and G-04, O-08 on the back channel: a provider that says all it was sent has none of it in an error or the log, and
// writes one line only.
func TestNoSecretIsInAnErrorOrTheLog(t *testing.T) {
	t.Parallel()
	words := []string{"the-code", "the-verifier", "refresh-1", "access-1", "the client's secret", "Basic ", "assertion", "\x1b", "<script>"}
	// As they are sent: in a form, and in the Authorization header.
	words = append(words, "the+client%27s+secret", base64.StdEncoding.EncodeToString([]byte("client:the+client%27s+secret")))
	for _, auth := range []op.ClientAuth{op.Basic, op.Post} {
		for _, status := range []int{200, 400, 401, 403, 500} {
			t.Run(fmt.Sprint(auth, status), func(t *testing.T) {
				t.Parallel()
				var log book
				p, client, _ := setup(t, func(cfg *op.Config) { cfg.Auth, cfg.Log = auth, log.log })
				withPAR(p)
				if _, err := client.Metadata(t.Context()); err != nil {
					t.Fatalf("the good answer: %v", err)
				}
				echo := func(w http.ResponseWriter, r *http.Request) {
					_ = r.ParseForm()
					said := fmt.Sprintf("bad: code=%s verifier=%s refresh=%s token=%s secret=%s\r\nmsg=\"login ok\"\x1b[31m%s", r.PostForm.Get("code"),
						r.PostForm.Get("code_verifier"), r.PostForm.Get("refresh_token"), r.PostForm.Get("token"), r.PostForm.Get("client_secret"),
						strings.Repeat("é", 10_000))
					if id, secret, ok := r.BasicAuth(); ok {
						said = "bad: code=" + r.PostForm.Get("code") + " client=" + id + ":" + secret + " header=" + strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")
					} else if sent := r.PostForm.Get("client_secret"); sent != "" && r.PostForm.Get("code") == "" {
						said = "bad: " + r.PostForm.Encode()
					}
					body, _ := json.Marshal(map[string]string{"error": "invalid_grant", "error_description": said})
					sayJSON(status, string(body))(w, r)
				}
				for path, ask := range asks(client) {
					if path == discovery || path == jwks {
						continue
					}
					p.say(path, echo)
					err := ask(t.Context())
					if path == revoke && status == 200 {
						check(t, err, "")
						continue
					}
					if err == nil {
						t.Fatalf("%s: got no error", path)
					}
					if path == tokens && status < 500 {
						check(t, err, "invalid_grant")
					}
					if word := shows(err.Error(), append(words, "login ok")...); word != "" {
						t.Errorf("%s: got %q, which holds %q", path, err, word)
					}
				}
				_, err := client.Refresh(t.Context(), "refresh-1")
				if word := shows(fmt.Sprint(err), words...); err == nil || word != "" {
					t.Errorf("a refresh: got %v, which holds %q", err, word)
				}
				text := log.text()
				if word := shows(text, words...); word != "" {
					t.Errorf("got log %s, which holds %q", text, word)
				}
				if status >= 400 && status < 500 && !strings.Contains(text, `exchanging the code: the provider says "bad: code=[redacted]`) {
					t.Errorf("got log %s, want what the provider says", text)
				}
				for line := range strings.Lines(text) {
					if len(line) > 600 {
						t.Errorf("got a line of %d bytes, want it cut short", len(line))
					}
				}
			})
		}
	}
}

// A code that has another parameter in it is left out as a whole.
func TestSecretsWithinSecrets(t *testing.T) {
	t.Parallel()
	for range 20 { // in whatever order a form's values come
		var log book
		p, client, _ := setup(t, func(cfg *op.Config) { cfg.Auth, cfg.Log = op.Post, log.log })
		p.sayJSON(tokens, 400, `{"error":"invalid_grant","error_description":"no such code: client.0123456789"}`)
		_, err := client.Exchange(t.Context(), "client.0123456789", "the-verifier", "https://app.example/callback")
		check(t, err, "invalid_grant")
		if text := log.text(); !strings.Contains(text, "no such code: [redacted]") || strings.Contains(text, "0123456789") {
			t.Fatalf("got log %s", text)
		}
	}
}

// Of what goes wrong in the background nobody else hears.
func TestAFetchThatFailsIsLogged(t *testing.T) {
	t.Parallel()
	var log book
	p, client, _ := setup(t, func(cfg *op.Config) { cfg.Log = log.log })
	mustFind(t, client, "k1")
	if text := log.text(); text != "" {
		t.Errorf("got log %s, want nothing", text)
	}
	p.sayJSON(jwks, 500, ``)
	for range 100 {
		_, err := found(t, client, "k2")
		check(t, err, "unavailable")
	}
	if text, want := log.text(), "fetching the keys: provider unavailable: status 500"; text != want {
		t.Errorf("got log %q, want %q once", text, want)
	}
}

// A wrapped error is still what callers decide by.
func TestErrorsCanBeToldApart(t *testing.T) {
	t.Parallel()
	p, client, _ := setup(t)
	p.sayJSON(tokens, 400, `{"error":"invalid_grant","error_description":"expired"}`)
	_, err := exchange(t, client)
	refused := (*op.RefusedError)(nil)
	if !errors.As(err, &refused) || *refused != (op.RefusedError{Code: "invalid_grant", Status: 400}) || errors.Is(err, op.ErrUnavailable) {
		t.Errorf("got %v, want a refusal", err)
	}
	if got, want := err.Error(), `op: exchanging the code: refused: "invalid_grant"`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	ctx, leave := context.WithCancel(t.Context())
	leave()
	_, err = client.Exchange(ctx, "the-code", "the-verifier", "https://app.example/callback")
	if !errors.Is(err, op.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want both that the provider wasn't asked and why", err)
	}
}
