package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// runToEnd runs a program that is meant to end by itself.
func runToEnd(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := command(ctx, t, env, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("%v: it didn't end", args)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestBadFlags(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	noDatabase := filepath.Join(t.TempDir(), "no.db")
	text := []byte("what somebody has typed, and nobody has saved elsewhere\n")
	if err := os.WriteFile(noDatabase, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if now, err := os.ReadFile(noDatabase); err != nil || !bytes.Equal(now, text) {
			t.Errorf("the file that is no database is now %q, %v", now, err)
		}
	})
	for name, tc := range map[string]struct {
		args []string
		env  []string
		code int
		says string
	}{
		"an unknown flag":                {args: []string{"-tokn", "x"}, code: 2, says: "-tokn"},
		"a flag without its value":       {args: []string{"-addr"}, code: 2, says: "-addr"},
		"a flag of the wrong type":       {args: []string{"-insecure-http=maybe"}, code: 2, says: "insecure-http"},
		"an argument":                    {args: []string{"SECRET"}, code: 2, says: "flags only"},
		"an unknown backend":             {args: []string{"-auth", "ldap"}, code: 2, says: "user, token, noauth and oidc"},
		"an empty backend":               {args: []string{"-auth="}, code: 2, says: "user, token, noauth and oidc"},
		"a backend in another case":      {args: []string{"-auth", "User"}, code: 2, says: "user, token, noauth and oidc"},
		"a provider that isn't named":    {args: []string{"-auth", "oidc"}, code: 2, says: "-issuer and -client-id"},
		"a provider without its backend": {args: []string{"-issuer", "https://id.example"}, code: 2, says: "-auth oidc"},
		"a provider without TLS":         {args: []string{"-auth", "oidc", "-issuer", "http://id.example", "-client-id", "x"}, code: 1, says: "Issuer"},
		"a provider that is no URL":      {args: []string{"-auth", "oidc", "-issuer", "id.example", "-client-id", "x"}, code: 1, says: "Issuer"},
		"an empty secret":                {args: []string{"-auth", "oidc", "-issuer", "https://id.example", "-client-id", "x", "-client-secret="}, code: 2, says: "-client-secret"},
		"a key that is none":             {args: []string{"-auth", "oidc", "-issuer", "https://id.example", "-client-id", "x"}, env: []string{"AUTH_REFRESH_KEY=SECRET"}, code: 1, says: "AUTH_REFRESH_KEY"},
		"a token without its backend":    {args: []string{"-auth", "noauth", "-token", "SECRET"}, code: 2, says: "-auth token"},
		"a token and users":              {args: []string{"-token", "SECRET"}, code: 2, says: "-auth token"},
		"an empty token":                 {args: []string{"-auth", "token", "-token="}, code: 2, says: "-auth noauth"},
		"a token with a blank":           {args: []string{"-auth", "token", "-token", "SECRET x"}, code: 1, says: "Token"},
		"an empty token in a file":       {args: []string{"-auth", "token"}, env: []string{"AUTH_TOKEN_FILE=/dev/null"}, code: 1, says: "AUTH_TOKEN_FILE"},
		"a token file that isn't there":  {args: []string{"-auth", "token"}, env: []string{"AUTH_TOKEN_FILE=/nowhere/token"}, code: 1, says: "AUTH_TOKEN_FILE"},
		"an address without a port":      {args: []string{"-addr", "127.0.0.1"}, code: 2, says: "-addr"},
		"an address with a bad port":     {args: []string{"-addr", "127.0.0.1:99999"}, code: 2, says: "-addr"},
		"an empty address":               {args: []string{"-addr="}, code: 2, says: "-addr"},
		"a port that is taken":           {args: []string{"-addr", taken.Addr().String()}, code: 1, says: "address already in use"},
		"an address of another machine":  {args: []string{"-addr", "192.0.2.1:0", "-insecure-http"}, code: 1, says: "-addr"},
		"an empty public URL":            {args: []string{"-public-url="}, code: 2, says: "-public-url"},
		"a public URL without a scheme":  {args: []string{"-public-url", "app.example"}, code: 1, says: "PublicURL"},
		"a public URL of another scheme": {args: []string{"-public-url", "ftp://app.example"}, code: 1, says: "PublicURL"},
		"a public URL with a query":      {args: []string{"-public-url", "https://app.example/?x"}, code: 1, says: "PublicURL"},
		"a public URL with a password":   {args: []string{"-public-url", "https://u:SECRET@app.example"}, code: 1, says: "PublicURL"},
		"a public URL with dots":         {args: []string{"-public-url", "https://app.example/a/../b"}, code: 1, says: "PublicURL"},
		"an http public URL":             {args: []string{"-public-url", "http://app.example"}, code: 1, says: "InsecureHTTP"},
		"an unknown database":            {args: []string{"-db", "oracle://u:SECRET@h/x"}, code: 2, says: "sqlite:PATH"},
		"a path for a database":          {args: []string{"-db", "SECRET.db"}, code: 2, says: "sqlite:PATH"},
		"an empty database":              {args: []string{"-db="}, code: 2, says: "sqlite:PATH"},
		"a database without a file":      {args: []string{"-db", "sqlite:"}, code: 2, says: "sqlite:PATH"},
		"a database in memory":           {args: []string{"-db", "sqlite::memory:"}, code: 2, says: "a file"},
		"two slashes before the path":    {args: []string{"-db", "sqlite://quickstart.db"}, code: 2, says: "no slashes"},
		"PostgreSQL that isn't there":    {args: []string{"-db", "postgres://u:SECRET@127.0.0.1:1/x"}, code: 1, says: "connection refused"},
		"MySQL that isn't there":         {args: []string{"-db", "mysql://u:SECRET@127.0.0.1:1/x"}, code: 1, says: "connection refused"},
		"a server without a database":    {args: []string{"-db", "mysql://u:SECRET@127.0.0.1:1"}, code: 2, says: "mysql://USER@HOST/DATABASE"},
		"a database without its backend": {args: []string{"-auth", "token", "-db", "sqlite:x.db"}, code: 2, says: "-auth user"},
		"a folder that isn't there":      {args: []string{"-db", "sqlite:/nowhere/x.db"}, code: 1, says: "no such file or directory"},
		"a folder that can't be written": {args: []string{"-db", "sqlite:/sys/x.db"}, code: 1, says: "-db: "}, // not even by root
		"a folder instead of a file":     {args: []string{"-db", "sqlite:/"}, code: 1, says: "-db: "},
		"a file that is no database":     {args: []string{"-db", "sqlite:" + noDatabase}, code: 1, says: "not a database"},
		"a database of a newer program":  {args: []string{"-db", "sqlite:" + newerDatabase(t)}, code: 1, says: "use a newer program"},
		"a short admin password":         {env: []string{"AUTH_ADMIN_PASSWORD=SECRET"}, code: 1, says: "AUTH_ADMIN_PASSWORD must be"},
		"a common admin password":        {env: []string{"AUTH_ADMIN_PASSWORD=quickstartquickstart"}, code: 1, says: "AUTH_ADMIN_PASSWORD"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := tc.args
			if !strings.Contains(strings.Join(args, " "), "-addr") {
				args = append([]string{"-addr", "127.0.0.1:0"}, args...)
			}
			code, stdout, stderr := runToEnd(t, tc.env, args...)
			if code != tc.code || !strings.Contains(stderr, tc.says) {
				t.Errorf("got exit code %d, %q; want %d and %q", code, stderr, tc.code, tc.says)
			}
			if stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, "\n") || !strings.HasPrefix(stderr, "quickstart: ") {
				t.Errorf("stdout %q, stderr %q: want one line on stderr", stdout, stderr)
			}
			if strings.Contains(stderr, "SECRET") {
				t.Errorf("a secret is repeated: %s", stderr)
			}
		})
	}
	t.Run("-h lists the flags", func(t *testing.T) {
		t.Parallel()
		code, stdout, stderr := runToEnd(t, nil, "-h")
		if code != 0 || stderr != "" {
			t.Errorf("got exit code %d, stderr %q", code, stderr)
		}
		for _, name := range []string{"-addr", "-auth", "-db", "-token", "-public-url", "-insecure-http", "-issuer", "-client-id", "-client-secret", "-audience"} {
			if !strings.Contains(stdout, "  "+name) {
				t.Errorf("no %s in\n%s", name, stdout)
			}
		}
	})
}

