package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

const patience = 30 * time.Second

// A pty is a terminal that a test types at.
type pty struct {
	keyboard *os.File // its output is the screen
	terminal *os.File
	screen   *bufio.Reader
}

func openPty(t *testing.T) *pty {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal to test with: %v", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	var locked, number int32
	ioctl(t, keyboard, syscall.TIOCSPTLCK, unsafe.Pointer(&locked))
	ioctl(t, keyboard, syscall.TIOCGPTN, unsafe.Pointer(&number))
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal to test with: %v", err)
	}
	t.Cleanup(func() { terminal.Close() })
	return &pty{keyboard, terminal, bufio.NewReader(keyboard)}
}

func ioctl(t *testing.T, f *os.File, request uintptr, arg unsafe.Pointer) {
	t.Helper()
	conn, err := f.SyscallConn() // File.Fd would make reads block for ever
	if err != nil {
		t.Fatal(err)
	}
	var errno syscall.Errno
	if err := conn.Control(func(fd uintptr) { _, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(arg)) }); err != nil {
		t.Fatal(err)
	}
	if errno != 0 {
		t.Fatal(errno)
	}
}

// echoes reports whether what is typed is shown.
func (p *pty) echoes(t *testing.T) bool {
	t.Helper()
	var settings syscall.Termios
	ioctl(t, p.terminal, syscall.TCGETS, unsafe.Pointer(&settings))
	return settings.Lflag&syscall.ECHO != 0
}

// start runs the program at the terminal, which is also the one that sends it signals.
func (p *pty) start(t *testing.T, stdout io.Writer, path string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := program(t.Context(), path, "", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.terminal, stdout, p.terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// answer waits for the prompt and for the echo to be off, and types.
func (p *pty) answer(t *testing.T, prompt, typed string) {
	t.Helper()
	p.expect(t, prompt)
	for deadline := time.Now().Add(patience); p.echoes(t); {
		if time.Now().After(deadline) {
			t.Fatalf("at %q the terminal shows what is typed", prompt)
		}
	}
	if _, err := io.WriteString(p.keyboard, typed); err != nil {
		t.Fatal(err)
	}
}

// expect reads the screen up to and including text, and fails the test if anything else comes before.
func (p *pty) expect(t *testing.T, text string) {
	t.Helper()
	if err := p.keyboard.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if n, err := io.ReadFull(p.screen, got); err != nil || string(got) != text {
		t.Fatalf("the screen shows %q, %v, want %q", got[:n], err, text)
	}
}

// JS33: the real terminal. All that stands on the screen is read, so nothing typed is on it.
func TestTheTerminalDoesNotShowThePassword(t *testing.T) {
	t.Parallel()
	d, p := newDesk(t), openPty(t)
	d.ok(goodPassword, "add", "ann", "-password-stdin")
	var stdout bytes.Buffer
	cmd := p.start(t, &stdout, d.path, "set-password", "ann")
	p.answer(t, "Password: ", otherPassword+"\n")
	p.expect(t, "\r\n")
	p.answer(t, "Password again: ", otherPassword+"\n")
	p.expect(t, "\r\n")
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, &stdout)
	}
	if !p.echoes(t) {
		t.Error("the terminal is left without echo")
	}
	if got := stdout.String(); got != "changed the password of ann, and ended all sessions and tokens\n" {
		t.Errorf("got %q", got)
	}
	d.ok(otherPassword, "verify-password", "ann", "-password-stdin")
}

func TestControlCAtThePromptRestoresTheTerminal(t *testing.T) {
	t.Parallel()
	for name, typed := range map[string]string{"at once": "\x03", "in the midst": "purple\x03"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, p := newDesk(t), openPty(t)
			var stdout bytes.Buffer
			cmd := p.start(t, &stdout, d.path, "add", "ann")
			p.answer(t, "Password: ", typed)
			p.expect(t, "\r\nuseradmin: interrupted\r\n")
			if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("got %v, want exit code 1", err)
			}
			if !p.echoes(t) {
				t.Error("the terminal is left without echo")
			}
			if got := stdout.String(); strings.TrimSpace(got) != "" {
				t.Errorf("got %q", got)
			}
			wantNoFiles(t, d)
		})
	}
}
