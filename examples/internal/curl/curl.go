// Package curl plays the curl sessions that the examples open with, so that what they promise stays true.
package curl

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience is how long a second may take on a machine that is busy with other tests.
const patience = 10 * time.Second

// Play sends each request of the session in file's first comment to h, and compares the status, which stands behind a
// "#", and the answer, which stands in the lines below. env are the variables of the shell. With -c the cookies of an
// answer are kept, and with -b they are sent. A status with ", within a second" behind it is asked for until it comes.
//
//	$ curl -X PUT -H "Authorization: Bearer $TOKEN" 127.0.0.1:8080/note    # 200
//	saved
func Play(t *testing.T, file string, h http.Handler, env map[string]string) {
	t.Helper()
	steps := read(t, file)
	if len(steps) == 0 {
		t.Fatalf("%s: no curl session found", file)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	client := &http.Client{
		// Wherever the session says that the server is, it is here.
		Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(client.CloseIdleConnections)
	var jar []*http.Cookie
	for _, s := range steps {
		t.Run(s.command, func(t *testing.T) {
			var status int
			var answer string
			for deadline := time.Now().Add(patience); ; {
				status, answer = s.send(t, client, env, &jar)
				if status == s.status || !s.soon || time.Now().After(deadline) {
					break
				}
			}
			if status != s.status {
				t.Errorf("got status %d, want %d", status, s.status)
			}
			if answer != s.answer {
				t.Errorf("got %q, want %q", answer, s.answer)
			}
		})
	}
}

func (s step) send(t *testing.T, client *http.Client, env map[string]string, jar *[]*http.Cookie) (status int, answer string) {
	t.Helper()
	r := s.request(t, env)
	if strings.Contains(s.command, " -b jar ") {
		for _, c := range *jar {
			r.AddCookie(c)
		}
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if strings.Contains(s.command, " -c jar ") {
		*jar = resp.Cookies()
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(body))
}

// A step is one command of a session, and what it prints.
type step struct {
	command string
	status  int
	soon    bool // the status may be another one at first
	answer  string
}

func read(t *testing.T, file string) (steps []step) {
	t.Helper()
	text, err := os.ReadFile(file) //nolint:gosec // the test's own program
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line, isComment := strings.CutPrefix(line, "//")
		if !isComment {
			break
		}
		output, isCode := strings.CutPrefix(line, "\t")
		output = strings.TrimSpace(output)
		command, isCommand := strings.CutPrefix(output, "$ ")
		switch {
		case strings.HasPrefix(command, "curl ") && isCommand:
			command, status, _ := strings.Cut(command, " #")
			status, soon := strings.CutSuffix(strings.TrimSpace(status), ", within a second")
			n, err := strconv.Atoi(status)
			if err != nil {
				t.Fatalf("%s: %q names no status", file, line)
			}
			steps = append(steps, step{command: strings.TrimSpace(command), status: n, soon: soon})
		case isCommand || !isCode:
		case len(steps) > 0:
			last := &steps[len(steps)-1]
			last.answer = strings.TrimSpace(last.answer + "\n" + output)
		}
	}
	return steps
}

// word is one of a command line: quoted or without blanks.
var word = regexp.MustCompile(`"[^"]*"|'[^']*'|[^ ]+`)

func (s step) request(t *testing.T, env map[string]string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://unset.invalid", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Accept"], r.Header["User-Agent"] = []string{"*/*"}, []string{"curl/8"} // as curl sends them
	words := word.FindAllString(s.command, -1)
	for i := 1; i < len(words); i++ {
		next := func() string {
			if i++; i == len(words) {
				t.Fatalf("%s: an option has no value", s.command)
			}
			return os.Expand(strings.Trim(words[i], `"'`), func(name string) string { return env[name] })
		}
		switch words[i] {
		case "-X":
			r.Method = next()
		case "-d":
			body := next()
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			if r.Method == http.MethodGet {
				r.Method = http.MethodPost
			}
		case "-b", "-c":
			next() // the jar
		case "-H":
			name, value, _ := strings.Cut(next(), ": ")
			if name == "Host" {
				r.Host = value
			} else {
				r.Header[name] = append(r.Header[name], value) // spelled as it is: an underscore stays one
			}
		default:
			if strings.HasPrefix(words[i], "-") {
				t.Fatalf("%s: option %s isn't known here", s.command, words[i])
			}
			if r.URL, err = r.URL.Parse("http://" + words[i]); err != nil {
				t.Fatal(err)
			}
			if r.Host == "unset.invalid" {
				r.Host = r.URL.Host
			}
		}
	}
	return r
}
