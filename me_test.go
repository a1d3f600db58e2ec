package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ostiary/auth"
)

func ptr[T any](v T) *T { return &v }

// meStore is a backend that keeps the profiles of another one's users in memory.
type meStore struct {
	auth.Backend
	err   error // of StoreProfile
	calls atomic.Int64
	mu    sync.Mutex
	users map[string]auth.User // by Identity.ID
	last  auth.Identity        // whose profile was written
}

func (s *meStore) Identify(r *http.Request) (*auth.Identity, error) {
	id, err := s.Backend.Identify(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if user, ok := s.users[id.ID]; ok {
		c := *id
		c.User = user
		return &c, nil
	}
	return id, nil
}

func (s *meStore) StoreProfile(_ context.Context, id auth.Identity, update auth.UserUpdate) (auth.User, error) {
	s.calls.Add(1)
	if s.err != nil {
		return auth.User{}, s.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == nil {
		s.users = map[string]auth.User{}
	}
	user, ok := s.users[id.ID]
	if !ok {
		user = id.User
	}
	s.last, s.users[id.ID] = id, update.Apply(user)
	return s.users[id.ID], nil
}

// meAnswer is what /api/me answers.
type meAnswer struct {
	Status      string              `json:"status"`
	Identity    map[string]any      `json:"identity"`
	Permissions map[string][]string `json:"permissions"`
	Error       string              `json:"error"`
	Code        string              `json:"code"`
}

// meAsk sends r to /api/me, wants the status, and reads the answer.
func meAsk(t testing.TB, h http.Handler, r *http.Request, want int) (a meAnswer) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != want {
		t.Errorf("%s %.100s: got %d, want %d; body %.200q", r.Method, r.URL, w.Code, want, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("%s %.100s: got body %.200q: %v", r.Method, r.URL, w.Body, err)
	}
	if want >= 400 && (a.Error == "" || a.Code == "" || a.Identity != nil) {
		t.Errorf("%s %.100s: got body %.200q, want an error and its code", r.Method, r.URL, w.Body)
	}
	return a
}

// meGet asks as alice, with what permissions= holds.
func meGet(permissions string) *http.Request {
	return guardRequest("GET", "/api/me?permissions="+url.QueryEscape(permissions), "Test-User", "alice")
}

func mePatch(body string, headers ...string) *http.Request {
	r := guardRequest("PATCH", "/api/me", append([]string{"Test-User", "alice", "Content-Type", "application/json"}, headers...)...)
	made := httptest.NewRequest("PATCH", "/api/me", strings.NewReader(body))
	r.Body, r.ContentLength = made.Body, made.ContentLength
	return r
}

// meUser gives /api/me of alice with a grant, over a store.
func meUser(t testing.TB, user auth.User, grant auth.Permissions) (*meStore, http.Handler) {
	t.Helper()
	user.Username = "alice"
	id := &auth.Identity{ID: "test:alice", User: user, Permissions: grant}
	store := &meStore{Backend: byHeader(map[string]*auth.Identity{"alice": id})}
	return store, auth.Me(guardNew(t, auth.Config{}, store))
}

func TestMeIdentity(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		id   *auth.Identity
		want map[string]any // nil: 500
	}{
		{"JS01 JS07 only a username", &auth.Identity{ID: "1", User: auth.User{Username: "str-name"}},
			map[string]any{"username": "str-name", "name": "str-name", "display_name": "str-name", "initials": nil, "avatar_url": nil, "color": nil}},
		{"JS02 a name", &auth.Identity{ID: "1", User: auth.User{Username: "user.username", Name: "user.name"}},
			map[string]any{"username": "user.username", "name": "user.name", "display_name": "user.name", "initials": nil, "avatar_url": nil, "color": nil}},
		{"JS74 all of it, and nothing besides", &auth.Identity{ID: "1", User: auth.User{Username: "u", Name: "n", DisplayName: "d", Initials: "i", AvatarURL: "/a.png", Color: "red", Workspace: "w", Settings: "s", Anonymous: true}},
			map[string]any{"username": "u", "name": "n", "display_name": "d", "initials": "i", "avatar_url": "/a.png", "color": "red"}},
		{"L-19 markup is data", &auth.Identity{ID: "1", User: auth.User{Username: `"><svg onload=alert(1)>`}},
			map[string]any{"username": `"><svg onload=alert(1)>`, "name": `"><svg onload=alert(1)>`, "display_name": `"><svg onload=alert(1)>`, "initials": nil, "avatar_url": nil, "color": nil}},
		{"JS04 no username", &auth.Identity{ID: "1", User: auth.User{Name: "user.name"}}, nil},
		{"JS04 no ID", &auth.Identity{User: auth.User{Username: "u"}}, nil},
		{"JS04 no identity", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := auth.Me(guardNew(t, auth.Config{}, &guardFixed{id: c.id}))
			if c.want == nil {
				meAsk(t, h, guardRequest("GET", "/api/me"), 500)
				return
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, guardRequest("GET", "/api/me"))
			var got map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
				t.Fatalf("got %d, %s", w.Code, w.Body)
			}
			if want := map[string]any{"identity": c.want, "permissions": map[string]any{}}; !reflect.DeepEqual(got, want) {
				t.Errorf("JS74 got %v, want %v", got, want)
			}
			if strings.Contains(w.Body.String(), "<svg") {
				t.Errorf("L-19 got body %s", w.Body)
			}
		})
	}
	t.Run("JV11 (root's half): anon", func(t *testing.T) {
		t.Parallel()
		_, h := meUser(t, auth.User{}, nil)
		meAsk(t, h, guardRequest("GET", "/api/me", "Test-User", "alice"), 200)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, guardRequest("GET", "/api/me"))
		if w.Code != 401 || w.Header().Get("Location") != "" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("got %d, %v", w.Code, w.Header())
		}
		wantDenialJSON(t, w.Result(), "unauthorized")
	})
	t.Run("a cache-busting query is ignored", func(t *testing.T) {
		t.Parallel()
		_, h := meUser(t, auth.User{}, nil)
		meAsk(t, h, guardRequest("GET", "/api/me?1700000000000", "Test-User", "alice"), 200)
		r := mePatch(`{"color":"red"}`)
		r.URL.RawQuery = "_=1700000000000"
		meAsk(t, h, r, 200)
	})
	t.Run("A-15 HEAD is as GET, without the body", func(t *testing.T) {
		t.Parallel()
		_, h := meUser(t, auth.User{}, nil)
		srv := httptest.NewServer(h)
		defer srv.Close()
		var headers []http.Header
		for _, method := range []string{"GET", "HEAD"} {
			r, _ := http.NewRequestWithContext(t.Context(), method, srv.URL+"/api/me", nil)
			r.Header.Set("Test-User", "alice")
			resp, err := srv.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body := guardBody(t, resp)
			resp.Body.Close()
			if resp.StatusCode != 200 || (body == "") != (method == "HEAD") {
				t.Errorf("%s: got %d, %q", method, resp.StatusCode, body)
			}
			resp.Header.Del("Date")
			headers = append(headers, resp.Header)
		}
		if !reflect.DeepEqual(headers[0], headers[1]) {
			t.Errorf("got headers %v of HEAD, want %v", headers[1], headers[0])
		}
	})
	t.Run("another method is 405", func(t *testing.T) {
		t.Parallel()
		store, h := meUser(t, auth.User{}, nil)
		for _, method := range []string{"PUT", "POST", "DELETE", "OPTIONS", "patch"} {
			r := mePatch(`{"color":"red"}`)
			r.Method = method
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD, PATCH" {
				t.Errorf("%s: got %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
			}
			r.Header.Del("Test-User")
			meAsk(t, h, r, 401)
		}
		if store.calls.Load() != 0 {
			t.Error("something was stored")
		}
	})
}