// newerDatabase is one that a program of another day has used.
func newerDatabase(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "newer.db")
	db, _ := openAccounts(t, path)
	if _, err := db.ExecContext(t.Context(), "INSERT INTO auth_schema_migrations (version, name, applied_at) VALUES (9999, '9999_x', 0)"); err != nil {
		t.Fatal(err)
	}
	return path
}

// Each request is refused as the table says, in words that name what is wrong, and changes nothing. The same request
// without its mistake is TestToken's.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	p := start(t, "-auth", "token", "-token", sharedToken)
	p.put("demo", "before")
	cookies := p.logIn(sharedToken)
	const contents = "/api/contents/demo"
	huge := `{"text":"` + strings.Repeat("x", 1<<20) + `"}`
	type row struct {
		method, path, body string
		contentType        string // application/json; "-" for none
		status             int
		says               string
	}
	rows := map[string]row{
		"no body":                      {"PUT", contents, "", "", 400, "JSON object"},
		"no object":                    {"PUT", contents, `["text"]`, "", 400, "JSON object"},
		"null":                         {"PUT", contents, `null`, "", 400, "JSON object"},
		"a string":                     {"PUT", contents, `"text"`, "", 400, "JSON object"},
		"broken JSON":                  {"PUT", contents, `{"text":"x"`, "", 400, "JSON"},
		"two objects":                  {"PUT", contents, `{"text":"x"}{"text":"y"}`, "", 400, "follows"},
		"no text":                      {"PUT", contents, `{}`, "", 400, `field \"text\"`},
		"a text that is null":          {"PUT", contents, `{"text":null}`, "", 400, `field \"text\"`},
		"a text that is a number":      {"PUT", contents, `{"text":1}`, "", 400, `field \"text\"`},
		"a text that is a list":        {"PUT", contents, `{"text":["x"]}`, "", 400, `field \"text\"`},
		"an unknown field":             {"PUT", contents, `{"text":"x","name":"other"}`, "", 400, `field \"name\"`},
		"a field in another case":      {"PUT", contents, `{"Text":"x"}`, "", 400, `field \"Text\"`},
		"a field that only looks like": {"PUT", contents, `{"tеxt":"x"}`, "", 400, "unknown"},
		"a field twice":                {"PUT", contents, `{"text":"x","text":"y"}`, "", 400, "twice"},
		"invalid UTF-8":                {"PUT", contents, "{\"text\":\"\xff\"}", "", 400, "UTF-8"},
		"UTF-16":                       {"PUT", contents, "\xfe\xff\x00{", "", 400, "UTF-8"},
		"a body that is too large":     {"PUT", contents, huge, "", 413, "too large"},
		"a text that is too long":      {"PUT", contents, `{"text":"` + strings.Repeat("x", 64<<10+1) + `"}`, "", 413, "too long"},
		"a form":                       {"PUT", contents, `text=x`, "application/x-www-form-urlencoded", 415, "application/json"},
		"a text":                       {"PUT", contents, `{"text":"x"}`, "text/plain", 415, "application/json"},
		"no content type":              {"PUT", contents, `{"text":"x"}`, "-", 415, "application/json"},
		"another character set":        {"PUT", contents, `{"text":"x"}`, "application/json; charset=latin1", 415, "application/json"},
		"a broken content type":        {"PUT", contents, `{"text":"x"}`, "application/json; charset", 415, "application/json"},
		"an unknown note":              {"GET", "/api/contents/nothing", "", "", 404, "no such note"},
		"an unknown note, to delete":   {"DELETE", "/api/contents/nothing", "", "", 404, "no such note"},
		"no name":                      {"GET", "/api/contents/", "", "", 404, "nothing"},
		"a path in a path":             {"GET", "/api/contents/a/b", "", "", 404, "nothing"},
		"a second slash":               {"GET", "/api//contents/demo", "", "", 404, "nothing"},
		"an unknown page":              {"GET", "/nothing", "", "", 404, "nothing"},
		"an unknown file":              {"GET", "/static/nothing.js", "", "", 404, "nothing"},
		"a file that is none":          {"GET", "/static/..%2fnotebook.go", "", "", 404, "nothing"},
		"a file that isn't served":     {"GET", "/static/index.html", "", "", 404, "nothing"},
		"an unknown page of auth's":    {"GET", "/auth/nothing", "", "", 404, "nothing"},
		"a socket without a handshake": {"GET", "/api/room/demo", "", "", 426, "WebSocket"},
		"me, with a wrong query":       {"GET", "/api/me?permissions=nonsense", "", "", 400, "permissions"},
		"me, with an unknown field":    {"PATCH", "/api/me", `{"username":"root"}`, "", 400, "username"},
		"me, with an avatar that runs": {"PATCH", "/api/me", `{"avatar_url":"javascript:alert(1)"}`, "", 400, "avatar_url"},
	}
	for name, path := range map[string]string{"contents": "/api/contents/", "the stream": "/api/stream/"} {
		for what, bad := range map[string]string{
			"an encoded slash": "a%2fb", "an encoded backslash": "a%5cb", "a NUL": "a%00b", "a line end": "a%0ab", "dots": "%2e%2e", "one dot": ".",
			"invalid UTF-8": "%ff", "a name that is too long": strings.Repeat("n", 65), "a zero-width space": "a%e2%80%8bb", "an override": "%e2%80%aeb",
			"a blank alone": "%20", "a blank at its end": "a%20",
		} {
			rows[name+" of a name with "+what] = row{"GET", path + bad, "", "", 400, "name"}
		}
		rows["a PUT with a bad name to "+name] = row{"PUT", path + "a%2fb", `{"text":"x"}`, "", map[bool]int{true: 400, false: 405}[name == "contents"], "a"}
	}
	for path, methods := range map[string]string{
		"/":                "POST PUT PATCH DELETE OPTIONS TRACE",
		"/healthz":         "POST PUT DELETE",
		"/static/icon.svg": "POST DELETE",
		contents:           "POST PATCH OPTIONS PROPFIND",
		"/api/stream/demo": "POST PUT DELETE",
		"/api/room/demo":   "POST PUT DELETE",
		"/api/me":          "POST PUT DELETE OPTIONS",
		"/auth/login":      "PUT DELETE PATCH",
		"/auth/logout":     "GET PUT DELETE",
	} {
		for method := range strings.FieldsSeq(methods) {
			rows[method+" "+path] = row{method, path, "", "", 405, ""}
		}
	}
	// As an API client, whose credential is explicit, and as a browser of the same origin.
	browser := append([]string{"Origin: " + p.base, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors"}, cookies...)
	for caller, credentials := range map[string][]string{"token": {bearer}, "cookie": browser} {
		for name, r := range rows {
			t.Run(caller+": "+name, func(t *testing.T) {
				headers := append([]string{}, credentials...)
				switch r.contentType {
				case "-":
				case "":
					headers = append(headers, sendsJSON)
				default:
					headers = append(headers, "Content-Type: "+r.contentType)
				}
				a := p.do(request{method: r.method, path: r.path, body: r.body, headers: headers})
				if a.status != r.status || !strings.Contains(a.body, r.says) {
					t.Errorf("got %d %.200s, want %d and %q", a.status, a.body, r.status, r.says)
				}
				if a.status == 405 && a.header.Get("Allow") == "" {
					t.Errorf("405 without Allow")
				}
				if !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") || !strings.Contains(a.body, `"error":`) || !strings.Contains(a.body, `"code":`) {
					t.Errorf("not told as JSON: %v %.200s", a.header, a.body)
				}
				if now := p.do(request{path: contents, headers: []string{bearer}}); strings.TrimSpace(now.body) != `{"name":"demo","text":"before"}` {
					t.Fatalf("the note is now %d %s", now.status, now.body)
				}
			})
		}
	}
}

