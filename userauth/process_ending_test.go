package userauth_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// processMargin is for a busy machine. What the library promises is one second.
const processMargin = 5 * time.Second

// A processEnd is something that ends or changes sessions. It is done at one site, by an admin or with a second session of the
// user's, and has to act at the other.
type processEnd struct {
	name string
	// act does it, and gives the status of what the session may still do: 401, or 403 without a permission, or 200 with one
	// gained.
	status int
	act    func(near *site, admin *userauth.Accounts, user string, second *browser) error
}

var processEnds = []processEnd{
	{"disable", 401, func(_ *site, admin *userauth.Accounts, user string, _ *browser) error {
		yes := true
		_, err := admin.Change(context.Background(), user, userauth.AccountChange{Disabled: &yes})
		return err
	}},
	{"delete", 401, func(_ *site, admin *userauth.Accounts, user string, _ *browser) error {
		return admin.Delete(context.Background(), user)
	}},
	{"logout everywhere", 401, func(_ *site, admin *userauth.Accounts, user string, _ *browser) error {
		_, err := admin.EndSessions(context.Background(), user)
		return err
	}},
	{"password set by an admin", 401, func(_ *site, admin *userauth.Accounts, user string, _ *browser) error {
		return admin.SetPassword(context.Background(), user, nextPassword)
	}},
	{"password changed by the user", 401, func(_ *site, _ *userauth.Accounts, _ string, second *browser) error {
		return processDone(second.json("POST", "/auth/password", `{"current":"`+sitePassword+`","new":"`+nextPassword+`"}`))
	}},
	{"permission lost", 403, func(_ *site, admin *userauth.Accounts, user string, _ *browser) error {
		_, err := admin.Change(context.Background(), user, userauth.AccountChange{Revoke: auth.Permissions{"contents": {"read"}}})
		return err
	}},
	{"permission gained", 200, func(_ *site, admin *userauth.Accounts, user string, _ *browser) error {
		_, err := admin.Change(context.Background(), user, userauth.AccountChange{Grant: auth.Permissions{"contents": {"write"}}})
		return err
	}},
	{"role taken", 403, func(_ *site, admin *userauth.Accounts, user string, _ *browser) error {
		_, err := admin.Change(context.Background(), user, userauth.AccountChange{RemoveRoles: []string{user}})
		return err
	}},
	{"role changed", 403, func(_ *site, admin *userauth.Accounts, user string, _ *browser) error {
		roles, err := admin.Roles(context.Background())
		if i := slices.IndexFunc(roles, func(r userauth.Role) bool { return r.Name == user }); err == nil {
			_, err = admin.PutRole(context.Background(), userauth.Role{Name: user, Version: roles[i].Version})
		}
		return err
	}},
	{"role deleted", 403, func(_ *site, admin *userauth.Accounts, user string, _ *browser) error {
		return admin.DeleteRole(context.Background(), user)
	}},
	{"ended by its owner", 401, func(_ *site, _ *userauth.Accounts, _ string, second *browser) error {
		var list struct {
			Items []struct {
				ID      string
				Current bool
			}
		}
		second.get("/auth/sessions").decode(second.site.t, &list)
		for _, s := range list.Items {
			if !s.Current {
				return processDone(second.json("DELETE", "/auth/sessions/"+s.ID, ""))
			}
		}
		return fmt.Errorf("no other session in %v", list)
	}},
	{"all others ended by their owner", 401, func(_ *site, _ *userauth.Accounts, _ string, second *browser) error {
		return processDone(second.json("DELETE", "/auth/sessions", ""))
	}},
}

func processDone(got answer) error {
	if got.Status != http.StatusNoContent {
		return fmt.Errorf("got %d %s, want 204", got.Status, got.text())
	}
	return nil
}

// A processTimes are how long after the end was acknowledged it acted elsewhere.
type processTimes struct {
	prefix       string // of the users' names
	owners       bool   // only what users do themselves
	http, socket []time.Duration
}

