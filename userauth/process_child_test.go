package userauth_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ostiary/auth/userauth"
)

// These in the environment make the test binary a process beside the test's.
const (
	processDB   = "USERAUTH_TEST_PROCESS_DB"   // the database
	processTask = "USERAUTH_TEST_PROCESS_TASK" // what it does there
)

// processTasks say on the line when they are ready, and go on until their input ends or they are killed.
var processTasks = map[string]func(t *testing.T, path string, ready func(line string)){
	"serve": processServe,
	"hold":  processHold,
	"lock":  processLock,
}

// A process is another process over the same database.
type process struct {
	cmd  *exec.Cmd
	line string // that it said
	in   io.WriteCloser
	left chan struct{} // closed when it has ended
	err  error
}

// startProcess starts one and waits for its line.
func startProcess(t *testing.T, task, path string) *process {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	p := &process{left: make(chan struct{})}
	p.cmd = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheOtherProcess$", "-test.timeout=10m")
	p.cmd.Env = append(os.Environ(), processDB+"="+path, processTask+"="+task)
	p.cmd.ExtraFiles = []*os.File{write}
	var output bytes.Buffer
	p.cmd.Stdout, p.cmd.Stderr = &output, &output
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	err = p.cmd.Start()
	write.Close()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.left)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the process %q:\n%s", task, &output)
		}
	})
	p.line, err = bufio.NewReader(read).ReadString('\n')
	if err != nil {
		p.kill()
		t.Fatalf("the process %q: %v\n%s", task, err, &output)
	}
	p.line = strings.TrimSpace(p.line)
	return p
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.left
}

// finish lets it come to its end by itself.
func (p *process) finish(t *testing.T) {
	t.Helper()
	p.in.Close()
	<-p.left
	if p.err != nil {
		t.Errorf("the other process: %v", p.err)
	}
}

// TestTheOtherProcess is that process.
func TestTheOtherProcess(t *testing.T) {
	path := os.Getenv(processDB)
	if path == "" {
		t.Skip("only beside the tests that start it")
	}
	ready := os.NewFile(3, "ready")
	processTasks[os.Getenv(processTask)](t, path, func(line string) { io.WriteString(ready, line+"\n") })
}

// processServe serves a site until its input ends. The line is its address.
func processServe(t *testing.T, path string, ready func(string)) {
	s := faultOpen(t, path)
	s.faulty.Store(true)
	s.Handler.(*http.ServeMux).HandleFunc("POST /test/add", func(w http.ResponseWriter, r *http.Request) {
		_, err := s.users.Accounts().Add(r.Context(), userauth.NewAccount{
			Username: r.FormValue("name"), Password: sitePassword, Roles: []string{"member"}, Permissions: siteWrites,
		})
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	go func() {
		for range s.left { // nobody else looks
		}
	}()
	ready(s.listen().host)
	untilInputEnds()
}

func untilInputEnds() { _, _ = io.Copy(io.Discard, os.Stdin) }

// site is the one that the process serves: requests go there over the network.
func (p *process) site(t testing.TB) *site {
	s := &site{t: t, host: p.line, room: newRoom(), server: &httptest.Server{URL: "http://" + p.line}}
	s.faulty.Store(true)
	s.Handler = &processProxy{address: "http://" + p.line, client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 100},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	return s
}

// A processProxy hands a request on to a site in another process; 502 if that was killed.
type processProxy struct {
	address string
	client  *http.Client
}

func (p *processProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, p.address+r.RequestURI, r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	out.Header = r.Header
	res, err := p.client.Do(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	for name, values := range res.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(res.StatusCode)
	w.Write(body)
}
