package browsertest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/returnpath"
)

// payloads are the return paths that attackers try: the corpus of returnpath.
func payloads(t *testing.T) (all []string) {
	t.Helper()
	f, err := os.Open("../returnpath/testdata/redirects.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan() // the column names
	for lines.Scan() {
		column, _, _ := strings.Cut(lines.Text(), "\t")
		var payload string
		if err := json.Unmarshal([]byte(column), &payload); err != nil {
			t.Fatalf("%s: %v", column, err)
		}
		all = append(all, payload)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("%d payloads, want at least 100", len(all))
	}
	return all
}

// The browser's own URL parser is the judge of what returnpath lets through.
func TestReturnPathsResolveUnderTheMountByTheBrowser(t *testing.T) {
	b := newBrowser(t)
	elsewhere := 0
	for _, base := range []string{"/base", "", "/a%40b"} {
		mount, err := returnpath.ParseMount(base)
		if err != nil {
			t.Fatal(err)
		}
		type verdict struct {
			Origin, Path string
		}
		const page = "https://app.example%s/auth/login"
		for _, payload := range append(payloads(t), base+"/x//y?z=//evil.example#//", base+"/%2e%2e%2fx", base+"/x") {
			resolved := func(value string) verdict {
				script := fmt.Sprintf(`(() => { try { const u = new URL(%s, %s); return {Origin: u.origin, Path: u.pathname} } catch { return {Origin: "invalid", Path: ""} } })()`,
					inScript(t, value), inScript(t, fmt.Sprintf(page, base)))
				return eval[verdict](b, script)
			}
			if v := resolved(payload); v.Origin != "https://app.example" {
				elsewhere++
			}
			safe := mount.Safe(payload)
			if v := resolved(safe); v.Origin != "https://app.example" || v.Path != base && !strings.HasPrefix(v.Path, base+"/") {
				t.Errorf("mount %q: Safe(%q) = %q, and the browser goes to %v", base, payload, safe, v)
			}
		}
	}
	if elsewhere < 100 {
		t.Errorf("only %d payloads lead elsewhere: this test proves nothing", elsewhere)
	}
}

func inScript(t *testing.T, s string) string {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A sample of goes the whole way: in the address of the login page, through its form, to where the browser
// ends after the login.
func TestAfterTheLoginTheBrowserStaysHere(t *testing.T) {
	s, b := serve(t, "/base"), newBrowser(t)
	for name, next := range map[string]string{
		"R-01 protocol-relative":           "//evil.example",
		"R-02 a backslash for a slash":     `/\evil.example`,
		"R-03 dots that cleaning arms":     `/base/../\evil.example`,
		"R-04 a tab between the slashes":   "/\t/evil.example",
		"R-05 a line end":                  "/\r\n/evil.example",
		"R-06 a leading control character": "\x01//evil.example",
		"R-07 an absolute URL":             "https://evil.example/",
		"R-08 userinfo":                    "//127.0.0.1@evil.example",
		"R-09 a host that begins like us":  "https://127.0.0.1.evil.example",
		"R-11 a Unicode full stop":         "//evil。example",
		"R-12 a script":                    "javascript:document.title='ran'",
		"R-15 another port":                "http://127.0.0.1:1/base/",
		"R-18 beside the mount point":      "/basement",
		"R-19 a host behind the mount":     "/base//evil.example",
		"R-20 a relative value":            "../../evil",
		"R-25 markup":                      `/base/"><script>document.title='ran'</script>`,
		"R-26 too long":                    "/base/" + strings.Repeat("x", 4000),
	} {
		b.open(s.url + "auth/login?next=" + url.QueryEscape(next))
		b.await(`document.querySelector("input[type=password]") !== null`)
		b.typeInto("input[type=password]", sharedToken+"\r")
		b.await(`!location.pathname.startsWith("/base/auth/login") && document.readyState === "complete"`)
		if where := eval[string](b, `location.href`); !strings.HasPrefix(where, s.url) {
			t.Errorf("%s: next=%q led to %s", name, next, where)
		}
		if title := eval[string](b, `document.title`); title == "ran" {
			t.Errorf("%s: a script ran", name)
		}
		if status := eval[int](b, `fetch("/base/auth/logout", {method: "POST"}).then(r => r.status)`); status != 204 {
			t.Fatalf("logout: %d", status)
		}
	}
}
