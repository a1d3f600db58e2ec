// Package page writes everything that the library answers by itself: the login form, the pages of an account, problems
// as a small page or as JSON, and plain JSON. The pages work without JavaScript and load nothing, so their policy can
// forbid everything but the one stylesheet that they carry.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
)

//go:embed *.html style.css
var files embed.FS

var style = func() string {
	css, err := files.ReadFile("style.css")
	if err != nil {
		panic(err) // unreachable: the file is embedded
	}
	return string(css)
}()

// templates escape by context (html/template), so that a caller passes user input as it is. The stylesheet alone is
// inserted as it stands: it is a constant, and a single changed byte would not match its hash in the policy.
var templates = template.Must(template.New("").
	Funcs(template.FuncMap{"style": func() template.CSS { return template.CSS(style) }}).
	ParseFS(files, "*.html"))

// policy is the Content-Security-Policy of all pages. Should a text escape its context after all, the hash leaves an
// injected script, style or image without effect, form-action keeps an injected form from sending a password
// elsewhere, base-uri the page's own form from being redirected, and frame-ancestors clicks from being stolen.
//
// Browsers apply form-action to every redirect after a submission too. Where a page's form signs out of a session that came
// from elsewhere, these lead to a provider that the page doesn't know: awayPolicy is without it.
var policy, awayPolicy = func() (string, string) {
	sum := sha256.Sum256([]byte(style))
	content := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; "
	const frame = "base-uri 'none'; frame-ancestors 'none'"
	return content + "form-action 'self'; " + frame, content + frame
}()

// Headers sets the headers of an answer that is a denial or may hold a secret, over any of the same name: nothing may
// store it, guess its type, frame it, or learn its address (which may hold a token) from a Referer.
func Headers(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

const htmlType = "text/html; charset=utf-8"

func writePage(w http.ResponseWriter, r *http.Request, status int, name string, data any, away bool) {
	body := render(name, data)
	Headers(w.Header())
	if away {
		w.Header().Set("Content-Security-Policy", awayPolicy)
	}
	write(w, r, status, htmlType, body)
}

// render makes the whole page before the status is sent, so that nobody gets half of one.
func render(name string, data any) []byte {
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, name, data); err != nil {
		panic(err) // unreachable: a buffer takes every write, and the tests execute every branch of the templates
	}
	return body.Bytes()
}

func write(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body) // an error means that the client is gone: nobody is left to be told
	}
}
