package userauth_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"

	"github.com/ostiary/auth/internal/store/storetest"
)

// An ownServer is a database server of a test's own, which the test may stop and kill as it likes. It and its data are gone
// when the test is over.
type ownServer struct {
	t         testing.TB
	account   string // of the system's, that the server runs as where this process is root's
	command   []string
	fast      os.Signal // tells it to stop without waiting for its clients
	driver    string
	connector driver.Connector
	probe     *sqlx.DB
	cmd       *exec.Cmd     // nil before the first start
	left      chan struct{} // closed when it has ended, and all of its processes
	output    bytes.Buffer  // of all starts; valid while it isn't running
}

// newOwnServer starts a new server with nothing in it.
func newOwnServer(t testing.TB, on storetest.Engine) *ownServer {
	t.Helper()
	if on == storetest.Postgres {
		return newOwnPostgres(t, t.TempDir(), t.TempDir())
	}
	return newOwnMariaDB(t)
}

// newOwnPostgres keeps the tables and the write-ahead log in two folders, which may be on different disks.
func newOwnPostgres(t testing.TB, tables, log string, settings ...string) *ownServer {
	t.Helper()
	s := &ownServer{t: t, account: "postgres", fast: os.Interrupt, driver: "pgx"}
	initdb := s.program("/usr/lib/postgresql/*/bin/initdb")
	s.mayWrite(tables, log)
	data := filepath.Join(tables, "data")
	// Small segments: a small disk is full sooner.
	s.run(initdb, "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--wal-segsize=1",
		"--waldir="+filepath.Join(log, "wal"), "--pgdata="+data)
	port := ownPort(t)
	cfg, err := pgx.ParseConfig(fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port))
	if err != nil {
		t.Fatal(err)
	}
	s.connector = stdlib.GetConnector(*cfg)
	// Nothing waits for the disk: it is the server that dies here, and not the machine. restart_after_crash: whoever runs
	// the server, here the test, starts it again.
	s.command = []string{filepath.Join(filepath.Dir(initdb), "postgres"), "-D", data}
	for _, setting := range append([]string{"listen_addresses=127.0.0.1", fmt.Sprint("port=", port), "unix_socket_directories=", "fsync=off",
		"restart_after_crash=off", "shared_buffers=16MB", "min_wal_size=2MB"}, settings...) {
		s.command = append(s.command, "-c", setting)
	}
	s.first()
	return s
}

func newOwnMariaDB(t testing.TB) *ownServer {
	t.Helper()
	s := &ownServer{t: t, account: "mysql", fast: syscall.SIGTERM, driver: "mysql"}
	install, server := s.program("/usr/bin/mariadb-install-db"), s.program("/usr/sbin/mariadbd")
	dir := t.TempDir()
	s.mayWrite(dir)
	data := filepath.Join(dir, "data")
	s.run(install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
	port := ownPort(t)
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr, cfg.DBName = "root", "tcp", fmt.Sprint("127.0.0.1:", port), "mysql"
	cfg.Logger = &mysql.NopLogger{} // it tells of each connection that is lost
	s.connect(cfg)
	// As above, a commit is handed to the system and doesn't wait for the disk. The socket lies in the data's folder.
	s.command = []string{server, "--no-defaults", "--datadir=" + data, "--bind-address=127.0.0.1", fmt.Sprint("--port=", port), "--socket=own.sock",
		"--skip-name-resolve", "--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=16M"}
	s.first()
	if _, err := s.probe.ExecContext(t.Context(), "CREATE DATABASE app"); err != nil {
		t.Fatal(err)
	}
	cfg.DBName = "app"
	s.connect(cfg)
	return s
}

func (s *ownServer) connect(cfg *mysql.Config) {
	s.t.Helper()
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.connector = connector
}

// program finds what pattern names, the newest where there are several, or skips the test.
func (s *ownServer) program(pattern string) string {
	s.t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		s.t.Fatal(err)
	}
	if len(found) == 0 {
		s.t.Skipf("skipped: no server of the test's own: there is no %s", pattern)
	}
	return found[len(found)-1]
}