func (p *processTimes) log(t *testing.T) {
	t.Helper()
	slices.Sort(p.http)
	slices.Sort(p.socket)
	t.Logf("HTTP: %s; sockets: %s", faultPercentiles(p.http), faultPercentiles(p.socket))
}

// check does one end at near and waits until it acts at far: HTTP is refused there, and a socket whose handler is blocked in
// Read is closed with 1008.
func (p *processTimes) check(t *testing.T, end processEnd, user string, near, far *site, admin *userauth.Accounts) {
	t.Helper()
	account := userauth.NewAccount{Username: user, Password: sitePassword, Permissions: siteReads}
	if strings.HasPrefix(end.name, "role ") {
		putRole(t, admin, user, siteReads)
		account.Permissions, account.Roles = nil, []string{user}
	}
	if _, err := admin.Add(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	first, second := near.in(user).faultAt(far), near.in(user)
	method, body := http.MethodGet, ""
	before := http.StatusOK
	if end.status == http.StatusOK { // gained: what was refused before
		method, body, before = http.MethodPut, `{"text":"x"}`, http.StatusForbidden
	}
	ask := func() int { return first.json(method, "/api/contents/demo", body).Status }
	if got := ask(); got != before {
		t.Fatalf("%s: before: got %d, want %d", end.name, got, before)
	}
	socket := first.faultEnter()
	if err := end.act(near, admin, user, second); err != nil {
		t.Fatalf("%s: %v", end.name, err)
	}
	done := time.Now()
	asked := done
	for got := ask(); got != end.status; got = ask() {
		if got != before {
			t.Errorf("%s: got %d, want %d and then %d", end.name, got, before, end.status)
			break
		}
		if asked.Sub(done) > processMargin {
			t.Errorf("%s: still %d after %s", end.name, got, asked.Sub(done))
			break
		}
		asked = time.Now()
	}
	p.http = append(p.http, asked.Sub(done)) // when the last one was asked that was still admitted
	socket.wantClosed(t, end.name, websocket.StatusPolicyViolation)
	for len(far.left) > 0 { // or the handlers of a long run would wait for somebody to look
		<-far.left
	}
	took := max(0, socket.at.Sub(done))
	p.socket = append(p.socket, took)
	if took > processMargin {
		t.Errorf("%s: the socket was closed after %s", end.name, took)
	}
}

// round does every end once, or often in a long run.
func (p *processTimes) round(t *testing.T, near, far *site, admin *userauth.Accounts) {
	t.Helper()
	rounds := 1
	if faultLong {
		rounds = 30
	}
	for i := range rounds {
		for j, end := range processEnds {
			if p.owners && !strings.Contains(end.name, "user") && !strings.Contains(end.name, "owner") {
				continue
			}
			p.check(t, end, fmt.Sprintf("%s%d-%d", p.prefix, i, j), near, far, admin)
		}
	}
	p.log(t)
}

// S-05, S-11, S-12, S-13, S-16, S-17, W-10: two engines over one file. What ends at one has ended at the other within a
// second.
func TestAnEndReachesAnotherEngine(t *testing.T) {
	t.Parallel()
	faultNoLeaks(t)
	path := filepath.Join(t.TempDir(), "app.db")
	near, far := faultOpen(t, path), faultOpen(t, path).listen()
	p := processTimes{prefix: "u"}
	p.round(t, near, far, near.users.Accounts())
}

// The same for two processes: the admin, without a server, in one, and the sockets in the other; then the owner of the
// sessions acts in that one, and the sockets are in this one.
func TestAnEndReachesAnotherProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	here := faultOpen(t, path).listen()
	admin, _ := openAccounts(t, path)
	child := startProcess(t, "serve", path)
	there := child.site(t)
	for name, sites := range map[string][2]*site{"here": {here, there}, "there": {there, here}} {
		t.Run("from "+name, func(t *testing.T) {
			p := processTimes{prefix: name, owners: name == "there"} // what the admin does is done here
			p.round(t, sites[0], sites[1], admin)
		})
	}
	child.finish(t)
}
