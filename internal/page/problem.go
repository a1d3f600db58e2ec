package page

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Problem is an answer that is no success.
type Problem struct {
	// Status is the HTTP status, 400 to 599. Any other is answered as 500.
	Status int
	// Code names the problem for programs, in snake_case; by default a word for the status, such as "forbidden".
	Code string
	// Title is the page's heading, by default a few words for the status. It isn't in JSON.
	Title string
	// Message tells people what is wrong, by default a sentence for the status. It is shown as it is: the text of an
	// internal error doesn't belong here.
	Message string
	// LoginURL is offered as a link on the page (not in JSON); empty: none.
	LoginURL string
	// LogoutURL is what a button on the page posts to, a path of this origin, and User who is told to be signed in beside it;
	// neither is in JSON; it may lead on to another site. Empty: no button.
	LogoutURL, User string
}

// texts hold what is said where the caller says nothing. They name no permission, role or backend, since whoever is
// refused may be probing for these.
var texts = map[int]struct{ code, title, message string }{
	http.StatusBadRequest:            {"bad_request", "Bad request", "The request could not be understood."},
	http.StatusUnauthorized:          {"unauthorized", "Sign in required", "You need to sign in to continue."},
	http.StatusForbidden:             {"forbidden", "Access denied", "You are not allowed to do this."},
	http.StatusNotFound:              {"not_found", "Not found", "There is nothing at this address."},
	http.StatusMethodNotAllowed:      {"method_not_allowed", "Method not allowed", "This address can't be used in that way."},
	http.StatusConflict:              {"conflict", "Conflict", "Something has changed in the meantime. Reload and try again."},
	http.StatusRequestEntityTooLarge: {"too_large", "Too large", "What was sent is too large."},
	http.StatusUnsupportedMediaType:  {"unsupported_media_type", "Unsupported content type", "What was sent has a content type that is not supported here."},
	http.StatusUpgradeRequired:       {"upgrade_required", "Upgrade required", "This address takes WebSocket connections only."},
	http.StatusTooManyRequests:       {"too_many_requests", "Too many attempts", "Too many attempts. Wait a moment and try again."},
	http.StatusInternalServerError:   {"internal_error", "Something went wrong", "The server could not complete the request."},
	http.StatusNotImplemented:        {"not_implemented", "Not available", "This is not available here."},
	http.StatusServiceUnavailable:    {"unavailable", "Temporarily unavailable", "The service can't answer right now. Try again in a moment."},
}

// complete fills in what p leaves empty.
func (p *Problem) complete() {
	if p.Status < 400 || p.Status > 599 {
		// Fail closed: a forgotten status must not turn a denial into a success.
		p.Status = http.StatusInternalServerError
	}
	text, ok := texts[p.Status]
	if !ok {
		text.title = http.StatusText(p.Status)
		if text.title == "" {
			text.title = "Error"
		}
		text.code = strings.ToLower(strings.ReplaceAll(text.title, " ", "_"))
		text.message = text.title + "."
	}
	if p.Code == "" {
		p.Code = text.code
	}
	if p.Message == "" {
		p.Message = text.message
	}
	if p.Title == "" {
		p.Title = text.title
	}
}

func (p Problem) json() []byte {
	body, err := json.Marshal(struct {
		Error string `json:"error"`
		Code  string `json:"code"`
	}{p.Message, p.Code})
	if err != nil {
		panic(err) // unreachable: two strings can always be encoded
	}
	return append(body, '\n')
}

// WriteProblem answers with p, under [Headers]: as a small page where [WantsHTML], else as {"error":…,"code":…}; a HEAD
// request gets the headers only. Headers that belong to the status (WWW-Authenticate, Allow, Retry-After) are the
// caller's to set first.
func WriteProblem(w http.ResponseWriter, r *http.Request, p Problem) {
	p.complete()
	if WantsHTML(r) {
		writePage(w, r, p.Status, "problem.html", p, p.LogoutURL != "")
		return
	}
	Headers(w.Header())
	write(w, r, p.Status, jsonType, p.json())
}
