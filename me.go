package auth

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/ostiary/auth/internal/page"
	"github.com/ostiary/auth/internal/strictjson"
)

const (
	maxProfileBody      = 64 << 10
	maxPermissionsQuery = 16 << 10
)

// updatableFields are those that a client may change at /api/me, in the order in which Jupyter's clients list them.
var updatableFields = []string{"name", "display_name", "initials", "avatar_url", "color"}

// Me serves the caller's own identity as Jupyter's clients expect it at /api/me, guarded by a.
//
// GET answers {"identity": {six keys}, "permissions": {…}}. A query permissions={"contents":["read","write"]} asks which
// of those actions are held; permissions also lists updatable_fields where a PATCH would work. Other parameters, such as
// a cache-busting number, are ignored.
//
// PATCH takes some of name, display_name, initials, avatar_url and color as one JSON object under application/json or
// text/plain, and answers {"status": "success", "identity": {…}}. Absent and null mean unchanged. It is 501 where the
// caller's backend keeps no profiles.
func Me(a Auth) http.Handler {
	return a.CurrentUser(nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			getMe(w, r)
		case http.MethodPatch:
			patchMe(a, w, r)
		default:
			w.Header().Set("Allow", "GET, HEAD, PATCH")
			problem(w, r, http.StatusMethodNotAllowed, "")
		}
	}))
}

func getMe(w http.ResponseWriter, r *http.Request) {
	user, ok := UserFrom(r.Context())
	if !ok { // the session ended just now
		problem(w, r, http.StatusUnauthorized, "")
		return
	}
	asked, err := askedPermissions(r)
	if err != nil {
		problem(w, r, http.StatusBadRequest, "permissions: "+err.Error())
		return
	}
	permissions := make(map[string][]string, len(asked)+1)
	for resource, actions := range asked {
		held := []string{}
		for _, action := range actions {
			ok, err := Can(r.Context(), resource, action)
			if err != nil {
				writeMeError(w, r, err)
				return
			}
			if ok {
				held = append(held, action)
			}
		}
		permissions[resource] = held
	}
	if boxFrom(r.Context()).member.profiles != nil {
		permissions["updatable_fields"] = updatableFields
	}
	page.WriteJSON(w, http.StatusOK, map[string]any{"identity": user.Jupyter(), "permissions": permissions})
}

func askedPermissions(r *http.Request) (map[string][]string, error) {
	values := r.URL.Query()["permissions"]
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return nil, nil
	}
	if len(values) > 1 {
		return nil, errors.New("given more than once")
	}
	if len(values[0]) > maxPermissionsQuery {
		return nil, errors.New("too long")
	}
	var asked, all map[string][]string
	if err := strictjson.Decode([]byte(values[0]), &asked); err != nil {
		return nil, err
	}
	// strictjson leaves out what is null, as in a PATCH. Here it would be a question without an answer.
	if err := json.Unmarshal([]byte(values[0]), &all); err != nil || len(all) != len(asked) {
		return nil, errors.New("want an object of lists of strings")
	}
	return asked, nil
}

func patchMe(a Auth, w http.ResponseWriter, r *http.Request) {
	if boxFrom(r.Context()).member.profiles == nil {
		problem(w, r, http.StatusNotImplemented, "")
		return
	}
	var body struct {
		Name        *string `json:"name"`
		DisplayName *string `json:"display_name"`
		Initials    *string `json:"initials"`
		AvatarURL   *string `json:"avatar_url"`
		Color       *string `json:"color"`
	}
	if status, err := strictjson.Read(w, r, maxProfileBody, &body, "application/json", "text/plain"); err != nil {
		problem(w, r, status, err.Error())
		return
	}
	user, err := a.UpdateUser(r.Context(), UserUpdate{
		Name: body.Name, DisplayName: body.DisplayName, Initials: body.Initials, AvatarURL: body.AvatarURL, Color: body.Color,
	})
	if err != nil {
		writeMeError(w, r, err)
		return
	}
	page.WriteJSON(w, http.StatusOK, map[string]any{"status": "success", "identity": user.Jupyter()})
}

func writeMeError(w http.ResponseWriter, r *http.Request, err error) {
	var field *FieldError
	switch {
	case errors.As(err, &field):
		problem(w, r, http.StatusBadRequest, field.Error())
	case errors.Is(err, errors.ErrUnsupported):
		problem(w, r, http.StatusNotImplemented, "")
	case errors.Is(err, ErrForbidden):
		problem(w, r, http.StatusForbidden, "")
	case errors.Is(err, ErrSessionEnded):
		problem(w, r, http.StatusUnauthorized, "")
	case errors.Is(err, ErrNoGuard):
		problem(w, r, http.StatusInternalServerError, "")
	default:
		problem(w, r, http.StatusServiceUnavailable, "")
	}
}

func problem(w http.ResponseWriter, r *http.Request, status int, message string) {
	page.WriteProblem(w, r, page.Problem{Status: status, Message: message})
}
