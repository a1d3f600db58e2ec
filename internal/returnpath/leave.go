package returnpath

import (
	"net/http"
	"net/url"
)

// Leave answers with 303 See Other and target, another site's page, as the Location; the caller must not have written
// anything. It is for addresses from the configuration and from whom the configuration names, never for one that a visitor
// had a say in. As of [Redirect] the page that it came from is no referrer. Anything but an absolute http or https URL
// becomes "/".
func Leave(w http.ResponseWriter, target string) { redirect(w, elsewhere(target)) }

// LeaveByPage has the page that is about to be written go on to target at once, and gives the target for a link on it. It is
// Leave for the answer to a form: browsers hold the page's form-action policy against a redirect to another site, and any
// that follows there.
func LeaveByPage(w http.ResponseWriter, target string) string {
	target = elsewhere(target)
	w.Header().Set("Refresh", "0; url="+target)
	return target
}

func elsewhere(target string) string {
	u, err := url.Parse(target) // it refuses control characters
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return "/" // fail closed, as Redirect
	}
	return target
}
