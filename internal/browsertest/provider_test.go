package browsertest_test

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/internal/oidctest/certified"
)

// serveWithProvider runs the quickstart itself, whose people log in at a certified provider. The two are different sites, as
// they are in the world: what cookies go along when a browser comes back is the browser's rule.
func serveWithProvider(t *testing.T) (s site, p *certified.Provider) {
	t.Helper()
	l := listen(t)
	addr := l.Addr().(*net.TCPAddr)
	s.origin = fmt.Sprintf("http://localhost:%d", addr.Port)
	s.url = s.origin + "/base/"
	client := certified.NewClient("quickstart", s.url+"auth")
	client.RedirectURIs = []string{s.url + "auth/callback/provider"}
	client.BackchannelLogoutURI = strings.Replace(s.url, "localhost", "127.0.0.1", 1) + "auth/backchannel-logout/provider"
	p = certified.Start(t, certified.Settings{Clients: []certified.Client{client}})

	dir := t.TempDir()
	program := filepath.Join(dir, "quickstart")
	build := exec.Command("go", "build", "-o", program, "./examples/quickstart")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	cmd := exec.Command(program, "-addr", addr.String(), "-public-url", strings.TrimSuffix(s.url, "/"),
		"-auth", "oidc", "-issuer", p.Issuer, "-client-id", client.ID)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "AUTH_CLIENT_SECRET="+certified.Secret)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		if err := cmd.Wait(); err != nil {
			t.Errorf("the quickstart: %v", err)
		}
		late.Stop()
		if t.Failed() {
			t.Logf("the quickstart's log:\n%s", &stderr)
		}
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != s.url+"\n" {
		t.Fatalf("the quickstart says %q, %v, want its address", line, err)
	}
	return s, p
}

// listen keeps a port for the quickstart, whose address the provider has to know before the quickstart can listen there. It
// isn't one of those that systems give to clients: one of them could have it in the moment between the two.
func listen(t *testing.T) net.Listener {
	t.Helper()
	for range 100 {
		if l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 20000+rand.IntN(10000))); err == nil {
			return l
		}
	}
	t.Fatal("no free port")
	return nil
}

// atProvider waits for a page of the provider's.
func (b *tab) atProvider(p *certified.Provider, title string) {
	b.t.Helper()
	b.await(fmt.Sprintf(`location.origin === %q && document.querySelector("h1")?.textContent === %q`, p.Issuer, title))
}

// proveAt comes to the page as a visitor does, and says at the provider who it is.
func (b *tab) proveAt(p *certified.Provider, s site, name string) {
	b.t.Helper()
	b.open(s.url)
	b.atProvider(p, "Sign in")
	b.typeInto("input[name=username]", name)
	b.typeInto("input[name=password]", certified.Password(name)+"\r")
	b.atProvider(p, "Consent")
}

func TestPeopleOfACertifiedProvider(t *testing.T) {
	s, p := serveWithProvider(t)
	alice := newBrowser(t)
	bob := alice.newPerson()
	alice.proveAt(p, s, "alice")
	alice.click("button[name=consent]")
	alice.connected()
	if got := eval[string](alice, `location.href`); got != s.url {
		t.Errorf("the address is %s, want %s: no code stays in it", got, s.url)
	}
	if got := eval[string](alice, `document.cookie`); got != "" {
		t.Errorf("a script can read the cookie %q", got)
	}

	// Who says no at the provider can think better of it.
	bob.proveAt(p, s, "bob")
	bob.click("button[name=deny]")
	bob.awaitText("body", "You were not signed in by the provider.")
	screenshot(bob, "provider-denied")
	bob.click("a[href$='/auth/login']")
	bob.atProvider(p, "Consent")
	bob.click("button[name=consent]")
	bob.connected()

	alice.awaitText("#my-name", "Alice")
	alice.await(`document.querySelectorAll("#people li").length === 2`)
	alice.typeInto("#note", "Hello from Alice.")
	bob.awaitNote("Hello from Alice.")
	bob.awaitText("#last", "Alice edited")
	screenshot(alice, "provider-note")

	other := alice.newTab()
	other.open(s.url) // without a word of the provider's
	other.connected()
	other.watchSocket()
	alice.click("#me summary")
	alice.click("#logout")
	alice.atProvider(p, "Sign out")
	other.awaitClose("1008 session ended")
	alice.click("button[name=logout]")
	alice.awaitText("body", "You are signed out here.")
	if got := eval[string](alice, `location.origin + location.pathname`); got != s.url+"auth/logged-out" {
		t.Errorf("the address is %s", got)
	}
	screenshot(alice, "provider-signed-out")
	alice.open(s.url)
	alice.atProvider(p, "Sign in") // the provider has forgotten who it is
	bob.connected()

	// Who signs out at the provider itself is signed out here: the provider says so to the server, not to the browser.
	bob.watchSocket()
	there := bob.newTab()
	there.open(p.Issuer + "/session/end")
	there.atProvider(p, "Sign out")
	there.click("button[name=logout]")
	bob.awaitClose("1008 session ended")
	bob.open(s.url)
	bob.atProvider(p, "Sign in")
	alice.clean("401 (Unauthorized)") // the page asks who it is when its socket ends
	bob.clean("400 (Bad Request)", "401 (Unauthorized)")
}