// mayWrite gives folders to the server's account, or skips the test.
func (s *ownServer) mayWrite(folders ...string) {
	s.t.Helper()
	for _, folder := range folders {
		if os.Getuid() == 0 {
			account, err := user.Lookup(s.account)
			if err != nil {
				s.t.Skipf("skipped: no server of the test's own: %v", err)
			}
			uid, _ := strconv.Atoi(account.Uid)
			gid, _ := strconv.Atoi(account.Gid)
			if err := errors.Join(os.Chmod(filepath.Dir(folder), 0o755), os.Chown(folder, uid, gid)); err != nil {
				s.t.Skipf("skipped: no server of the test's own: %v", err)
			}
		}
		if out, err := s.as("test", "-w", folder).CombinedOutput(); err != nil {
			s.t.Skipf("skipped: no server of the test's own: as %s: %v %s", s.account, err, out)
		}
	}
}

// as is a command of the server's account. The command is killed when this process is, so that no server is left behind.
func (s *ownServer) as(args ...string) *exec.Cmd {
	as := []string{"--pdeathsig=KILL"}
	if os.Getuid() == 0 { // neither server runs as root
		as = append(as, "--reuid="+s.account, "--regid="+s.account, "--clear-groups")
	}
	cmd := exec.Command("setpriv", append(as, args...)...)
	cmd.Dir = "/"
	return cmd
}

func (s *ownServer) run(args ...string) {
	s.t.Helper()
	if out, err := s.as(args...).CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", args[0], err, out)
	}
}

// ownPort is a port that nobody listens on. It isn't one of those that systems give to clients: while the server is away, a
// client could connect to itself there.
func ownPort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(10000)
		if l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// first starts the server, and has it end with the test.
func (s *ownServer) first() {
	s.t.Helper()
	s.probe = s.open()
	s.t.Cleanup(func() {
		if s.running() {
			s.kill()
		}
		if s.t.Failed() {
			s.t.Logf("the server:\n%s", &s.output)
		}
	})
	s.start()
}

// open opens the database as a program does. There needn't be a server.
func (s *ownServer) open() *sqlx.DB {
	db := sqlx.NewDb(sql.OpenDB(s.connector), s.driver)
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	s.t.Cleanup(func() { db.Close() })
	return db
}

// start starts the server and waits until it answers.
func (s *ownServer) start() {
	s.t.Helper()
	cmd, left, started := s.as(s.command...), make(chan struct{}), make(chan error)
	cmd.Stdout, cmd.Stderr = &s.output, &s.output
	go func() {
		runtime.LockOSThread() // the server is killed when the thread ends that has started it
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // also for the server's own children, who hold its output
		}
		close(left)
	}()
	if err := <-started; err != nil {
		s.t.Fatal(err)
	}
	s.cmd, s.left = cmd, left
	eventually(s.t, "the server answers", func() bool {
		if !s.running() {
			s.t.Fatal("the server has ended by itself")
		}
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
		defer cancel()
		return s.probe.PingContext(ctx) == nil
	})
}

func (s *ownServer) running() bool {
	if s.cmd == nil {
		return false
	}
	select {
	case <-s.left:
		return false
	default:
		return true
	}
}

// stop has it end orderly, but at once.
func (s *ownServer) stop() { s.t.Helper(); s.end(s.fast) }

// kill is kill -9.
func (s *ownServer) kill() { s.t.Helper(); s.end(os.Kill) }

func (s *ownServer) end(how os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(how); err != nil {
		s.t.Error(err)
	}
	s.gone()
}

// gone waits until it has ended.
func (s *ownServer) gone() {
	s.t.Helper()
	select {
	case <-s.left:
	case <-time.After(3 * patience):
		s.t.Error("the server doesn't end")
	}
}
