package strictjson_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ostiary/auth/internal/strictjson"
)

type profile struct {
	Name  *string `json:"name"`
	Color *string `json:"color,omitempty"`
}

type request struct {
	Username    string              `json:"username"`
	Key         string              `json:"key"`
	Disabled    bool                `json:"disabled"`
	Active      *bool               `json:"active"`
	Count       int                 `json:"count"`
	Small       uint8               `json:"small"`
	Ratio       float64             `json:"ratio"`
	Roles       []string            `json:"roles"`
	Permissions map[string][]string `json:"permissions"`
	User        struct {
		Name    string `json:"name"`
		Details *struct {
			Email string `json:"email"`
		} `json:"details"`
	} `json:"user"`
	Sub     *request   `json:"sub"`
	Until   *time.Time `json:"until"`
	Plain   string
	Hidden  string `json:"-"`
	private string
	profile
}

func TestDecodeFillsEveryKindOfField(t *testing.T) {
	t.Parallel()
	const body = ` {"username":"ann \ud83d\ude00 😀","disabled":true,"active":false,"count":-3,"small":255,"ratio":1.5e3,
		"roles":["a","b"],"permissions":{"contents":["read","write"],"":[]},"user":{"name":"x","details":{"email":"e"}},
		"Plain":"p","name":"Ann","color":null,"sub":{"sub":{"count":1}},"until":"2026-01-02T03:04:05Z"} ` + "\r\n\t"
	var got, want request
	if err := strictjson.Decode([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(body), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got.Username != "ann 😀 😀" || *got.Name != "Ann" || got.private != "" {
		t.Errorf("got %+v, want the values of the body", got)
	}
}

func TestDecodeFillsAMap(t *testing.T) {
	t.Parallel()
	before := map[string][]string{"kept": {"read"}, "changed": {"read"}}
	got := before
	if err := strictjson.Decode([]byte(`{"changed":["write"],"new":["a"],"kept":null,"absent":null}`), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"kept": {"read"}, "changed": {"write"}, "new": {"a"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(before) != 2 || before["changed"][0] != "read" {
		t.Errorf("the caller's map is now %v, want it untouched", before)
	}
	var empty map[string][]string
	if err := strictjson.Decode([]byte(`{}`), &empty); err != nil || empty == nil || len(empty) != 0 {
		t.Errorf("got %v, %v, want an empty map", empty, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, want string }{
		"X-02 a name in capitals":              {`{"PERMISSIONS":{}}`, `field "PERMISSIONS": unknown`},
		"X-02 a long s":                        {"{\"permi\u017f\u017fions\":{}}", "field \"permi\u017f\u017fions\": unknown"},
		"X-02 an escaped long s":               {`{"permi\u017f\u017fions":{}}`, "field \"permi\u017f\u017fions\": unknown"},
		"X-02 a Kelvin sign":                   {`{"\u212aey":"x"}`, "field \"\u212aey\": unknown"},
		"X-02 a name given twice":              {`{"username":"a","username":"b"}`, `field "username": given twice`},
		"X-02 given twice, once with escapes":  {`{"username":"a","u\u0073ername":"b"}`, `field "username": given twice`},
		"X-02 given twice, the first as null":  {`{"username":null,"username":"b"}`, `field "username": given twice`},
		"X-02 twice in a map":                  {`{"permissions":{"a":[],"a":["x"]}}`, `field "permissions.a": given twice`},
		"X-02 twice in a nested object":        {`{"user":{"name":"a","name":"b"}}`, `field "user.name": given twice`},
		"X-02 permissions in a nested object":  {`{"user":{"permissions":{"a":["b"]}}}`, `field "user.permissions": unknown`},
		"RS-15 a field that is not offered":    {`{"is_admin":1}`, `field "is_admin": unknown`},
		"RS-15 the name of a hidden field":     {`{"Hidden":"x"}`, `field "Hidden": unknown`},
		"RS-15 the Go name of a tagged field":  {`{"Username":"x"}`, `field "Username": unknown`},
		"RS-15 a private field":                {`{"private":"x"}`, `field "private": unknown`},
		"RS-15 the name of an embedded struct": {`{"profile":{}}`, `field "profile": unknown`},
		"RS-15 the hidden field's tag":         {`{"-":"x"}`, `field "-": unknown`},
		"an unknown field that is null":        {`{"id":null}`, `field "id": unknown`},
		"an empty name":                        {`{"":1}`, `field "\"\"": unknown`},
		"X-04 a second object":                 {`{}{}`, "must be one JSON object with nothing behind it"},
		"X-04 garbage behind the object":       {`{} x`, "must be one JSON object with nothing behind it"},
		"X-04 a comma behind the object":       {`{},`, "must be one JSON object with nothing behind it"},
		"X-04 null for the object":             {`null`, "must be a JSON object"},
		"X-04 a list for the object":           {`[{}]`, "must be a JSON object"},
		"X-04 a string for the object":         {`"{}"`, "must be a JSON object"},
		"X-04 a number for the object":         {`1`, "must be a JSON object"},
		"X-04 nothing":                         {``, "the JSON ends too early"},
		"X-04 a list for a field":              {`{"user":[]}`, `field "user": must be an object`},
		"X-04 an object for a list":            {`{"roles":{}}`, `field "roles": must be a list`},
		"X-04 a string for a list":             {`{"permissions":{"contents":"read"}}`, `field "permissions.contents": must be a list`},
		"X-04 null in a list":                  {`{"roles":["a",null]}`, `field "roles[1]": must not be null`},
		"X-04 a number in a list":              {`{"permissions":{"a":["x",1]}}`, `field "permissions.a[1]": must be a string`},
		"X-04 a number for a string":           {`{"username":1}`, `field "username": must be a string`},
		"X-04 a string for a flag":             {`{"disabled":"true"}`, `field "disabled": must be true or false`},
		"X-04 a number for an optional flag":   {`{"active":1}`, `field "active": must be true or false`},
		"X-04 a string for a number":           {`{"count":"1"}`, `field "count": must be a number`},
		"X-04 an empty string for a number":    {`{"ratio":""}`, `field "ratio": must be a number`},
		"X-04 a fraction for a whole number":   {`{"count":1.5}`, `field "count": must be a whole number`},
		"X-04 an exponent for a whole number":  {`{"count":1e2}`, `field "count": must be a whole number`},
		"X-04 a number that does not fit":      {`{"small":256}`, `field "small": out of range`},
		"X-04 a whole number beyond 64 bits":   {`{"count":9223372036854775808}`, `field "count": out of range`},
		"X-04 a negative number":               {`{"small":-1}`, `field "small": must be a whole number`},
		"X-04 1e400":                           {`{"ratio":1e400}`, `field "ratio": out of range`},
		"X-04 NaN":                             {`{"ratio":NaN}`, `field "ratio": not valid JSON`},
		"X-04 deep nesting where text belongs": {`{"username":` + strings.Repeat("[", 10001), `field "username": must be a string`},
		"X-04 deep nesting where it may be": {strings.Repeat(`{"sub":`, 10001) + "1", `field "` +
			strings.Repeat("sub.", 15) + `sub…": nested too deeply`},
		"X-04 a byte order mark":             {"\ufeff{}", "must not begin with a byte order mark"},
		"X-04 UTF-16":                        {"{\x00}\x00", "not valid JSON"},
		"X-04 a comment":                     {`{/* */}`, "not valid JSON"},
		"X-04 a comment behind":              {`{} // x`, "must be one JSON object with nothing behind it"},
		"X-04 single quotes":                 {`{'username':'x'}`, "not valid JSON"},
		"X-04 a trailing comma":              {`{"username":"x",}`, "not valid JSON"},
		"X-04 a trailing comma in a list":    {`{"roles":["x",]}`, `field "roles[1]": not valid JSON`},
		"X-04 a name without a value":        {`{"username"}`, `field "username": not valid JSON`},
		"X-04 cut short":                     {`{"username":"x`, `field "username": the JSON ends too early`},
		"X-04 cut short behind a value":      {`{"username":"x"`, "the JSON ends too early"},
		"X-04 the wrong bracket":             {`{"roles":["x"}`, `field "roles[1]": not valid JSON`},
		"X-04 a raw control character":       {"{\"username\":\"a\nb\"}", `field "username": not valid JSON`},
		"X-04 a bad escape":                  {`{"username":"\x41"}`, `field "username": not valid JSON`},
		"U-10 invalid UTF-8":                 {"{\"username\":\"adm\xffin\"}", `field "username": not valid Unicode`},
		"U-10 overlong UTF-8":                {"{\"username\":\"\xc0\xaf\"}", `field "username": not valid Unicode`},
		"U-10 a surrogate in UTF-8":          {"{\"username\":\"\xed\xa0\x80\"}", `field "username": not valid Unicode`},
		"U-10 a lone high surrogate":         {`{"username":"\ud800"}`, `field "username": not valid Unicode`},
		"U-10 a lone low surrogate":          {`{"username":"\udc00"}`, `field "username": not valid Unicode`},
		"U-10 a high one before text":        {`{"username":"\uD83Dx"}`, `field "username": not valid Unicode`},
		"U-10 a high one before an escape":   {`{"username":"\ud83d\nabcdef"}`, `field "username": not valid Unicode`},
		"U-10 a high one before a letter":    {`{"username":"\ud83d\u0041"}`, `field "username": not valid Unicode`},
		"U-10 two high ones":                 {`{"username":"\ud83d\ud83d\ude00"}`, `field "username": not valid Unicode`},
		"U-10 a pair the wrong way round":    {`{"username":"\ude00\ud83d"}`, `field "username": not valid Unicode`},
		"U-10 a lone one behind a pair":      {`{"username":"\ud83d\ude00\ude00"}`, `field "username": not valid Unicode`},
		"U-10 a lone one behind a backslash": {`{"username":"\\\ud800"}`, `field "username": not valid Unicode`},
		"U-10 a lone one in a name":          {`{"permissions":{"\ud800":[]}}`, `field "permissions": not valid Unicode`},
		"U-10 invalid UTF-8 in a list":       {"{\"roles\":[\"a\",\"\xff\"]}", `field "roles[1]": not valid Unicode`},
		"a time that is none":                {`{"until":"tomorrow"}`, `field "until": has a value that is not allowed`},
		"a number for a time":                {`{"until":1}`, `field "until": must be a string`},
		"a name with a line end":             {`{"a\r\nb\u202e":1}`, `field "a\r\nb\u202e": unknown`},
		"a name that is long": {`{"` + strings.Repeat("é", 1000) + `":1}`, `field "` +
			strings.Repeat("é", 63) + `…": unknown`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := request{Username: "u", Roles: []string{"r"}, Permissions: map[string][]string{"a": {"b"}}}
			got, want := before, before
			want.Roles, want.Permissions = []string{"r"}, map[string][]string{"a": {"b"}}
			// Fields that are right come first: they must not be left behind by what goes wrong later.
			body := c.body
			if rest, ok := strings.CutPrefix(body, "{\""); ok {
				body = `{"Plain":"changed","name":"changed","color":"changed","` + rest
			}
			err := strictjson.Decode([]byte(body), &got)
			var bad *strictjson.Error
			if !errors.As(err, &bad) {
				t.Fatalf("got %v, want a *strictjson.Error", err)
			}
			if err.Error() != c.want {
				t.Errorf("got %s\nwant %s", err, c.want)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("the destination is now %+v, want it unchanged", got)
			}
		})
	}
}

// a null is as good as an absent field, also where encoding/json would clear what is there.
func TestNullLeavesEveryFieldUnchanged(t *testing.T) {
	t.Parallel()
	filled := func() request {
		name, yes, until := "n", true, time.Unix(1, 0)
		r := request{Username: "u", Disabled: true, Active: &yes, Count: 1, Small: 1, Ratio: 1, Roles: []string{"r"},
			Permissions: map[string][]string{"a": {"b"}}, Sub: &request{}, Until: &until, profile: profile{Name: &name}}
		r.User.Name = "x"
		return r
	}
	for _, field := range []string{"username", "disabled", "active", "count", "small", "ratio", "roles", "permissions", "user",
		"sub", "until", "Plain", "name", "color"} {
		got := filled()
		if err := strictjson.Decode([]byte(`{"`+field+`":null}`), &got); err != nil {
			t.Errorf("%s: %v", field, err)
		}
		if want := filled(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", field, got, want)
		}
	}
}

func TestDecodeWritesToNothingThatTheCallerShares(t *testing.T) {
	t.Parallel()
	name, roles, perms, sub := "old", []string{"old", "older"}, map[string][]string{"a": {"old"}}, &request{Username: "old", Key: "kept"}
	dst := request{Roles: roles[:1], Permissions: perms, Sub: sub, profile: profile{Name: &name}}
	const body = `{"name":"new","roles":["new","newer"],"permissions":{"a":["new"],"b":[]},"sub":{"username":"new"}}`
	if err := strictjson.Decode([]byte(body), &dst); err != nil {
		t.Fatal(err)
	}
	if *dst.Name != "new" || dst.Roles[1] != "newer" || dst.Permissions["a"][0] != "new" || dst.Sub.Username != "new" ||
		dst.Sub.Key != "kept" {
		t.Errorf("got %+v, want the new values and what was not given kept", dst)
	}
	if name != "old" || roles[0] != "old" || roles[1] != "older" || perms["a"][0] != "old" || len(perms) != 1 || sub.Username != "old" {
		t.Errorf("the old values are now %q, %q, %q, %q, want them untouched", name, roles, perms, sub.Username)
	}
}

func TestThirtyTwoObjectsDeepIsDeepEnough(t *testing.T) {
	t.Parallel()
	for depth, wantErr := range map[int]bool{31: false, 32: false, 33: true} {
		body := strings.Repeat(`{"sub":`, depth-1) + "{}" + strings.Repeat("}", depth-1)
		if err := strictjson.Decode([]byte(body), new(request)); (err != nil) != wantErr {
			t.Errorf("%d deep: got %v, want an error: %t", depth, err, wantErr)
		}
	}
}

func TestDestinationsThatCanNotBeFilledAreTheProgramsMistake(t *testing.T) {
	t.Parallel()
	type inner struct{ A string }
	for name, c := range map[string]struct {
		dst  any
		body string
	}{
		"nil":                         {nil, `{}`},
		"no pointer":                  {request{}, `{}`},
		"a nil pointer":               {(*request)(nil), `{}`},
		"a pointer to a string":       {new(string), `{}`},
		"a pointer to anything":       {new(any), `{}`},
		"a field for anything":        {&struct{ A any }{}, `{"A":1}`},
		"a field for raw JSON":        {&struct{ A json.RawMessage }{}, `{"A":1}`},
		"an array":                    {&struct{ A [2]string }{}, `{"A":["x","y"]}`},
		"a map with numbers for keys": {&map[int]string{}, `{"1":"x"}`},
		"a map that parses its keys":  {&struct{ A map[textKey]string }{}, `{"A":{"x":"y"}}`},
		"an embedded pointer":         {&struct{ *inner }{}, `{"A":"x"}`},
		"an embedded struct, hidden": {&struct {
			inner `json:"-"`
		}{}, `{"A":"x"}`},
		"an embedded struct, renamed": {&struct {
			inner `json:"b"`
		}{}, `{"A":"x"}`},
		"two fields of one name": {&struct {
			A string
			B string `json:"A"`
		}{}, `{"A":"x"}`},
		"a number to be sent as text": {&struct {
			A int `json:"a,string"`
		}{}, `{"a":"1"}`},
	} {
		err := strictjson.Decode([]byte(c.body), c.dst)
		var bad *strictjson.Error
		if err == nil || errors.As(err, &bad) || !strings.HasPrefix(err.Error(), "strictjson: decoding: ") {
			t.Errorf("%s: got %v, want an error that is not the client's", name, err)
		}
	}
}

type textKey string

func (k *textKey) UnmarshalText(text []byte) error { *k = textKey(text); return nil }

// A megabyte takes about four times as long as a quarter of it, not sixteen times.
func TestAMegabyteIsReadOnce(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]func(size int) string{
		"a long string":       func(n int) string { return `{"username":"` + strings.Repeat("x", n) + `"}` },
		"a long list":         func(n int) string { return `{"roles":[` + strings.Repeat(`"",`, n/4) + `""]}` },
		"an endless name":     func(n int) string { return `{"` + strings.Repeat("x", n) + `":1}` },
		"nothing but opening": func(n int) string { return strings.Repeat(`{"sub":`, n/8) },
	} {
		decode := func(size int) time.Duration {
			text := []byte(body(size))
			began := time.Now()
			err := strictjson.Decode(text, new(request))
			took := time.Since(began)
			if err != nil && len(err.Error()) > 200 {
				t.Fatalf("%s: the error has %d bytes, want it short", name, len(err.Error()))
			}
			return took
		}
		quarter, whole := decode(1<<18), decode(1<<20)
		for range 20 { // the machine may have been busy with something else meanwhile
			if whole <= 8*quarter {
				break
			}
			quarter, whole = decode(1<<18), decode(1<<20)
		}
		if whole > 8*quarter {
			t.Errorf("%s: a megabyte took %v, a quarter of it %v", name, whole, quarter)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		`{"username":"a","roles":["x",null],"permissions":{"a":["b"],"c":null}}`, `{"user":{"name":"\ud800"}}`,
		`{"sub":{"sub":{"count":1e2}}} x`, `{"NAME":"x","name":"y"}`, "\ufeff{}", `{"until":"2026-01-02T03:04:05Z","small":256}`,
		`{"username":"\\\ud83d\ude00"}`, `{"ratio":-0.0,"active":null}`, "{\"username\":\"\xff\"}",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got request
		err := strictjson.Decode(data, &got)
		if err != nil {
			var bad *strictjson.Error
			if !errors.As(err, &bad) || bad.Problem == "" || !utf8.ValidString(bad.Error()) {
				t.Fatalf("got %#v, want an *Error that can be shown", err)
			}
			if !reflect.DeepEqual(got, request{}) {
				t.Fatalf("an error left %+v behind", got)
			}
			return
		}
		// What is accepted, every reader of JSON understands in the same way.
		var want request
		decoder := json.NewDecoder(strings.NewReader(string(data)))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&want); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		for r := &want; r != nil; r = r.Sub {
			for resource, actions := range r.Permissions {
				if actions == nil {
					delete(r.Permissions, resource) // null: absent here, an empty entry there
				}
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, encoding/json %+v", got, want)
		}
	})
}
