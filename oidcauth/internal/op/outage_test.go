package op_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostiary/auth/oidcauth/internal/op"
)

// O-19: a provider that is down when the server starts, and comes later.
func TestAProviderThatIsDownAtTheStart(t *testing.T) {
	t.Parallel()
	p := newProvider("")
	server := httptest.NewServer(p)
	p.issuer = server.URL
	address := server.Listener.Addr().String()
	server.Close()                 // refuses connections
	client, now := newClient(t, p) // starts
	for range 2 {
		for path, ask := range asks(client) {
			if err := ask(t.Context()); !errors.Is(err, op.ErrUnavailable) {
				t.Errorf("%s: got %v, want ErrUnavailable", path, err)
			}
		}
	}
	again := httptest.NewUnstartedServer(p)
	again.Listener.Close()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Skipf("the port was taken meanwhile: %v", err)
	}
	again.Listener = listener
	again.Start()
	t.Cleanup(again.Close)
	_, err = exchange(t, client) // not asked yet: the pause isn't over
	check(t, err, "unavailable")
	if n := p.count(discovery); n != 0 {
		t.Errorf("got %d calls in the pause, want none", n)
	}
	now.pass(30 * time.Second)
	_, err = exchange(t, client)
	check(t, err, "")
	mustFind(t, client, "k1")
}

// O-19: a provider that is down is asked less and less often, not by each request.
func TestAProviderThatIsDownIsLeftAlone(t *testing.T) {
	t.Parallel()
	p, client, now := setup(t)
	p.sayJSON(discovery, 503, ``)
	var asked []int
	for second := range 130 {
		before := p.count(discovery)
		for range 100 {
			_, err := exchange(t, client)
			check(t, err, "unavailable")
		}
		if n := p.count(discovery) - before; n > 1 {
			t.Fatalf("second %d: got %d calls, want one at most", second, n)
		} else if n == 1 {
			asked = append(asked, second)
		}
		now.pass(time.Second)
	}
	want := []int{0, 1, 3, 7, 15, 31, 61, 91, 121}
	if !slices.Equal(asked, want) {
		t.Errorf("got asked at seconds %v, want %v", asked, want)
	}
}

// O-20: metadata is renewed in the background while it is in use, and is kept for a day when the provider is down.
func TestMetadataIsRenewedAndKeptThroughAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, client := bubbled(t)
		issParameter := func() bool {
			t.Helper()
			m, err := client.Metadata(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return m.IssParameter
		}
		if issParameter() {
			t.Fatal("got the parameter before it is offered")
		}
		p.say(discovery, p.with(map[string]any{"authorization_response_iss_parameter_supported": true}))
		time.Sleep(30*time.Minute - 1)
		if issParameter(); p.count(discovery) != 1 {
			t.Errorf("got %d fetches in the first half hour, want 1", p.count(discovery))
		}
		time.Sleep(time.Nanosecond)
		if issParameter() {
			t.Error("got the new metadata at once, want the old one without waiting")
		}
		synctest.Wait()
		if !issParameter() || p.count(discovery) != 2 {
			t.Errorf("got %d fetches, want the new metadata by the second", p.count(discovery))
		}
		time.Sleep(2 * time.Hour)
		p.say(discovery, p.with(nil))
		if issParameter() { // nobody was there for an hour: asked now
			t.Error("got metadata of two hours ago from a provider that answers")
		}
		// It hangs from now on. Only the first one who comes after the hour waits for it.
		p.say(discovery, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		time.Sleep(61 * time.Minute)
		start := time.Now()
		issParameter()
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("took %s, want the time-out", d)
		}
		start = time.Now()
		for range 1000 {
			if _, err := exchange(t, client); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("took %s, want no time", d)
		}
		time.Sleep(22 * time.Hour)
		issParameter()
		time.Sleep(2 * time.Hour)
		_, err := client.Metadata(t.Context())
		check(t, err, "unavailable")
		p.say(discovery, p.with(nil))
		time.Sleep(time.Minute)
		issParameter()
	})
}

// O-20: metadata that is another issuer's by now is no reason to believe it, nor to forget what was good.
func TestMetadataThatTurnsBadIsNotTaken(t *testing.T) {
	t.Parallel()
	p, client, now := setup(t)
	_, err := exchange(t, client)
	check(t, err, "")
	p.say(discovery, p.with(map[string]any{"issuer": "https://evil.example", "token_endpoint": p.issuer + "/evil"}))
	for _, d := range []time.Duration{time.Hour, 22 * time.Hour} {
		now.pass(d)
		_, err = exchange(t, client)
		check(t, err, "")
	}
	now.pass(3 * time.Hour)
	_, err = exchange(t, client)
	check(t, err, "unavailable")
	if p.count("/evil") != 0 {
		t.Error("a code was sent to where the false metadata leads")
	}
}

// O-20: keys are renewed in the background, so that good tokens don't wait for it.
func TestKeysAreRenewedInTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, client := bubbled(t)
		mustFind(t, client, "k1")
		goOn := make(chan struct{})
		p.say(jwks, func(w http.ResponseWriter, r *http.Request) {
			<-goOn
			p.keys("k2")(w, r)
		})
		time.Sleep(8 * time.Minute)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { mustFind(t, client, "k1") })
		}
		all.Wait() // while the provider hasn't answered
		close(goOn)
		synctest.Wait()
		mustFind(t, client, "k2")
		if n := p.count(jwks); n != 2 {
			t.Errorf("got %d fetches, want 2", n)
		}
		if ok, err := found(t, client, "k1"); ok || err != nil {
			t.Errorf("the old key: got %t, %v, want it gone", ok, err)
		}
	})
}

// O-21: a flight goes on for those who stay, and ends with Close.
func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logged int
		p, client := bubbled(t, func(cfg *op.Config) { cfg.Log = func(string, error) { logged++ } })
		p.say(discovery, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		done := make(chan error, 1)
		go func() {
			_, err := client.Metadata(context.WithoutCancel(t.Context()))
			done <- err
		}()
		synctest.Wait()
		start := time.Now()
		client.Close()
		check(t, <-done, "unavailable")
		if d := time.Since(start); d != 0 || logged != 0 {
			t.Errorf("took %s and logged %d times, want it at once and no word", d, logged)
		}
		_, err := client.Metadata(t.Context())
		check(t, err, "unavailable")
	})
}