// A stranger learns nothing from bad input that a good request wouldn't tell: 401 comes first.
func TestBadRequestsOfStrangers(t *testing.T) {
	t.Parallel()
	p := start(t, "-auth", "token", "-token", sharedToken)
	p.put("demo", "before")
	for _, r := range []request{
		{method: "PUT", path: "/api/contents/demo", body: `{"text":"x"}`, headers: []string{sendsJSON}},
		{method: "PUT", path: "/api/contents/demo", body: `nonsense`},
		{method: "PUT", path: "/api/contents/a%2fb", body: `{"text":"x"}`, headers: []string{sendsJSON}},
		{method: "GET", path: "/api/contents/demo"},
		{method: "GET", path: "/api/contents/nothing"},
		{method: "GET", path: "/api/stream/demo"},
		{method: "DELETE", path: "/api/contents/demo"},
		{method: "GET", path: "/api/me?permissions=nonsense"},
		{method: "PATCH", path: "/api/me", body: `nonsense`},
		{method: "GET", path: "/api/room/demo"},
	} {
		if a := p.do(r); a.status != 401 || !strings.Contains(a.body, `"code":"unauthorized"`) {
			t.Errorf("%s %s: got %d %s, want 401", r.method, r.path, a.status, a.body)
		}
	}
	if a := p.do(request{path: "/api/contents/demo", headers: []string{bearer}}); !strings.Contains(a.body, "before") {
		t.Errorf("the note is now %s", a.body)
	}
}

