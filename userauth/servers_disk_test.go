package userauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// D-06: PostgreSQL's disk is full. With no room for its tables it goes on and reads; with none for its log it ends. Either way
// what can't be written is 503, what was acknowledged is there, and all goes on when there is room again.
func TestAFullDiskOfAServer(t *testing.T) {
	t.Parallel()
	t.Run("no room for tables", func(t *testing.T) {
		t.Parallel()
		disk := faultSmallDisk(t, "64m")
		// Without autovacuum nothing makes room by itself.
		server := newOwnPostgres(t, disk, t.TempDir(), "autovacuum=off")
		testAFullDiskOfAServer(t, server, disk, func() {}, func(ann *browser) {
			for range 3 {
				admitted(t, "a session", ann.get("/api/contents/demo"))
			}
			if !server.running() {
				t.Error("the server has ended")
			}
		})
	})
	t.Run("no room for the log", func(t *testing.T) {
		t.Parallel()
		disk := faultSmallDisk(t, "16m")
		// Without checkpoints no old part of the log is used again.
		server := newOwnPostgres(t, t.TempDir(), disk, "checkpoint_timeout=1h", "max_wal_size=1GB")
		fill := func() { serverFillLog(t, server) }
		testAFullDiskOfAServer(t, server, disk, fill, func(ann *browser) {
			server.gone()
			faultMemoryLastsASecond(t, ann)
		})
	})
}

// serverFillLog leaves some room in the files that the log has already.
func serverFillLog(t *testing.T, server *ownServer) {
	t.Helper()
	const segment, leave = 1 << 20, 100_000
	var room int // from where the log ends to the end of its last file, which its name tells
	err := server.probe.GetContext(t.Context(), &room, `SELECT (('x' || right(max(name), 8))::bit(32)::bigint + 1) * $1
		- (pg_current_wal_insert_lsn() - '0/0')::bigint FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'`, segment)
	if err != nil {
		t.Fatal(err)
	}
	if room > leave {
		if _, err := server.probe.ExecContext(t.Context(), "SELECT pg_logical_emit_message(false, 'ballast', repeat('x', $1))", room-leave); err != nil {
			t.Fatal(err)
		}
	}
}

// testAFullDiskOfAServer calls fill when the disk is full, and full when nothing more can be written.
func testAFullDiskOfAServer(t *testing.T, server *ownServer, disk string, fill func(), full func(ann *browser)) {
	t.Helper()
	s := serverSite(t, server, 0)
	s.add("ann", siteWrites)
	ann := s.in("ann")
	ballast := filepath.Join(disk, "ballast")
	faultFill(t, ballast)
	fill()

	// There is some room left in what the server has already.
	var users []string
	sessions := 1
	for added, entered := true, true; added || entered; {
		name := fmt.Sprint("user", len(users))
		switch _, err := s.users.Accounts().Add(t.Context(), userauth.NewAccount{Username: name, Password: sitePassword}); {
		case err == nil:
			users = append(users, name)
		case errors.Is(err, auth.ErrUnavailable):
			added = false
		default:
			t.Fatalf("Add: got %v, want it to wrap auth.ErrUnavailable", err)
		}
		switch got := s.browser().login("ann", sitePassword, elsewhere()); got.Status {
		case http.StatusOK:
			sessions++
		default:
			faultUnavailable(t, "login", got)
			entered = false
		}
	}
	full(ann)

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if !server.running() {
		server.start()
	}
	faultRecovers(t, ann)
	s.faulty.Store(false)
	s.add("bob", siteReads)
	s.in("bob")
	for _, name := range users {
		if _, err := s.users.Accounts().Get(t.Context(), name); err != nil {
			t.Errorf("%s was acknowledged and is lost: %v", name, err)
		}
	}
	if got := s.count("sessions"); got != sessions+1 {
		t.Errorf("got %d sessions, want %d", got, sessions+1)
	}
	t.Logf("%d users and %d sessions were acknowledged before the disk was full", len(users), sessions)
}
