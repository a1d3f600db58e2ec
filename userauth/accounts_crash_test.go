package userauth_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/userauth"
)

// crashDB in the environment makes this test binary the process that is killed.
const crashDB = "USERAUTH_TEST_CRASH_DB"

// D-05: processes make users and change passwords until they are killed, at any point. Each time the database opens; it
// holds what was acknowledged, and no half of anything.
func TestAKillLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	a, db := openAccounts(t, path)
	putRole(t, a, "reader", auth.Permissions{"contents": {"read"}})
	acknowledged := map[string]bool{}                       // "add NAME" and "change NAME"
	for round, users := 0, 0; users < crashUsers; round++ { // fewer under the race detector, which finds nothing across processes
		acks := killedAfter(t, path, fmt.Sprint("r", round), 20+rand.IntN(120))
		for _, ack := range acks {
			acknowledged[ack] = true
			if strings.HasPrefix(ack, "add ") {
				users++
			}
		}
	}
	var sound string
	if err := db.GetContext(t.Context(), &sound, "PRAGMA integrity_check"); err != nil || sound != "ok" {
		t.Fatalf("integrity check: %q, %v", sound, err)
	}
	there := map[string]bool{}
	for after := ""; ; {
		page, next, err := a.List(t.Context(), "", after, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, account := range page {
			there[account.Username] = true
			checkSurvivor(t, a, account, acknowledged["change "+account.Username])
		}
		if after = next; next == "" {
			break
		}
	}
	for ack := range acknowledged {
		if _, name, _ := strings.Cut(ack, " "); !there[name] {
			t.Errorf("%q was acknowledged and is lost", ack)
		}
	}
}

// killedAfter lets a process work on the database until it has acknowledged n changes and a little longer, and gives what
// it has acknowledged.
func killedAfter(t *testing.T, path, prefix string, n int) (acks []string) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheProcessThatIsKilled$")
	cmd.Env = append(os.Environ(), crashDB+"="+path, "USERAUTH_TEST_CRASH_PREFIX="+prefix)
	cmd.ExtraFiles = []*os.File{write}
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	err = cmd.Start()
	write.Close()
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(read)
	for lines.Scan() { // to the end: what was acknowledged is in the pipe even when its writer is dead
		acks = append(acks, lines.Text())
		if len(acks) == n {
			time.AfterFunc(rand.N(3*time.Millisecond), func() { _ = cmd.Process.Kill() }) // in the midst of whatever comes next
		}
	}
	err = cmd.Wait()
	if len(acks) < n {
		t.Fatalf("the process ended by itself: %v\n%s", err, &output)
	}
	return acks
}

// TestTheProcessThatIsKilled is that process.
func TestTheProcessThatIsKilled(t *testing.T) {
	path := os.Getenv(crashDB)
	if path == "" {
		t.Skip("only under TestAKillLosesNothingAcknowledged")
	}
	a, _ := openAccounts(t, path)
	acks := os.NewFile(3, "acks")
	var mu sync.Mutex
	acknowledge := func(ack string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(acks, ack)
	}
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%sw%dn%d", os.Getenv("USERAUTH_TEST_CRASH_PREFIX"), worker, i)
				_, err := a.Add(context.Background(), userauth.NewAccount{
					Username: name, Password: goodPassword, Roles: []string{"reader"}, Permissions: auth.Permissions{"kernels": {"execute", "read"}},
				})
				if err == nil {
					acknowledge("add " + name)
					if err = a.SetPassword(context.Background(), name, otherPassword); err == nil {
						acknowledge("change " + name)
					}
				}
				if err != nil && !errors.Is(err, auth.ErrUnavailable) { // a slow machine is no failure
					panic(err)
				}
			}
		})
	}
	all.Wait()
}

// checkSurvivor fails the test unless the account is whole, and logs in with exactly one password: the new one, if its
// change was acknowledged.
func checkSurvivor(t *testing.T, a *userauth.Accounts, account userauth.Account, changed bool) {
	t.Helper()
	if got := account.Permissions.String(); got != "kernels:execute,read" || strings.Join(account.Roles, " ") != "reader" {
		t.Errorf("half a user %s: permissions %q, roles %q", account.Username, got, account.Roles)
	}
	first, err := a.VerifyPassword(t.Context(), account.Username, goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	second, err := a.VerifyPassword(t.Context(), account.Username, otherPassword)
	if err != nil {
		t.Fatal(err)
	}
	if first == second || changed && !second {
		t.Errorf("%s: the first password is right: %t, the second: %t, and its change was acknowledged: %t", account.Username, first, second, changed)
	}
}
