package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk is a desk on a disk of two MiB.
func smallDisk(t *testing.T) (d *desk, remount func(flags uintptr)) {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m,mode=700"); err != nil {
		t.Skipf("needs to mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return &desk{t: t, path: filepath.Join(dir, "app.db")}, func(flags uintptr) {
		t.Helper()
		// A program that another test starts holds what is open here for a moment, until it runs: the disk is busy then.
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		busy := time.NewTicker(10 * time.Millisecond)
		defer busy.Stop()
		for tries := 0; ; tries++ {
			err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size=2m")
			if err == nil {
				return
			}
			if !errors.Is(err, syscall.EBUSY) || tries == 500 {
				t.Fatal(err)
			}
			<-busy.C
		}
	}
}

// fill leaves no byte free, until what it gives is called.
func (d *desk) fill() (free func()) {
	d.t.Helper()
	ballast := filepath.Join(filepath.Dir(d.path), "ballast")
	file, err := os.Create(ballast)
	if err != nil {
		d.t.Fatal(err)
	}
	defer file.Close()
	for {
		if _, err := file.Write(bytes.Repeat([]byte("x"), 4096)); errors.Is(err, syscall.ENOSPC) {
			break
		} else if err != nil {
			d.t.Fatal(err)
		}
	}
	return func() {
		if err := os.Remove(ballast); err != nil {
			d.t.Fatal(err)
		}
	}
}

// D-06: on a full disk, and on one that can't be written to, an error is told and nothing acknowledged is lost.
func TestAFullDiskLosesNothing(t *testing.T) {
	t.Parallel()
	d, _ := smallDisk(t)
	d.ok(goodPassword, "add", "ann", "-password-stdin")
	for _, inUse := range []bool{false, true} { // by a server, which keeps the write-ahead log's files there
		t.Run(fmt.Sprintf("in use: %t", inUse), func(t *testing.T) {
			d := &desk{t: t, path: d.path}
			if inUse {
				d.text("SELECT username FROM auth_users LIMIT 1") // and keeps the database open
			}
			before := d.users()
			free := d.fill()
			name := fmt.Sprint("bob", inUse)
			// What the log has room for still goes in: until it is full, too.
			acknowledged := strings.Fields(before)
			for i := 0; ; i++ {
				r := d.run(goodPassword, "add", fmt.Sprint(name, i), "-password-stdin")
				if r.code != 0 {
					break
				}
				acknowledged = append(acknowledged, fmt.Sprint(name, i))
			}
			d.fails(1, otherPassword, "set-password", "ann", "-password-stdin")
			if inUse {
				d.ok(goodPassword, "verify-password", "ann", "-password-stdin") // reads work
			}
			free()
			slices.Sort(acknowledged) // as they are listed
			if got, want := d.users(), strings.Join(acknowledged, " "); got != want {
				t.Errorf("got users %q, want %q", got, want)
			}
			d.ok(goodPassword, "verify-password", "ann", "-password-stdin")
			d.ok(goodPassword, "add", name+"again", "-password-stdin")
		})
	}
}

func TestAReadOnlyDiskLosesNothing(t *testing.T) {
	t.Parallel()
	d, remount := smallDisk(t)
	d.ok(goodPassword, "add", "ann", "-password-stdin")
	before, err := os.ReadFile(d.path)
	if err != nil {
		t.Fatal(err)
	}
	remount(syscall.MS_RDONLY)
	for _, args := range [][]string{
		{"add", "bob", "-password-stdin"}, {"set-password", "ann", "-password-stdin"}, {"delete", "ann"}, {"grant", "ann", "a:b"},
		{"disable", "ann"}, {"role", "set", "r", ""},
	} {
		d.fails(1, otherPassword, args...)
	}
	if got, err := os.ReadFile(d.path); err != nil || !bytes.Equal(got, before) {
		t.Errorf("the file has changed: %v", err)
	}
	remount(0)
	d.ok(goodPassword, "verify-password", "ann", "-password-stdin")
	d.ok(goodPassword, "add", "bob", "-password-stdin")
}
