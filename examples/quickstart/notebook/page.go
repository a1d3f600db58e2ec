package notebook

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/ostiary/auth"
)

//go:embed page
var files embed.FS

var pageTemplate = template.Must(template.ParseFS(files, "page/index.html"))

// policy lets the page load what this server sends and nothing else. A name or a text that became markup after all could
// neither run nor load anything, nor send a form elsewhere.
func (n *notebook) policy() string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"form-action " + strings.Join(append([]string{"'self'"}, n.SignOut...), " ") + "; base-uri 'none'; frame-ancestors 'none'"
}

func (n *notebook) page(w http.ResponseWriter, r *http.Request) {
	user, ok := currentUser(w, r)
	if !ok {
		return
	}
	data := struct{ Base, Login, Logout, Account, Username, DisplayName string }{
		Base: n.Base, Login: auth.LoginURL(r.Context()), Logout: auth.LogoutURL(r.Context()),
		Username: user.Username, DisplayName: user.DisplayName,
	}
	if n.Account != "" {
		data.Account = n.Base + n.Account
	}
	var body bytes.Buffer
	if err := pageTemplate.Execute(&body, data); err != nil {
		fail(w, http.StatusInternalServerError, "internal_error", "The page can't be shown.")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", n.policy())
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin") // not no-referrer: browsers would send the log out form with Origin null
	h.Set("X-Content-Type-Options", "nosniff")
	w.Write(body.Bytes())
}

// static are the files that the page loads. They are the same for everybody, so no guard stands before them.
var static = map[string]string{
	"notebook.js": "text/javascript; charset=utf-8",
	"style.css":   "text/css; charset=utf-8",
	"icon.svg":    "image/svg+xml",
}

func serveStatic(w http.ResponseWriter, r *http.Request) {
	name := chi.URLParam(r, "file")
	contentType, ok := static[name]
	if !ok {
		fail(w, http.StatusNotFound, "not_found", "There is nothing at this address.")
		return
	}
	data, err := files.ReadFile(path.Join("page", name))
	if err != nil {
		fail(w, http.StatusInternalServerError, "internal_error", "The file can't be read.")
		return
	}
	sum := sha256.Sum256(data)
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-cache") // kept, and asked about before each use
	h.Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}