// A page of another origin can send what its visitor's browser attaches: everything that changes something is refused.
func TestForeignPagesChangeNothing(t *testing.T) {
	t.Parallel()
	p := start(t, "-auth", "token", "-token", sharedToken)
	p.put("demo", "before")
	cookies := p.logIn(sharedToken)
	own := append([]string{"Origin: " + p.base, "Sec-Fetch-Site: same-origin", sendsJSON}, cookies...)
	foreign := append([]string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site", sendsJSON}, cookies...)
	for _, r := range []request{
		{method: "PUT", path: "/api/contents/demo", body: `{"text":"before"}`},
		{method: "PATCH", path: "/api/me", body: `{"display_name":"Me"}`},
	} {
		r.headers = own
		if a := p.do(r); a.status != 200 {
			t.Errorf("%s %s of our own: got %d %s", r.method, r.path, a.status, a.body)
		}
		r.headers, r.body = foreign, strings.NewReplacer("before", "after", "Me", "Evil").Replace(r.body)
		if a := p.do(r); a.status != 403 {
			t.Errorf("%s %s of a foreign page: got %d %s", r.method, r.path, a.status, a.body)
		}
	}
	if a := p.do(request{method: "DELETE", path: "/api/contents/demo", headers: foreign}); a.status != 403 {
		t.Errorf("DELETE: got %d", a.status)
	}
	_, resp, err := websocket.Dial(t.Context(), p.base+"/api/room/demo", &websocket.DialOptions{HTTPHeader: map[string][]string{
		"Origin": {"https://evil.example"}, "Cookie": {strings.TrimPrefix(cookies[0], "Cookie: ")},
	}})
	if err == nil || resp == nil || resp.StatusCode != 403 {
		t.Errorf("handshake: %v %v, want 403 before the upgrade", err, resp)
	}
	if a := p.do(request{path: "/api/contents/demo", headers: []string{bearer}}); !strings.Contains(a.body, "before") {
		t.Errorf("the note is now %s", a.body)
	}
	if me := p.identity(cookies...); me["display_name"] != "Me" {
		t.Errorf("the name is now %v", me["display_name"])
	}
}

func TestBadMessages(t *testing.T) {
	t.Parallel()
	p := start(t, "-auth", "token", "-token", sharedToken)
	p.put("demo", "before")
	for name, tc := range map[string]struct {
		kind websocket.MessageType
		text string
		code websocket.StatusCode
	}{
		"binary":                    {websocket.MessageBinary, `{"type":"edit","text":"x"}`, websocket.StatusUnsupportedData},
		"no JSON":                   {websocket.MessageText, `hello`, websocket.StatusInvalidFramePayloadData},
		"empty":                     {websocket.MessageText, ``, websocket.StatusInvalidFramePayloadData},
		"a list":                    {websocket.MessageText, `["edit"]`, websocket.StatusInvalidFramePayloadData},
		"an unknown type":           {websocket.MessageText, `{"type":"erase","text":"x"}`, websocket.StatusInvalidFramePayloadData},
		"a type in another case":    {websocket.MessageText, `{"type":"EDIT","text":"x"}`, websocket.StatusInvalidFramePayloadData},
		"no type":                   {websocket.MessageText, `{"text":"x"}`, websocket.StatusInvalidFramePayloadData},
		"no text":                   {websocket.MessageText, `{"type":"edit"}`, websocket.StatusInvalidFramePayloadData},
		"a text that is null":       {websocket.MessageText, `{"type":"edit","text":null}`, websocket.StatusInvalidFramePayloadData},
		"an unknown field":          {websocket.MessageText, `{"type":"edit","text":"x","user":{}}`, websocket.StatusInvalidFramePayloadData},
		"a field twice":             {websocket.MessageText, `{"type":"edit","text":"x","text":"y"}`, websocket.StatusInvalidFramePayloadData},
		"invalid UTF-8":             {websocket.MessageText, "{\"type\":\"edit\",\"text\":\"\xff\"}", websocket.StatusInvalidFramePayloadData},
		"a text that is too long":   {websocket.MessageText, `{"type":"edit","text":"` + strings.Repeat("x", 64<<10+1) + `"}`, websocket.StatusMessageTooBig},
		"a message that is too big": {websocket.MessageText, `{"type":"edit","text":"` + strings.Repeat("x", 1<<20) + `"}`, websocket.StatusMessageTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			watcher, conn := p.dial("/api/room/demo", bearer), p.dial("/api/room/demo", bearer)
			p.receive(watcher)
			p.receive(conn)
			_ = conn.Write(t.Context(), tc.kind, []byte(tc.text)) // the server may be gone before all is written
			if code := p.closeCode(conn); code != tc.code {
				t.Errorf("got %d, want %d", code, tc.code)
			}
			m := p.receive(p.dial("/api/room/demo", bearer))
			if m.Text == nil || *m.Text != "before" {
				t.Errorf("the note is now %v", m.Text)
			}
			// The other socket is as before: it opens no hole for one to end all.
			if err := watcher.Ping(watcher.CloseRead(t.Context())); err != nil {
				t.Errorf("the other socket: %v", err)
			}
		})
	}
}

