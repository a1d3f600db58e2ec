package userauth_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// D-06: a full disk. Sessions go on, logins are 503, what was acknowledged is there, and it recovers.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	dir := faultSmallDisk(t, "2m")
	s := faultOpen(t, filepath.Join(dir, "app.db"))
	s.add("ann", siteWrites)
	ann := s.in("ann")
	ballast := filepath.Join(dir, "ballast")
	faultFill(t, ballast)
	s.faulty.Store(true)
	acknowledged := 0
	for failed := false; !failed; { // the log of SQLite may have some room left
		switch got := s.browser().login("ann", sitePassword); got.Status {
		case http.StatusOK:
			acknowledged++
		default:
			faultUnavailable(t, "login", got)
			failed = true
		}
	}
	before := dump(t, s.db)
	for range 3 {
		admitted(t, "a session", ann.get("/api/contents/demo"))
		faultUnavailable(t, "login", s.browser().login("ann", sitePassword))
		faultUnavailable(t, "logout", ann.copy().json("POST", "/auth/logout", ""))
	}
	_, err := s.users.Accounts().Add(t.Context(), userauth.NewAccount{Username: "bob"})
	if !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("Add: got %v, want it to wrap auth.ErrUnavailable", err)
	}
	if got := dump(t, s.db); got != before {
		t.Errorf("the database has changed: %s", got)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.faulty.Store(false)
	s.in("ann")
	if got := s.count("sessions"); got != acknowledged+2 {
		t.Errorf("got %d sessions, want %d", got, acknowledged+2)
	}
}

// faultSmallDisk mounts one.
func faultSmallDisk(t *testing.T, size string) string {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("a full disk: only Linux's root can mount a small one")
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("a full disk: can't mount a small one: %v %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
		}
	})
	return dir
}

// faultFill writes until no byte fits.
func faultFill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for size := 64 << 10; size > 0; {
		if _, err := file.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}

// D-06: the file, or the folder with it, can't be written any more. Modes don't bind root: then the test runs once more, as
// nobody.
func TestAFileThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	if faultAsNobody(t) {
		return
	}
	for _, tc := range []struct {
		name         string
		file, folder os.FileMode
	}{
		{"the file is read-only", 0o400, 0o700},
		{"the folder is read-only, and the file", 0o400, 0o500},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "app.db")
			s := faultOpen(t, path)
			s.add("ann", siteWrites)
			ann := s.in("ann")
			keeper, _ := openAccounts(t, path) // what another process has open keeps SQLite's log and index in place
			if _, err := keeper.Get(t.Context(), "ann"); err != nil {
				t.Fatal(err)
			}
			s.db.SetMaxIdleConns(-1) // what is open may go on writing: each call has a connection of its own now
			chmod := func(file, folder os.FileMode) {
				t.Helper()
				for _, name := range []string{path, path + "-wal", path + "-shm"} {
					if err := os.Chmod(name, file); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.Chmod(dir, folder); err != nil {
					t.Fatal(err)
				}
			}
			before := dump(t, s.db)
			chmod(tc.file, tc.folder)
			defer chmod(0o600, 0o700)
			s.faulty.Store(true)
			for range 3 {
				admitted(t, "a session", ann.get("/api/contents/demo"))
				faultUnavailable(t, "login", s.browser().login("ann", sitePassword))
				faultUnavailable(t, "logout", ann.copy().json("POST", "/auth/logout", ""))
			}
			_, err := s.users.Accounts().Add(t.Context(), userauth.NewAccount{Username: "bob"})
			if !errors.Is(err, auth.ErrUnavailable) {
				t.Errorf("Add: got %v, want it to wrap auth.ErrUnavailable", err)
			}
			if got := dump(t, s.db); got != before {
				t.Errorf("the database has changed: %s", got)
			}
			chmod(0o600, 0o700)
			s.faulty.Store(false)
			s.in("ann")
		})
	}
	t.Run("a new file in a read-only folder", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(dir, 0o700)
		if _, err := userauth.OpenSQLite(filepath.Join(dir, "app.db")); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("got %v, want an error that says why", err)
		}
	})
}

// faultNobody in the environment says that this process is that of nobody.
const faultNobody = "USERAUTH_TEST_NOBODY"

// faultAsNobody runs the test in a process of an ordinary user's where this one is root's.
func faultAsNobody(t *testing.T) (ran bool) {
	t.Helper()
	if os.Getuid() > 0 {
		return false
	}
	if runtime.GOOS != "linux" || os.Getenv(faultNobody) != "" {
		t.Skip("a read-only file: modes don't bind this process")
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, "test")
	if err := errors.Join(faultCopy(os.Args[0], binary), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(dir, "tmp")
	if err := errors.Join(os.Mkdir(work, 0o777), os.Chmod(work, 0o777)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir = work
	cmd.Env = append(os.Environ(), faultNobody+"=1", "TMPDIR="+work)
	if !faultBecomeNobody(cmd) {
		t.Skip("a read-only file: can't run as nobody here")
	}
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("--- PASS: %s ", t.Name())) {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
	return true
}

func faultCopy(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	// A program that another test starts meanwhile would hold the file open for a moment, and what is open for writing can't be run.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
