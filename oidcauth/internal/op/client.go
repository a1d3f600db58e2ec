package op

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/ostiary/auth/internal/strictjson"
	"github.com/ostiary/auth/oidcauth/internal/token"
)

// maxBody is how long an answer may be, in bytes. Ten thousand groups in userinfo are half of it.
const maxBody = 1 << 20

// newClient makes the client for all requests to a provider. It has no jar, so a provider's cookies are dropped.
func newClient(transport http.RoundTripper) *http.Client {
	if transport == nil {
		dialer := &net.Dialer{Control: refuseLinkLocal}
		transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true, // a dialer of one's own turns it off
			MaxIdleConnsPerHost:    2 * maxCalls,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: 64 << 10,
		}
	}
	return &http.Client{
		Transport: transport,
		// A redirect would take codes, secrets and tokens to a host that nobody has checked, also within the same one.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// refuseLinkLocal looks at the address that a name was resolved to: clouds serve a machine's own credentials on a link-local
// one, to whoever asks from that machine.
func refuseLinkLocal(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if ap.Addr().Unmap().IsLinkLocalUnicast() {
		return errors.New("link-local address")
	}
	return nil
}

// An answer is what a provider has said, all of it.
type answer struct {
	status    int
	mediaType string // empty: none, or one in another charset than UTF-8
	body      []byte
}

// send makes one request and reads the answer, in Timeout as a whole. An error is an ErrUnavailable; with an answer beside it
// there was one, which isn't read.
func (p *Provider) send(ctx context.Context, r *http.Request, secrets ...string) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	r.Header.Set("Accept", "application/json")
	// Said, so that the transport doesn't ask for gzip and inflate it unseen: the limit below counts what is in memory.
	r.Header.Set("Accept-Encoding", "identity")
	resp, err := p.client.Do(r.WithContext(ctx))
	if err != nil {
		return nil, noAnswer(ctx, err, secrets)
	}
	defer resp.Body.Close() //nolint:errcheck // the answer has been read, or isn't wanted
	for _, encoding := range resp.Header.Values("Content-Encoding") {
		if !strings.EqualFold(encoding, "identity") {
			return &answer{status: resp.StatusCode}, unavailable("its answer is compressed, which it wasn't asked for")
		}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, noAnswer(ctx, err, secrets)
	}
	if len(body) > maxBody {
		return &answer{status: resp.StatusCode}, unavailable("its answer is longer than %d bytes", maxBody)
	}
	mediaType, _ := strictjson.Types(&http.Request{Header: resp.Header})
	return &answer{resp.StatusCode, mediaType, body}, nil
}

// noAnswer is err as an ErrUnavailable, without the URL that net/http puts in front of it.
func noAnswer(ctx context.Context, err error, secrets []string) error {
	if ctx.Err() != nil {
		return unavailable("%w", ctx.Err()) // so that callers can tell that they have left themselves
	}
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return unavailable("%s", said(err.Error(), secrets)) // it may quote what the provider has sent
}

// object is the answer as a JSON object, which it must be by its content type too: an error page of something in between is
// no answer of the provider's.
func (a *answer) object() (token.Claims, error) {
	if err := a.is("application/json"); err != nil {
		return nil, err
	}
	claims, err := token.ParseClaims(a.body)
	if err != nil {
		return nil, unavailable("its answer: %w", err)
	}
	return claims, nil
}

func (a *answer) is(mediaTypes ...string) error {
	if !slices.Contains(mediaTypes, a.mediaType) {
		return unavailable("its answer isn't %s in UTF-8 (status %d)", strings.Join(mediaTypes, " or "), a.status)
	}
	return nil
}

// get fetches a document that the provider publishes. It is the work of a flight, of which there is one for each document, so
// it takes no slot: calls that hang must not keep the keys away.
func (p *Provider) get(ctx context.Context, url string, mediaTypes ...string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, unavailable("%w", err)
	}
	a, err := p.send(ctx, r)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, unavailable("status %d", a.status)
	}
	return a.body, a.is(mediaTypes...)
}

// call makes a request to one of the endpoints, if there is room for it and the endpoint has answered lately.
func (p *Provider) call(ctx context.Context, endpoint int, r *http.Request, secrets ...string) (*answer, error) {
	select {
	case p.slots[endpoint] <- struct{}{}:
		defer func() { <-p.slots[endpoint] }()
	default: // at once: who waited here would pile up behind a provider that is slow
		return nil, unavailable("%d calls are under way", maxCalls)
	}
	circuit := &p.circuits[endpoint]
	if !circuit.enter(p.cfg.Now()) {
		return nil, unavailable("it hasn't answered lately")
	}
	how := notAnswered
	defer func() { circuit.leave(p.cfg.Now(), how) }() // also if the transport panics
	a, err := p.send(ctx, r, secrets...)
	switch {
	case a != nil:
		how = answered
	case ctx.Err() != nil:
		how = abandoned
	}
	return a, err
}