// JV18 with the token backend: the application and its login page live below the path of the public URL, in the spelling
// that browsers use, and nowhere else.
func TestTheMountPoint(t *testing.T) {
	t.Parallel()
	for base, other := range map[string]string{"/foo": "/bar", "/a%40b": "/a@b", "/user/ann": "/user"} {
		t.Run(base, func(t *testing.T) {
			t.Parallel()
			p := start(t, "-auth", "token", "-token", sharedToken, "-public-url", "http://localhost:8888"+base+"/")
			if p.first != "http://localhost:8888"+base+"/" {
				t.Errorf("first line %q", p.first)
			}
			p.base = "http://" + listenAddress(p)
			host := "Host: localhost:8888"
			navigate := append([]string{host}, navigation...)
			for path, want := range map[string]string{
				"/auth/login": "404", other + "/auth/login": "404", base + "x/auth/login": "404", "/": "404", "/healthz": "404", base + "//healthz": "404",
				base + "/auth/login": "200", base + "/healthz": "200", base + "/static/style.css": "200",
				base + "/": "303", base: "303",
			} {
				if a := p.do(request{path: path, headers: navigate}); fmt.Sprint(a.status) != want {
					t.Errorf("GET %s: got %d %v, want %s", path, a.status, a.header, want)
				}
			}
			a := p.do(request{path: base + "/", headers: navigate})
			if where := a.header.Get("Location"); !strings.HasPrefix(where, base+"/auth/login?next=") {
				t.Errorf("Location %q", where)
			}
			a = p.do(request{path: base + "/auth/login", headers: navigate})
			if !strings.Contains(a.body, `action="`+base+`/auth/login"`) {
				t.Errorf("the form goes elsewhere: %s", a.body)
			}
			a = p.do(request{path: base + "/?token=" + sharedToken, headers: navigate})
			if a.status != 303 || a.header.Get("Location") != base+"/" {
				t.Fatalf("got %d %v", a.status, a.header)
			}
			a = p.do(request{path: base + "/", headers: append(a.cookies(), navigate...)})
			for _, part := range []string{`data-base="` + base + `"`, `href="` + base + `/static/style.css"`, `action="` + base + `/auth/logout"`} {
				if !strings.Contains(a.body, part) {
					t.Errorf("no %s in the page: %s", part, a.body)
				}
			}
		})
	}
}

// listenAddress finds out where a program listens whose first line names its public URL.
func listenAddress(p *program) string {
	p.t.Helper()
	return p.awaitOutput(&p.stderr, `msg=listening addr=(\S+)`)[1]
}
