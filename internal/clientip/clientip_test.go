package clientip_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/clientip"
)

func request(peer string, forwarded ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = peer
	for _, line := range forwarded {
		r.Header.Add("X-Forwarded-For", line)
	}
	return r
}

func mustParse(t *testing.T, trusted ...string) clientip.Proxies {
	t.Helper()
	p, err := clientip.Parse(trusted)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// B-10, B-11
func TestOf(t *testing.T) {
	t.Parallel()
	ours := []string{"10.0.0.0/8", "2001:db8:1::/48"}
	tests := []struct {
		name      string
		trusted   []string
		peer      string
		forwarded []string
		want      string // "": the zero Addr
	}{
		{"the peer is the client", nil, "192.0.2.1:1234", nil, "192.0.2.1"},
		{"B-10: a header from an untrusted peer is ignored", ours, "192.0.2.1:1234", []string{"1.2.3.4"}, "192.0.2.1"},
		{"nobody is trusted by default, not even loopback", nil, "127.0.0.1:1", []string{"1.2.3.4"}, "127.0.0.1"},
		{"a trusted peer without the header is the client", ours, "10.0.0.1:1", nil, "10.0.0.1"},
		{"B-10: the rightmost untrusted entry is the client", ours, "10.0.0.1:1", []string{"1.2.3.4, 198.51.100.7"}, "198.51.100.7"},
		{"trusted hops are passed over", ours, "10.0.0.1:1", []string{"1.2.3.4, 198.51.100.7, 10.1.1.1,10.2.2.2"}, "198.51.100.7"},
		{"the lines are one list in order", ours, "10.0.0.1:1", []string{"1.2.3.4", "198.51.100.7", "10.1.1.1"}, "198.51.100.7"},
		{"where all are trusted the leftmost is the client", ours, "10.0.0.1:1", []string{"10.9.9.9", "10.1.1.1"}, "10.9.9.9"},
		{"junk ends the walk at the last good hop", ours, "10.0.0.1:1", []string{"1.2.3.4, unknown, 10.1.1.1"}, "10.1.1.1"},
		{"junk at the right end leaves the peer", ours, "10.0.0.1:1", []string{"1.2.3.4, _hidden"}, "10.0.0.1"},
		{"an empty line leaves the peer", ours, "10.0.0.1:1", []string{"1.2.3.4", ""}, "10.0.0.1"},
		{"an empty entry is junk", ours, "10.0.0.1:1", []string{"1.2.3.4,,10.1.1.1"}, "10.1.1.1"},
		{"a number that isn't a dotted quad is junk", ours, "10.0.0.1:1", []string{"16909060"}, "10.0.0.1"},
		{"an entry may have a port", ours, "10.0.0.1:1", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		{"an IPv6 entry may have a port", ours, "10.0.0.1:1", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		{"tabs around an entry don't count", ours, "10.0.0.1:1", []string{"1.2.3.4,\t198.51.100.7 \t"}, "198.51.100.7"},
		{"B-11: a mapped peer is the IPv4 peer", nil, "[::ffff:192.0.2.1]:1", nil, "192.0.2.1"},
		{"B-11: a mapped proxy is the IPv4 proxy", ours, "[::ffff:10.0.0.1]:1", []string{"::FFFF:198.51.100.7"}, "198.51.100.7"},
		{"B-11: a mapped trusted entry is the IPv4 one", []string{"::ffff:10.0.0.1"}, "10.0.0.1:1", []string{"198.51.100.7"}, "198.51.100.7"},
		{"B-11: a mapped trusted prefix is the IPv4 one", []string{"::ffff:10.0.0.0/104"}, "10.7.7.7:1", []string{"198.51.100.7"}, "198.51.100.7"},
		{"B-11: a zone is dropped", nil, "[fe80::1%eth0]:1", nil, "fe80::1"},
		{"B-11: upper case is one address", ours, "[2001:DB8:1::5]:1", []string{"2001:0DB8:0:0::ABCD"}, "2001:db8::abcd"},
		{"a Unix socket has no address", ours, "@", []string{"1.2.3.4"}, ""},
		{"an empty RemoteAddr has no address", nil, "", nil, ""},
		{"a host name is no address", nil, "localhost:80", nil, ""},
		{"a peer without a port is taken", nil, "192.0.2.1", nil, "192.0.2.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := mustParse(t, tt.trusted...).Of(request(tt.peer, tt.forwarded...))
			var want netip.Addr
			if tt.want != "" {
				want = netip.MustParseAddr(tt.want)
			}
			if got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// A-22, B-10, C-03, R-28: no other header says anything, whoever sends it.
func TestOtherHeadersAreNotRead(t *testing.T) {
	t.Parallel()
	p := mustParse(t, "10.0.0.1")
	for _, name := range []string{"X-Real-Ip", "Forwarded", "X_Forwarded_For", "x_forwarded_for", "X-Forwarded-Host",
		"X-Forwarded-Proto", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Via", "Host"} {
		for _, peer := range []string{"10.0.0.1:1", "192.0.2.1:1"} {
			r := request(peer)
			r.Header[name] = []string{"for=1.2.3.4", "1.2.3.4"}
			if got, want := p.Of(r).String()+":1", peer; got != want {
				t.Errorf("%s from %s: got %s, want %s", name, peer, got, want)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{"", " ", "10.0.0.1 ", "localhost", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/08", "/8",
		"10.0.0", "010.0.0.1", "fe80::1%eth0", "fe80::%eth0/64", "10.0.0.1:80", "::ffff:0:0/90", "10.0.0.1,10.0.0.2", "*"} {
		p, err := clientip.Parse([]string{"192.0.2.1", entry})
		if err == nil {
			t.Errorf("%q: got no error", entry)
			continue
		}
		if !strings.Contains(err.Error(), `"`+entry+`"`) {
			t.Errorf("%q: got error %q, want one that quotes the entry", entry, err)
		}
		if got := p.Of(request("192.0.2.1:1", "1.2.3.4")); got != netip.MustParseAddr("192.0.2.1") {
			t.Errorf("%q: a failed Parse trusts somebody", entry)
		}
	}
}

func TestOfAllocatesNothingWithoutAProxy(t *testing.T) {
	for name, p := range map[string]clientip.Proxies{"none trusted": {}, "others trusted": mustParse(t, "10.0.0.0/8", "::1")} {
		for _, peer := range []string{"192.0.2.1:1234", "[2001:db8::1]:1234", "[::ffff:192.0.2.1]:1234"} {
			r := request(peer, "1.2.3.4")
			if got := testing.AllocsPerRun(100, func() { p.Of(r) }); got != 0 {
				t.Errorf("%s, peer %s: got %v allocations, want 0", name, peer, got)
			}
		}
	}
}

// Of returns a canonical address or none, and what stands left of the rightmost untrusted entry never matters.
func FuzzOf(f *testing.F) {
	f.Add("10.0.0.1:1", "1.2.3.4, 10.0.0.2")
	f.Add("[::ffff:10.0.0.1]:1", "::ffff:1.2.3.4%eth0")
	f.Add("10.0.0.1:1", ",,")
	p, err := clientip.Parse([]string{"10.0.0.0/8"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		got := p.Of(request(peer, forwarded))
		if got.IsValid() && (got.Zone() != "" || got.Is4In6()) {
			t.Errorf("got %v, want a canonical address", got)
		}
		appended := p.Of(request("10.0.0.1:1", forwarded+", 198.51.100.7"))
		if want := netip.MustParseAddr("198.51.100.7"); appended != want {
			t.Errorf("got %v, want the one that the proxy appended, %v", appended, want)
		}
	})
}
