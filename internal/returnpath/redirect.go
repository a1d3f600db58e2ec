package returnpath

import "net/http"

// Redirect answers with 303 See Other and target, byte for byte, as the Location; the caller must not have written
// anything. 303 makes the browser fetch the target with GET and never send a password on (RFC 9700, section 4.12).
// The answer is not to be stored, and the page that it came from, whose address may have carried a secret, is no
// referrer.
//
// The target is a path of this origin, checked by the caller with [Mount.Safe] when a visitor had a say in it. As the
// last line of defence anything else, an absolute URL included, becomes "/".
func Redirect(w http.ResponseWriter, target string) {
	if !sameOrigin(target) {
		target = "/" // fail closed: a mistake upstream costs a return path, and sends nobody to another site
	}
	redirect(w, target)
}

func redirect(w http.ResponseWriter, target string) {
	h := w.Header()
	// Not http.Redirect: that cleans the path, which turns "/./\host", a path to browsers, into "/\host", a host.
	h.Set("Location", target)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusSeeOther)
}
