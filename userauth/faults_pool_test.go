package userauth_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ostiary/auth/userauth"
)

// D-14: a pool of one connection and 500 requests at once, each of which needs the database. There is no deadlock; who has
// waited for too long gets 503, and nobody 401.
func TestAPoolOfOneConnection(t *testing.T) {
	t.Parallel()
	s, other := faultSiteAndOther(t)
	s.faulty.Store(true)
	s.db.SetMaxOpenConns(1)
	const users = 10
	var browsers []*browser
	for i := range users {
		name := fmt.Sprint("u", i)
		other.add(name, siteWrites)
		browsers = append(browsers, other.in(name).faultAt(s)) // s hasn't seen it
	}
	page := func(_ int, b *browser) answer { return b.get("/api/contents/demo") }
	list := func(_ int, b *browser) answer { return b.get("/auth/sessions") }
	rename := func(i int, b *browser) answer { return b.json("PATCH", "/auth/me", fmt.Sprintf(`{"name":"n%d"}`, i)) }
	end := func(_ int, b *browser) answer { return b.json("DELETE", "/auth/sessions/x", "") }
	login := func(i int, _ *browser) answer {
		return s.browser().login(fmt.Sprint("u", i/10%users), sitePassword, elsewhere())
	}
	requests := []func(int, *browser) answer{page, page, page, page, list, list, rename, rename, end, login}
	var byStatus [600]atomic.Int64
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range 500 {
		all.Go(func() {
			<-start
			got := requests[i%len(requests)](i, browsers[i/len(requests)%users])
			byStatus[got.Status].Add(1)
			switch got.Status {
			case http.StatusOK, http.StatusNotFound:
			case http.StatusServiceUnavailable:
				faultUnavailable(t, "a request", got)
			default:
				t.Errorf("got %d %s", got.Status, got.text())
			}
		})
	}
	began := time.Now()
	close(start)
	ended := make(chan struct{})
	go func() {
		all.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(3 * patience):
		t.Fatal("a deadlock")
	}
	t.Logf("in %s: %d done, %d refused, %d unavailable", time.Since(began).Round(time.Millisecond),
		byStatus[200].Load(), byStatus[404].Load(), byStatus[503].Load())
	for _, b := range browsers {
		faultRecovers(t, b)
	}
}

// faultSiteAndOther are two sites over one file.
func faultSiteAndOther(t testing.TB, change ...func(*userauth.Config)) (s, other *site) {
	t.Helper()
	s = newSite(t, change...)
	var path string
	if err := s.db.GetContext(t.Context(), &path, "SELECT file FROM pragma_database_list"); err != nil {
		t.Fatal(err)
	}
	return s, faultOpen(t, path)
}

// D-04: clients that leave while the database answers. Nobody is ever served as somebody else.
func TestNobodyGetsAnothersAnswer(t *testing.T) {
	t.Parallel()
	s, other := faultSiteAndOther(t, func(c *userauth.Config) { c.CacheSessions = 1 })
	s.faulty.Store(true)
	rounds := 120 / faultStep(3)
	if faultLong {
		rounds = 5000
	}
	var all sync.WaitGroup
	var served, left atomic.Int64
	start := make(chan struct{})
	for i := range 16 {
		name := fmt.Sprint("user", i)
		other.add(name, siteWrites)
		// In turn, so that each pushes the one before out of memory and every request asks the database.
		browsers := []*browser{other.in(name).faultAt(s), other.in(name).faultAt(s), other.in(name).faultAt(s)}
		all.Go(func() {
			<-start
			for round := range rounds {
				b := browsers[round%len(browsers)]
				ctx, cancel := context.WithCancel(t.Context())
				switch round % 8 {
				case 0: // stays
				case 1:
					cancel()
				default:
					time.AfterFunc(rand.N(500*time.Microsecond), cancel)
				}
				got := b.get("/", func(r *http.Request) { *r = *r.WithContext(ctx) })
				cancel()
				switch got.Status {
				case http.StatusOK:
					served.Add(1)
					if got.Body != "page of "+name {
						t.Errorf("%s got %q", name, got.Body)
					}
				case http.StatusServiceUnavailable:
					left.Add(1)
				default:
					t.Errorf("got %d %s, want 200 or 503", got.Status, got.text())
				}
			}
		})
	}
	close(start)
	all.Wait()
	t.Logf("%d were served, %d had left", served.Load(), left.Load())
	if served.Load() == 0 || left.Load() == 0 {
		t.Error("this test shows little")
	}
}

// D-16, S-02: who has a copy of the database can't log in with anything in it, and no column holds a token or a password.
func TestACopyOfTheDatabaseOpensNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ann", siteWrites)
	ann := s.in("ann")
	_, token := ann.session()
	_, device := ann.device()
	values := faultEverything(t, s)
	for _, secret := range []string{token, device, sitePassword} {
		for _, spelling := range siteSpellings(secret) {
			for _, value := range values {
				if strings.Contains(value, spelling) {
					t.Errorf("the database holds %q", spelling)
				}
			}
		}
	}
	// The copy knows the session under its hash: a server over it takes the cookie, and nothing that is in the copy.
	copied := t.TempDir() + "/copy.db"
	if _, err := s.db.ExecContext(t.Context(), "VACUUM INTO ?", copied); err != nil {
		t.Fatal(err)
	}
	thief := faultOpen(t, copied)
	admitted(t, "the cookie", ann.faultAt(thief).get("/"))
	for _, at := range []*site{s, thief} {
		tried := 0
		for _, value := range values {
			for _, spelling := range append(siteSpellings(value), fmt.Sprintf("%x", value)) {
				if len(spelling) < 16 || len(spelling) > 256 || strings.ContainsAny(spelling, " \x00\r\n;,\"\\") {
					continue
				}
				tried++
				b := at.faultHolder(spelling)
				if got := b.get("/"); got.reached() {
					t.Errorf("the cookie %q is worth a session", spelling)
				}
				if len(spelling) <= 64 && at == thief && tried < 4 {
					refused(t, "as a password", b.login("ann", spelling, elsewhere()), http.StatusUnauthorized)
				}
			}
		}
		if tried < 10 {
			t.Errorf("only %d values were tried", tried)
		}
	}
}

// faultEverything is every value in every column of the database, as text.
func faultEverything(t testing.TB, s *site) (values []string) {
	t.Helper()
	var tables []string
	if err := s.db.SelectContext(t.Context(), &tables, "SELECT name FROM sqlite_master WHERE type = 'table'"); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		values = append(values, faultRows(t, s, table)...)
	}
	return values
}

func faultRows(t testing.TB, s *site, table string) (values []string) {
	t.Helper()
	rows, err := s.db.QueryxContext(t.Context(), "SELECT * FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		row, err := rows.SliceScan()
		if err != nil {
			t.Fatal(err)
		}
		for _, value := range row {
			if b, ok := value.([]byte); ok {
				value = string(b)
			}
			values = append(values, fmt.Sprint(value))
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}
