package main_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	main "github.com/ostiary/auth/userauth/useradmin"
)

// U-17, D-09: as processes, on a file that none of them finds.
func TestOfManyProcessesThatAddOneNameOneDoes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	names := []string{"bob", "Bob", "BOB", "bob"}
	added := make([]bool, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() {
			cmd := program(t.Context(), d.path, goodPassword, "add", name, "-password-stdin")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			added[i] = cmd.Run() == nil
			if want := fmt.Sprintf("useradmin: exists already: user %q\n", name); !added[i] && stderr.String() != want {
				t.Errorf("got %q, want %q", &stderr, want)
			}
		})
	}
	all.Wait()
	winners := 0
	for _, ok := range added {
		if ok {
			winners++
		}
	}
	if winners != 1 {
		t.Errorf("got %d who added the name, want 1", winners)
	}
	if got := d.users(); !strings.EqualFold(got, "bob") {
		t.Errorf("got users %q, want one", got)
	}
}

// killedAdds is how many users the processes of the next test try to add.
const killedAdds = 20

// D-05: processes are killed or interrupted at any point of an add. Whoever was told "added" is there, and who is there
// is whole; the database opens each time.
func TestKilledAddsLoseNothingAcknowledged(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok("", "role", "set", "editor", "contents:*")
	begin := time.Now()
	acknowledged := map[string]bool{"first": addAndKill(t, d.path, "first", 0)}
	within := 2 * time.Since(begin) // as long as it takes on this machine, beside another one
	next := make(chan string)
	go func() {
		defer close(next)
		for i := range killedAdds {
			next <- fmt.Sprint("user", i)
		}
	}()
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for name := range next {
				if added := addAndKill(t, d.path, name, within); added {
					mu.Lock()
					acknowledged[name] = true
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	if sound := d.text("PRAGMA integrity_check"); sound != "ok" {
		t.Fatalf("integrity check: %s", sound)
	}
	there := map[string]bool{}
	for name := range strings.FieldsSeq(d.users()) {
		there[name] = true
		d.ok(goodPassword, "verify-password", name, "-password-stdin")
	}
	for name := range acknowledged {
		if !there[name] {
			t.Errorf("%s was acknowledged and is lost", name)
		}
	}
	list := d.ok("", "list")
	if got := strings.Count(list, "  editor  kernels:execute,read  "); got != len(there) {
		t.Errorf("got %d whole users of %d: %s", got, len(there), list)
	}
	t.Logf("%d of %d added, %d acknowledged", len(there), killedAdds+1, len(acknowledged))
}

// addAndKill starts a process that adds a user and, for most, stops it after a random time within the given one; 0: never. It tells whether the process
// has said that it did its work.
func addAndKill(t *testing.T, path, name string, within time.Duration) (added bool) {
	t.Helper()
	cmd := program(t.Context(), path, goodPassword, "add", name, "-role", "editor", "-permissions", "kernels:execute,read", "-password-stdin")
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return false
	}
	if within > 0 && rand.IntN(4) > 0 {
		signal := []os.Signal{syscall.SIGKILL, syscall.SIGINT}[rand.IntN(2)]
		timer := time.AfterFunc(rand.N(within), func() { _ = cmd.Process.Signal(signal) })
		defer timer.Stop()
	}
	err := cmd.Wait()
	added = stdout.String() == "added "+name+"\n"
	if err == nil && !added {
		t.Errorf("%s: exit code 0 with %q", name, &stdout)
	}
	return added
}

// An interrupt while the password is awaited leaves nothing behind.
func TestAnInterruptWhileReadingThePassword(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	stdin, typed := io.Pipe()
	defer typed.Close()
	go func() {
		_, _ = io.WriteString(typed, "purple otter") // returns when it is read
		cancel()
	}()
	var stdout, stderr bytes.Buffer
	env := func(string) string { return "sqlite:" + d.path }
	code := main.Run(ctx, []string{"add", "ann", "-password-stdin"}, stdin, &stdout, &stderr, env, nil)
	if code != 1 || stdout.String() != "" || stderr.String() != "useradmin: interrupted\n" {
		t.Errorf("got exit code %d, %q, %q", code, &stdout, &stderr)
	}
	wantNoFiles(t, d)
}

// An interrupt while another program holds the database.
func TestAnInterruptWhileWaitingForTheDatabase(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok(goodPassword, "add", "ann", "-password-stdin")
	tx, err := d.db().BeginTxx(t.Context(), nil) // takes the lock
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	d.ask = func(context.Context, string) (string, error) {
		cancel()
		return otherPassword, nil
	}
	if r := d.runIn(ctx, "sqlite:"+d.path, "", "set-password", "ann"); r.code != 1 || r.stderr != "useradmin: interrupted\n" {
		t.Errorf("got exit code %d, %q", r.code, r.stderr)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	d.ok(goodPassword, "verify-password", "ann", "-password-stdin")
}