func TestMePermissions(t *testing.T) {
	t.Parallel()
	root := &auth.Identity{ID: "1", User: auth.User{Username: "root"}, Unrestricted: true}
	with := func(p auth.Permissions) *auth.Identity {
		return &auth.Identity{ID: "1", User: auth.User{Username: "u"}, Permissions: p}
	}
	type held = map[string][]string
	for _, c := range []struct {
		name  string
		id    *auth.Identity
		query string
		want  held // nil: 400
	}{
		{"JV16 (root's half): what is held", with(auth.Permissions{"admin": {"read"}, "foo": {"bar", "baz"}}), `{"admin":["read"],"foo":["bar","baz"]}`, held{"admin": {"read"}, "foo": {"bar", "baz"}}},
		{"JV16 (root's half): single quotes", with(auth.Permissions{"admin": {"read"}}), `{'admin':['read']}`, nil},
		{"JV17 (root's half): nothing asked", with(auth.Permissions{}), `{}`, held{}},
		{"JV49 (root's half): some held, in the order asked", with(auth.Permissions{"contents": {"read"}}), `{"contents":["read","write"],"kernels":["read"]}`, held{"contents": {"read"}, "kernels": {}}},
		{"the order asked counts, not the order held", with(auth.Permissions{"contents": {"a", "b"}}), `{"contents":["b","c","a"]}`, held{"contents": {"b", "a"}}},
		{"JS78 unrestricted", root, `{"contents":["write"]}`, held{"contents": {"write"}}},
		{"JS78 everything granted", with(auth.Permissions{"*": {"*"}}), `{"contents":["write"]}`, held{"contents": {"write"}}},
		{"JS81 (root's half): the empty text is as no query", with(auth.Permissions{"contents": {"read"}}), ``, held{}},
		{"a resource of no actions", with(nil), `{"contents":[]}`, held{"contents": {}}},
		{"names that nobody holds", with(auth.Permissions{"contents": {"read"}}), `{"":["read"],"contents":[""]}`, held{"": {}, "contents": {}}},
		{"JV52 (root's half): no JSON", with(nil), `nonsense`, nil},
		{"a list", with(nil), `["contents"]`, nil},
		{"null", with(nil), `null`, nil},
		{"null for a list", with(nil), `{"contents":null}`, nil},
		{"null in a list", with(nil), `{"contents":[null]}`, nil},
		{"a text for a list", with(nil), `{"contents":"read"}`, nil},
		{"a number in a list", with(nil), `{"contents":[1]}`, nil},
		{"a list in a list", with(nil), `{"contents":[["read"]]}`, nil},
		{"a resource twice", with(nil), `{"contents":["read"],"contents":["write"]}`, nil},
		{"something behind it", with(nil), `{} {}`, nil},
		{"no Unicode", with(nil), "{\"\xff\":[]}", nil},
		{"too long", with(nil), `{"contents":["` + strings.Repeat("x", 20<<10) + `"]}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := auth.Me(guardNew(t, auth.Config{}, &guardFixed{id: c.id}))
			if c.want == nil {
				if got := meAsk(t, h, meGet(c.query), 400); !strings.Contains(got.Error, "permissions") {
					t.Errorf("JV52 (root's half): got error %q, which doesn't name permissions", got.Error)
				}
				return
			}
			if got := meAsk(t, h, meGet(c.query), 200); !reflect.DeepEqual(got.Permissions, c.want) {
				t.Errorf("got %v, want %v", got.Permissions, c.want)
			}
		})
	}
	t.Run("given twice is 400", func(t *testing.T) {
		t.Parallel()
		h := auth.Me(guardNew(t, auth.Config{}, &guardFixed{id: root}))
		meAsk(t, h, guardRequest("GET", "/api/me?permissions={}&permissions={}"), 400)
	})
	t.Run("the roles' permissions and the Authorizer count", func(t *testing.T) {
		t.Parallel()
		id := with(nil)
		id.Roles = []string{"reader"}
		cfg := auth.Config{Roles: map[string]auth.Role{"reader": {Permissions: auth.Permissions{"contents": {"read"}}}}}
		want := held{"contents": {"read"}}
		if got := meAsk(t, auth.Me(guardNew(t, cfg, &guardFixed{id: id})), meGet(`{"contents":["read","write"]}`), 200); !reflect.DeepEqual(got.Permissions, want) {
			t.Errorf("got %v, want %v", got.Permissions, want)
		}
		cfg = auth.Config{Authorizer: auth.AllowAll{}}
		want = held{"contents": {"read", "write"}}
		if got := meAsk(t, auth.Me(guardNew(t, cfg, &guardFixed{id: id})), meGet(`{"contents":["read","write"]}`), 200); !reflect.DeepEqual(got.Permissions, want) {
			t.Errorf("got %v, want %v", got.Permissions, want)
		}
	})
	t.Run("an Authorizer that can't tell is 503, a session that ends meanwhile 401", func(t *testing.T) {
		t.Parallel()
		session, alice := newMemorySession(*guardPerson("alice", ""))
		end := func() error { return errors.New("down") }
		cfg := auth.Config{Authorizer: askedAuthorizer(func(context.Context, *auth.Identity, string, string) (bool, error) { return true, end() })}
		h := auth.Me(guardNew(t, cfg, byHeader(map[string]*auth.Identity{"alice": alice})))
		meAsk(t, h, meGet(`{"contents":["read","write"]}`), 503)
		end = func() error { session.End(auth.ErrSessionEnded); return nil }
		meAsk(t, h, meGet(`{"contents":["read","write"]}`), 401)
	})
	t.Run("a client's question stays cheap", func(t *testing.T) {
		t.Parallel()
		grant := auth.Permissions{}
		for i := range 1000 {
			grant[fmt.Sprintf("resource-%d", i)] = []string{"read"}
		}
		_, h := meUser(t, auth.User{}, grant)
		question := `{"` + strings.Repeat("x", 8<<10) + `":["a"` + strings.Repeat(`,"b"`, 2000) + `]}`
		meAsk(t, h, meGet(question), 200)
	})
}

// updatable_fields tells Jupyter's clients which fields a PATCH may change, and stands only where it would work.
func TestMeUpdatableFields(t *testing.T) {
	t.Parallel()
	_, h := meUser(t, auth.User{}, auth.Permissions{"contents": {"read"}})
	fields := []string{"name", "display_name", "initials", "avatar_url", "color"}
	got := meAsk(t, h, guardRequest("GET", "/api/me", "Test-User", "alice"), 200)
	if want := map[string][]string{"updatable_fields": fields}; !reflect.DeepEqual(got.Permissions, want) {
		t.Errorf("JS76 JS79 (root's half): got permissions %v, want %v", got.Permissions, want)
	}
	got = meAsk(t, h, meGet(`{"contents":["read"]}`), 200)
	if want := map[string][]string{"contents": {"read"}, "updatable_fields": fields}; !reflect.DeepEqual(got.Permissions, want) {
		t.Errorf("got permissions %v, want %v", got.Permissions, want)
	}
	t.Run("JS82 X-15 a backend that stores no profile", func(t *testing.T) {
		t.Parallel()
		a := guardNew(t, auth.Config{}, guardPeople())
		h := auth.Me(a)
		if got := meAsk(t, h, guardRequest("GET", "/api/me", "Test-User", "alice"), 200); len(got.Permissions) != 0 {
			t.Errorf("got permissions %v, want none", got.Permissions)
		}
		meAsk(t, h, mePatch(`{"color":"#000000"}`), 501)
		meAsk(t, h, mePatch(`nonsense`), 501)
		p := &guardProbe{do: func(_ http.ResponseWriter, r *http.Request) {
			if _, err := a.UpdateUser(r.Context(), auth.UserUpdate{Color: ptr("#000000")}); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("X-15 UpdateUser: got %v, want ErrUnsupported", err)
			}
		}}
		p.ask(t, a.CurrentUser(nil)(p), guardRequest("GET", "/x", "Test-User", "alice"), 200)
	})
}

func TestMePatch(t *testing.T) {
	t.Parallel()
	before := auth.User{Name: "Alice A.", Initials: "AA", AvatarURL: "/a.png", Workspace: "w", Settings: "s"}
	for _, c := range []struct {
		name, body, contentType string
		want                    map[string]any // what differs from before
	}{
		{"JS83 (root's half): one field", `{"color":"#000000"}`, "application/json", map[string]any{"color": "#000000"}},
		{"JS85 (root's half): all but avatar_url", `{"name":"N","display_name":"D","initials":"I","color":"C"}`, "application/json",
			map[string]any{"name": "N", "display_name": "D", "initials": "I", "color": "C"}},
		{"JS13 (root's half): none is swapped with another", `{"avatar_url":"https://example.com/a.png","color":"blue"}`, "application/json",
			map[string]any{"avatar_url": "https://example.com/a.png", "color": "blue"}},
		{"JS86 (root's half): nothing", `{}`, "application/json", nil},
		{"JS86 X-04 (root's half): null means unchanged", `{"name":null,"display_name":null,"initials":null,"avatar_url":null,"color":null}`, "application/json", nil},
		{"the empty text clears, and names fall back", `{"name":"","initials":""}`, "application/json", map[string]any{"name": "alice", "display_name": "alice", "initials": nil}},
		{"as Jupyter's clients send it", `{"color":"#000000"}`, "text/plain;charset=UTF-8", map[string]any{"color": "#000000"}},
		{"X-18 markup and control characters are kept as they are", `{"display_name":"<script>\u0007\u2028é"}`, "application/json", map[string]any{"display_name": "<script>\a\u2028é"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store, h := meUser(t, before, nil)
			want := map[string]any{"username": "alice", "name": "Alice A.", "display_name": "Alice A.", "initials": "AA", "avatar_url": "/a.png", "color": nil}
			for field, value := range c.want {
				want[field] = value
			}
			r := mePatch(c.body)
			r.Header.Set("Content-Type", c.contentType)
			got := meAsk(t, h, r, 200)
			if got.Status != "success" || got.Permissions != nil || !reflect.DeepEqual(got.Identity, want) {
				t.Errorf("got %+v, want success and identity %v", got, want)
			}
			if got := meAsk(t, h, guardRequest("GET", "/api/me", "Test-User", "alice"), 200); !reflect.DeepEqual(got.Identity, want) {
				t.Errorf("X-13 the next request sees %v, want %v", got.Identity, want)
			}
			if user, stored := store.users["test:alice"]; stored != (c.want != nil) || stored && (user.Workspace != "w" || user.Settings != "s") {
				t.Errorf("got %+v stored, want something changed: %t, and nothing but that", user, c.want != nil)
			}
		})
	}
}

// A display name that only falls back to the name isn't stored with another change: it follows the next name.
func TestFallbackNamesAreNotStored(t *testing.T) {
	t.Parallel()
	_, h := meUser(t, auth.User{}, nil)
	meAsk(t, h, mePatch(`{"color":"red"}`), 200)
	got := meAsk(t, h, mePatch(`{"name":"Alice A."}`), 200)
	if got.Identity["display_name"] != "Alice A." || got.Identity["color"] != "red" {
		t.Errorf("got %v, want the name for display", got.Identity)
	}
}

// TestMePatchRefused: what can't be taken is refused with the field's name, and changes nothing.
func TestMePatchRefused(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"name":`, 10001) + `1` + strings.Repeat(`}`, 10001)
	for _, c := range []struct {
		name, body string
		headers    []string // instead of the JSON content type
		want       int
		names      string // what the message holds
	}{
		{"JS86 (root's half): the username", `{"username":"root"}`, nil, 400, "username"},
		{"JV53 (root's half): permissions", `{"permissions":{"admin":["write"]}}`, nil, 400, "permissions"},
		{"X-01 roles", `{"roles":["admin"]}`, nil, 400, "roles"},
		{"X-01 is_admin", `{"is_admin":true}`, nil, 400, "is_admin"},
		{"X-01 id", `{"id":"test:bob"}`, nil, 400, "id"},
		{"X-01 password_hash", `{"password_hash":"x"}`, nil, 400, "password_hash"},
		{"X-01 disabled", `{"disabled":false}`, nil, 400, "disabled"},
		{"X-01 email_verified", `{"email_verified":true}`, nil, 400, "email_verified"},
		{"X-01 created_at", `{"created_at":0}`, nil, 400, "created_at"},
		{"X-01 provider", `{"provider":"x"}`, nil, 400, "provider"},
		{"X-01 sub", `{"sub":"x"}`, nil, 400, "sub"},
		{"X-01 unrestricted", `{"Unrestricted":true}`, nil, 400, "Unrestricted"},
		{"X-01 a forbidden field beside a good one", `{"color":"red","username":"root"}`, nil, 400, "username"},
		{"X-17 password", `{"password":"x"}`, nil, 400, "password"},
		{"workspace and settings aren't Jupyter's", `{"settings":"{}"}`, nil, 400, "settings"},
		{"X-02 another case", `{"Color":"red"}`, nil, 400, "Color"},
		{"X-02 all upper case", `{"PERMISSIONS":{}}`, nil, 400, "PERMISSIONS"},
		{"X-02 a long s", "{\"permi\u017f\u017fions\":{}}", nil, 400, "permi\u017f\u017fions"},
		{"X-02 a long s, escaped", `{"initial\u017f":"x"}`, nil, 400, "initial\u017f"},
		{"X-02 the Kelvin sign", `{"\u212aey":"x"}`, nil, 400, "\u212aey"},
		{"X-02 a name twice", `{"name":"a","name":"b"}`, nil, 400, "name"},
		{"X-02 nested", `{"user":{"permissions":{}}}`, nil, 400, "user"},
		{"X-03 somebody else's", `{"id":"victim","display_name":"x"}`, nil, 400, "id"},
		{"JS86 (root's half): an empty body", ``, nil, 400, ""},
		{"X-04 white space", " \n", nil, 400, ""},
		{"X-04 an object behind it", `{"color":"red"}{}`, nil, 400, ""},
		{"X-04 garbage behind it", `{"color":"red"}x`, nil, 400, ""},
		{"X-04 null", `null`, nil, 400, ""},
		{"X-04 a list", `[]`, nil, 400, ""},
		{"X-04 a text", `"red"`, nil, 400, ""},
		{"X-04 a list for a field", `{"name":["x"]}`, nil, 400, "name"},
		{"X-04 a number for a field", `{"name":1}`, nil, 400, "name"},
		{"X-04 deep nesting", deep, nil, 413, ""},
		{"X-04 nesting below the limit", `{"name":` + strings.Repeat(`[`, 10001) + strings.Repeat(`]`, 10001) + `}`, nil, 400, "name"},
		{"X-04 NaN", `{"name":NaN}`, nil, 400, "name"},
		{"X-04 a huge number", `{"name":1e400}`, nil, 400, "name"},
		{"X-04 a comment", `{"color":"red"/* */}`, nil, 400, ""},
		{"X-04 a comma at the end", `{"color":"red",}`, nil, 400, ""},
		{"X-04 a byte order mark", "\ufeff{}", nil, 400, ""},
		{"X-04 no UTF-8", "{\"name\":\"\xff\"}", nil, 400, "name"},
		{"X-04 half a surrogate pair", `{"name":"\ud800"}`, nil, 400, "name"},
		{"X-04 F-01 5 MiB", `{"name":"` + strings.Repeat("x", 5<<20) + `"}`, nil, 413, ""},
		{"X-18 a display name of 1 MiB", `{"display_name":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 413, ""},
		{"X-18 a display name of 2 KiB", `{"display_name":"` + strings.Repeat("x", 2<<10) + `"}`, nil, 400, "display_name"},
		{"X-18 NUL", `{"name":"a\u0000b"}`, nil, 400, "name"},
		{"a script as picture", `{"avatar_url":"javascript:alert(1)"}`, nil, 400, "avatar_url"},
		{"a script as picture, in disguise", `{"avatar_url":"java\tscript:alert(1)"}`, nil, 400, "avatar_url"},
		{"data as picture", `{"avatar_url":"data:text/html,x"}`, nil, 400, "avatar_url"},
		{"a good field beside a bad value", `{"color":"red","avatar_url":"data:x"}`, nil, 400, "avatar_url"},
		{"F-04 compressed", "\x1f\x8b", []string{"Content-Type", "application/json", "Content-Encoding", "gzip"}, 415, ""},
		{"L-20 a form", `color=red`, []string{"Content-Type", "application/x-www-form-urlencoded", "Accept", "application/json"}, 415, ""},
		{"L-20 no content type", `{"color":"red"}`, []string{"X-Nothing", ""}, 415, ""},
		{"L-20 XML", `<color/>`, []string{"Content-Type", "application/xml"}, 415, ""},
		{"F-05 another charset", `{"color":"red"}`, []string{"Content-Type", "application/json; charset=latin1"}, 415, ""},
		{"F-05 a charset of two bytes", `{"color":"red"}`, []string{"Content-Type", "text/plain; charset=utf-16"}, 415, ""},
		{"two content types", `{"color":"red"}`, []string{"Content-Type", "application/json", "Content-Type", "text/plain"}, 415, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store, h := meUser(t, auth.User{Name: "Alice A."}, nil)
			r := mePatch(c.body)
			if c.headers != nil {
				r.Header.Del("Content-Type")
				for i := 0; i < len(c.headers); i += 2 {
					r.Header.Add(c.headers[i], c.headers[i+1])
				}
			}
			got := meAsk(t, h, r, c.want)
			if !strings.Contains(got.Error, c.names) {
				t.Errorf("got error %q, which doesn't name %q", got.Error, c.names)
			}
			if len(got.Error) > 500 {
				t.Errorf("got an error of %d bytes", len(got.Error))
			}
			if n := store.calls.Load(); n != 0 {
				t.Errorf("got %d calls of StoreProfile, want 0", n)
			}
			meAsk(t, h, mePatch(`{"color":"red"}`), 200)
		})
	}
}

// What the store says about a change decides the answer, and stays inside.
func TestMePatchStoreErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		want int
	}{
		{"it works", nil, 200},
		{"a value that it can't take", &auth.FieldError{Field: "color", Problem: "no such colour"}, 400},
		{"forbidden", auth.ErrForbidden, 403},
		{"X-11 the user was deleted meanwhile", auth.ErrSessionEnded, 401},
		{"unsupported for this user", errors.ErrUnsupported, 501},
		{"unavailable", auth.ErrUnavailable, 503},
		{"A-29 an error of the database", errors.New("pq: UPDATE users SET hash"), 503},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store, h := meUser(t, auth.User{}, nil)
			store.err = c.err
			if c.err != nil && c.want != 503 {
				store.err = fmt.Errorf("store: %w", c.err)
			}
			got := meAsk(t, h, mePatch(`{"color":"red"}`), c.want)
			if strings.Contains(got.Error, "pq") || strings.Contains(got.Error, "store:") {
				t.Errorf("A-29 got error %q", got.Error)
			}
			if c.want == 400 && !strings.Contains(got.Error, "color") {
				t.Errorf("got error %q, which doesn't name the field", got.Error)
			}
		})
	}
}

// JS93 (root's half): PATCH /api/me is guarded against other pages like everything that changes something.
func TestMePatchFromAnotherSite(t *testing.T) {
	t.Parallel()
	store, h := meUser(t, auth.User{}, nil)
	meAsk(t, h, mePatch(`{"color":"red"}`, "Sec-Fetch-Site", "same-origin"), 200)
	r := mePatch(`{"color":"blue"}`, "Sec-Fetch-Site", "cross-site")
	r.Header.Set("Content-Type", "text/plain") // what a form of another site can send
	meAsk(t, h, r, 403)
	if got := store.calls.Load(); got != 1 {
		t.Errorf("got %d changes, want 1", got)
	}
	meAsk(t, h, guardRequest("GET", "/api/me", "Test-User", "alice", "Sec-Fetch-Site", "cross-site"), 200)
}

// whose profile is written comes from the guard.
func TestUpdateUserWritesTheCallersProfile(t *testing.T) {
	t.Parallel()
	store := &meStore{Backend: guardPeople()}
	var updated []auth.Event
	a := guardNew(t, auth.Config{OnEvent: func(_ context.Context, e auth.Event) { updated = append(updated, e) }}, store)
	p := &guardProbe{do: func(_ http.ResponseWriter, r *http.Request) {
		id, _ := auth.IdentityFrom(r.Context())
		id.ID, id.User.Username = "test:bob", "bob" // a copy
		user, err := a.UpdateUser(r.Context(), auth.UserUpdate{DisplayName: ptr("A"), Workspace: ptr("w"), Settings: ptr("s")})
		if err != nil || user.Username != "alice" || user.Name != "alice" || user.DisplayName != "A" || user.Workspace != "w" || user.Settings != "s" {
			t.Errorf("got %+v, %v", user, err)
		}
		if user, err := a.UpdateUser(r.Context(), auth.UserUpdate{}); err != nil || user.Username != "alice" {
			t.Errorf("an empty update: got %+v, %v", user, err)
		}
		var field *auth.FieldError
		if _, err := a.UpdateUser(r.Context(), auth.UserUpdate{AvatarURL: ptr("javascript:alert(1)")}); !errors.As(err, &field) || field.Field != "avatar_url" {
			t.Errorf("got %v, want a FieldError", err)
		}
	}}
	p.ask(t, a.CurrentUser(nil)(p), guardRequest("GET", "/x", "Test-User", "alice"), 200)
	if store.last.ID != "test:alice" || store.calls.Load() != 1 {
		t.Errorf("got %d changes, the last of %q, want 1 of test:alice", store.calls.Load(), store.last.ID)
	}
	store.last.Permissions["admin"] = []string{"*"} // the store's copy is its own
	p = &guardProbe{}
	p.ask(t, a.CurrentUser(nil)(p), guardRequest("GET", "/x", "Test-User", "alice"), 200)
	p.ask(t, a.CurrentUser(auth.Permissions{"admin": {"read"}})(p), guardRequest("GET", "/x", "Test-User", "alice"), 403)
	if len(updated) == 0 || updated[0].Kind != auth.EventUpdated || updated[0].UserID != "test:alice" {
		t.Errorf("got events %v, want updated by test:alice first", updated)
	}
}
