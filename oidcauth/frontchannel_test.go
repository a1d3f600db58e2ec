package oidcauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/internal/store/storetest"
)

const frame = "/auth/frontchannel-logout/corp"

func frameOf(iss, sid string) string {
	return frame + "?" + url.Values{"iss": {iss}, "sid": {sid}}.Encode()
}

// LO-13: a frame of the provider's page ends the session that it names, and nothing else; it shows nothing.
func TestFrontChannel(t *testing.T) {
	t.Parallel()
	s := newStand(t, writers)
	alice, again, bob := s.browser(), s.browser(), s.browser()
	first := alice.as("alice")
	again.as("alice")
	bobs := bob.as("bob")
	load := func(b *browser, path string) answer {
		return b.open(path, "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site", "Referer", s.op.Issuer()+"/")
	}
	op := s.op.Issuer()
	for name, path := range map[string]string{
		"nothing":             frame,
		"no sid":              frame + "?iss=" + url.QueryEscape(op),
		"an empty sid":        frameOf(op, ""),
		"no iss":              frame + "?sid=" + first,
		"another iss":         frameOf("https://evil.example", first),
		"an iss with a slash": frameOf(op+"/", first),
		"an upper-case iss":   frameOf(strings.ToUpper(op), first),
		"two sids":            frameOf(op, first) + "&sid=" + bobs,
		"two isses":           frameOf(op, first) + "&iss=" + url.QueryEscape(op),
		"an overlong sid":     frameOf(op, strings.Repeat("a", 5000)),
		"a malformed query":   frameOf(op, first) + "%zz&sid=%zz",
	} {
		if a := load(alice, path); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: got %d and %q, want 400, framed by nobody", name, a.StatusCode, a.Header.Get("Content-Security-Policy"))
		}
	}
	status(t, "an unknown provider", load(alice, "/auth/frontchannel-logout/other?"+frameOf(op, first)[len(frame)+1:]), http.StatusNotFound)
	status(t, "a POST", alice.do("POST", frameOf(op, first), ""), http.StatusMethodNotAllowed)
	if a := alice.do("HEAD", frameOf(op, first), ""); a.StatusCode == http.StatusOK {
		t.Error("a HEAD was answered as if it had done something")
	}
	if !alice.in() {
		t.Fatal("the session has ended")
	}
	status(t, "one more parameter", load(alice, frameOf(op, first)+"&x="), http.StatusOK)
	if alice.in() || !again.in() || !bob.in() {
		t.Fatal("more or less than the one session has ended")
	}
	first = alice.as("alice")
	for name, path := range map[string]string{"an unknown session": frameOf(op, "unknown"), "a wildcard": frameOf(op, "%")} {
		if a := load(alice, path); a.StatusCode != http.StatusOK || a.body != "" {
			t.Errorf("%s: got %d %q", name, a.StatusCode, a.body)
		}
	}
	if a := alice.open(frameOf(op, first), "Sec-Purpose", "prefetch"); a.StatusCode != http.StatusNoContent {
		t.Errorf("a look ahead: got %d", a.StatusCode)
	}
	if !alice.in() || !again.in() || !bob.in() {
		t.Fatal("a session has ended")
	}

	socket, other := alice.room(), bob.room()
	a := load(s.browser(), frameOf(op, first)) // without a cookie, as browsers load such frames
	if status(t, "without a cookie", a, http.StatusOK); a.body != "" || len(a.Cookies()) != 0 {
		t.Errorf("got cookies %v and %q, want a page without content", a.Cookies(), a.body)
	}
	if got, want := a.Header.Get("Content-Security-Policy"), "default-src 'none'; frame-ancestors "+op; got != want || a.Header.Get("X-Frame-Options") != "" {
		t.Errorf("the policy is %q (%q), want %q", got, a.Header.Get("X-Frame-Options"), want)
	}
	if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("got headers %v", a.Header)
	}
	if code := closed(t, socket, reach); code != 1008 {
		t.Errorf("the socket ends with %d, want 1008", code)
	}
	echoes(t, other)
	if alice.in() || !again.in() || !bob.in() {
		t.Error("more or less than the one session has ended")
	}
	if a := load(bob, frameOf(op, bobs)); a.StatusCode != http.StatusOK || bob.in() {
		t.Errorf("with the cookie: got %d, in: %v", a.StatusCode, bob.in())
	}
	if n := s.count(auth.EventRevoked); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}

// Frames are limited by themselves: whoever floods them doesn't keep the provider's logout tokens out.
func TestFloodOfFrames(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	b := s.browser()
	sid := b.as("alice")
	got := map[int]int{}
	for range 300 {
		got[s.browser().open(frameOf(s.op.Issuer(), "unknown")).StatusCode]++
	}
	if got[http.StatusTooManyRequests] < 150 || got[http.StatusOK]+got[http.StatusTooManyRequests] != 300 {
		t.Errorf("got %v, want most to be limited", got)
	}
	if !b.in() {
		t.Fatal("the session has ended")
	}
	if d := s.ends("alice", sid); d.Status != http.StatusOK || b.in() {
		t.Errorf("the back-channel: got %+v, in: %v", d, b.in())
	}
}

// Without the database a frame has done nothing, and says so.
func TestFrontChannelWithoutDatabase(t *testing.T) {
	t.Parallel()
	db, faults := storetest.Open(t, t.TempDir()+"/app.db")
	s := newStand(t, func(pl *plan) { pl.cfg.DB = db })
	b := s.browser()
	sid := b.as("alice")
	faults.Fail()
	status(t, "without a database", s.browser().open(frameOf(s.op.Issuer(), sid)), http.StatusServiceUnavailable)
	faults.Heal()
	if !b.in() {
		t.Error("the session has ended")
	}
	if a := s.browser().open(frameOf(s.op.Issuer(), sid)); a.StatusCode != http.StatusOK || b.in() {
		t.Errorf("then: got %d, in: %v", a.StatusCode, b.in())
	}
}
