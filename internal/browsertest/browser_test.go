// Package browsertest_test holds what only a browser can prove: that its own rules for cookies, origins, redirects,
// forms and sockets meet ours. It drives the quickstart's notebook in Chromium.
package browsertest_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/examples/quickstart/notebook"
	"github.com/ostiary/auth/tokenauth"
)

// patience is how long anything may take before a test gives up on it.
const patience = 30 * time.Second

const (
	sharedToken = "everything-0123456789abcdef0123456789abcdef"
	readerToken = "reader-0123456789abcdef0123456789abcdef"
)

var chromium string

func TestMain(m *testing.M) {
	for _, name := range []string{"/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			chromium = path
			break
		}
	}
	if chromium == "" {
		if slices.Contains(strings.Split(os.Getenv("AUTH_TEST_REQUIRE"), ","), "browser") {
			fmt.Println("FAIL: AUTH_TEST_REQUIRE asks for a browser, and there is no chromium")
			os.Exit(1)
		}
		fmt.Println("skipped: there is no chromium (apt-get install chromium fonts-liberation)")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// site is the notebook, mounted below a path.
type site struct {
	origin string      // http://127.0.0.1:port
	url    string      // of the page
	logins chan string // the Origin header of each login that was posted
}

// serve starts a site behind tokens, whose public URL ends in base.
func serve(t *testing.T, base string, tokens ...tokenauth.Token) site {
	t.Helper()
	return start(t, base, func(cfg auth.Config) (auth.Plugin, string) {
		a, err := tokenauth.New(t.Context(), tokenauth.Config{Auth: cfg, Token: sharedToken, Tokens: tokens})
		if err != nil {
			t.Fatal(err)
		}
		return a, ""
	})
}

// start starts a site behind what guard makes, whose account page is at the path that it gives.
func start(t *testing.T, base string, guard func(auth.Config) (a auth.Plugin, account string)) site {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	origin := "http://" + server.Listener.Addr().String()
	a, account := guard(auth.Config{PublicURL: origin + base, Logger: slog.New(slog.DiscardHandler)})
	logins := make(chan string, 100)
	app := notebook.Handler(notebook.Config{Auth: a, Routes: a.Routes(), Base: base, Account: account})
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/login") {
			logins <- r.Header.Get("Origin")
		}
		app.ServeHTTP(w, r)
	})
	server.Start()
	t.Cleanup(func() {
		_ = a.Close()
		server.CloseClientConnections()
		server.Close()
	})
	return site{origin, origin + base + "/", logins}
}

// tab is a page in a browser.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	faults []string // what the page's console says that it shouldn't
}

// newBrowser starts a browser with a profile of its own, and gives its first tab. The profile isn't in t.TempDir: some of
// the browser's processes write to it for a moment after its end, and chromedp waits for that.
func newBrowser(t *testing.T) *tab {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*patience)
	t.Cleanup(cancel)
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(chromium), chromedp.WSURLReadTimeout(patience),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("lang", "en-GB"), chromedp.WindowSize(1280, 860),
	)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	return openTab(t, ctx)
}

// newTab is another tab of the same browser: the same cookies.
func (b *tab) newTab() *tab { return openTab(b.t, b.ctx) }

// newPerson is a tab of somebody else's browser: with cookies of its own.
func (b *tab) newPerson() *tab { return openTab(b.t, b.ctx, chromedp.WithNewBrowserContext()) }

func openTab(t *testing.T, parent context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	b := &tab{t: t}
	ctx, cancel := chromedp.NewContext(parent, append(options, chromedp.WithListener(b.listen))...)
	b.ctx = ctx
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *tab) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev := ev.(type) {
	case *log.EventEntryAdded:
		if ev.Entry.Level == "error" || ev.Entry.Level == "warning" {
			b.faults = append(b.faults, fmt.Sprintf("%s: %s (%s)", ev.Entry.Source, ev.Entry.Text, ev.Entry.URL))
		}
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, fmt.Sprintf("exception: %v", ev.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		b.faults = append(b.faults, fmt.Sprintf("console.%s", ev.Type))
	}
}

// clean fails the test if the console of the page has said anything but what is expected, each by a part of its text.
func (b *tab) clean(expected ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, fault := range b.faults {
		if !slices.ContainsFunc(expected, func(part string) bool { return strings.Contains(fault, part) }) {
			b.t.Errorf("the page's console: %s", fault)
		}
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
}

// eval runs a script in the page and waits for its promise.
func eval[T any](b *tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return v
}

// await waits until a script gives true.
func (b *tab) await(script string) {
	b.t.Helper()
	late := time.After(patience)
	for {
		// A script can be cut off by a page that loads; then the next one is asked.
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script))
		cancel()
		if err == nil && ok {
			return
		}
		select {
		case <-late:
			page := eval[string](b, `location.href + "\n" + document.body.innerText`)
			b.t.Fatalf("waited in vain for %s (%v) in\n%s", script, err, page)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (b *tab) awaitText(selector, part string) {
	b.t.Helper()
	b.await(fmt.Sprintf(`(document.querySelector(%q)?.textContent || "").includes(%q)`, selector, part))
}

// awaitNote waits until the note in the page is text.
func (b *tab) awaitNote(text string) {
	b.t.Helper()
	b.await(fmt.Sprintf(`document.querySelector("#note")?.value === %q`, text))
}

func (b *tab) connected() {
	b.t.Helper()
	b.awaitText("#state", "Connected")
}

// logIn opens the link with the token.
func (b *tab) logIn(s site, token string) {
	b.t.Helper()
	b.open(s.url + "?token=" + url.QueryEscape(token))
	b.connected()
}

func (b *tab) typeInto(selector, text string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// press sends keys to whatever has the focus, as a keyboard does.
func (b *tab) press(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// leave does what makes the browser load a page, and waits for that: also where it is the same one again.
func (b *tab) leave(act func()) {
	b.t.Helper()
	eval[bool](b, `window.old = true`)
	act()
	b.await(`window.old === undefined && document.readyState === "complete"`)
}

// fill replaces what a field holds.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.await(fmt.Sprintf(`(() => { const e = document.querySelector(%q); e?.select(); return e !== null && document.activeElement === e })()`, selector))
	b.press(text)
}

// clickText clicks what has the text, of all that the selector finds.
func (b *tab) clickText(selector, text string) {
	b.t.Helper()
	eval[bool](b, fmt.Sprintf(`[...document.querySelectorAll(%q)].find(e => e.textContent.trim() === %q).click(), true`, selector, text))
}

// foreign is a page of another site, with nothing on it.
func foreign(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>foreign</title><link rel=icon href=data:,>"))
	}))
	t.Cleanup(server.Close)
	// Another host name, so that it is another site and not only another port.
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/"
}

// screenshot is for people to look at, in the folder that AUTH_TEST_SCREENSHOTS names.
func screenshot(b *tab, name string) {
	b.t.Helper()
	dir := os.Getenv("AUTH_TEST_SCREENSHOTS")
	if dir == "" {
		return // nobody would look at it
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
