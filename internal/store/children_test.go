package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/ostiary/auth/internal/dburl"
	"github.com/ostiary/auth/internal/store"
)

// start runs a child; what it prints comes line by line, and closing its input ends it.
func start(t *testing.T, name, url string) (*exec.Cmd, *bufio.Scanner, io.Closer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "STORE_TEST_CHILD="+name+":"+url)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd, bufio.NewScanner(out), in
}

// children are the programs that tests start: this test binary again, with STORE_TEST_CHILD=name:URL.
var children = map[string]func(ctx context.Context, url string) error{
	"hold":    childHold,
	"migrate": childMigrate,
	"count":   childCount,
}

// openURL opens the database as a program does.
func openURL(ctx context.Context, url string) (*sqlx.DB, error) {
	d, err := dburl.Parse(url)
	if err != nil {
		return nil, err
	}
	return d.Open(ctx)
}

// childHold takes the write lock, says so, and keeps it until its input ends.
func childHold(ctx context.Context, url string) error {
	db, err := openURL(ctx, url)
	if err != nil {
		return err
	}
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	fmt.Println("locked")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// childMigrate opens the store and says what it ran.
func childMigrate(ctx context.Context, url string) error {
	db, err := openURL(ctx, url)
	if err != nil {
		return err
	}
	ran, err := store.Migrate(ctx, db)
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(ran, " "))
	return db.Close()
}

// childCount adds a user with a permission and a session, again and again, and says so each time, until it is killed.
func childCount(ctx context.Context, url string) error {
	db, err := openURL(ctx, url)
	if err != nil {
		return err
	}
	d, err := store.Open(ctx, db)
	if err != nil {
		return err
	}
	for {
		name := fmt.Sprintf("u%d-%d", os.Getpid(), time.Now().UnixNano())
		err := d.Write(ctx, func(tx *store.Tx) error {
			id, err := tx.AddUser(store.User{Username: name, Key: name, Hash: "hash"})
			if err != nil {
				return err
			}
			return errors.Join(tx.Grant(id, []store.Permission{{Resource: "a", Action: "b"}}), tx.AddSession(newSession(id, name, 1), 0))
		})
		if err != nil {
			return err
		}
		fmt.Println(name)
	}
}
