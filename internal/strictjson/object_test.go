package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ostiary/auth/internal/strictjson"
)

func TestObject(t *testing.T) {
	t.Parallel()
	got, err := strictjson.Object([]byte(`{"s":"x","n":1.50,"b":true,"z":null,"l":[1,"a",{"s":2},[]],"o":{"s":{}}} `))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"s": "x", "n": json.Number("1.50"), "b": true, "z": nil,
		"l": []any{json.Number("1"), "a", map[string]any{"s": json.Number("2")}, []any{}},
		"o": map[string]any{"s": map[string]any{}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, want %#v", got, want)
	}
}

// J-23, J-26: what two readers could understand differently, and what is no object.
func TestObjectRefuses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33)
	for name, text := range map[string]string{
		"nothing": "", "a list": "[]", "null": "null", "a string": `"x"`, "a number": "1",
		"a name twice": `{"a":1,"a":1}`, "a name twice, once escaped": `{"a":1,"\u0061":1}`, "a name twice, one null": `{"a":null,"a":1}`,
		"a name twice further down": `{"a":{"b":1,"b":2}}`, "a name twice in a list": `{"a":[{"b":1,"b":2}]}`,
		"something behind it": `{} {}`, "a byte order mark": "\uFEFF{}", "bytes that are no text": "{\"a\":\"\xff\"}",
		"a name that is no text": "{\"\xff\":1}", "half a character": `{"a":"\ud800"}`, "an open end": `{"a":1`, "no value": `{"a":}`,
		"nested too deeply": deep, "too many values": `{"a":[` + strings.Repeat("{},", 100_000) + `{}]}`, "lists nested too deeply": `{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}",
	} {
		if got, err := strictjson.Object([]byte(text)); err == nil || got != nil {
			t.Errorf("%s: got %v, %v, want an error", name, got, err)
		}
	}
}

// An error names the field, as those of Decode do, and nothing of its value.
func TestObjectSaysWhere(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                                      "the JSON ends too early",
		" \n":                                   "the JSON ends too early",
		`[]`:                                    "must be a JSON object",
		"\x00{}":                                "not valid JSON",
		"\uFEFF{}":                              "must not begin with a byte order mark",
		`{}x`:                                   "must be one JSON object with nothing behind it",
		"{}\x00":                                "must be one JSON object with nothing behind it",
		`{"a":{"b":[{"c":1,"c":2}]}}`:           `field "a.b.c": given twice`,
		`{"a":1,"a":2}`:                         `field "a": given twice`,
		`{"":1,"":2}`:                           `field "\"\"": given twice`,
		`{"a":tru}`:                             `field "a": not valid JSON`,
		`{"a":"secret`:                          `field "a": the JSON ends too early`,
		`{"a"`:                                  `field "a": the JSON ends too early`,
		`{"a":`:                                 `field "a": the JSON ends too early`,
		`{"a":1`:                                "the JSON ends too early",
		`{"a":"\ud800"}`:                        `field "a": not valid Unicode`,
		"{\"a\":\"\xff\"}":                      `field "a": not valid Unicode`,
		strings.Repeat(`{"a":`, 33) + "1":       `field "` + strings.Repeat("a.", 31) + `a": nested too deeply`,
		`{"` + strings.Repeat("b", 99) + `":x}`: `field "` + strings.Repeat("b", 63) + `…": not valid JSON`,
	} {
		_, err := strictjson.Object([]byte(text))
		var bad *strictjson.Error
		if !errors.As(err, &bad) || err.Error() != want {
			t.Errorf("%.40q: got %v, want %s", text, err, want)
		}
	}
}

// What a JSON text may look like, by the letter of RFC 8259: each is read as encoding/json reads it, or by neither.
func TestObjectReadsWhatIsJSON(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"0", "-0", "1", "-1", "10", "1.0", "0.10", "1e1", "1E+1", "1e-01", "123456789012345678901234567890", "1.5e300",
		"00", "01", "-", "+1", "1.", ".5", "1e", "1e+", "--1", "0x1", "1_0", "NaN", "Infinity", "-Infinity", "1 2", "١",
		"true", "false", "null", "True", "tru", "nul", "truetrue", "nil",
		`""`, `"a"`, `"\""`, `"\\"`, `"\/"`, `"\b\f\n\r\t"`, `"\u0041"`, `"\u004"`, `"\x41"`, `"\'"`, `'a'`, `"`, `"\"`, `"\u"`, "\"\t\"", "\"\x7f\"",
		`"é😀"`, `"\ud83d\ude00"`, "\"\u2028\"", `"a" "b"`,
		"[]", "[ ]", "[1]", "[1,2]", "[1,]", "[,1]", "[1 2]", "[1;2]", "[1", "]", "[1}", "[[],[[]]]", "[\n1\t,\r2 ]",
		"{}", "{ }", `{"a":1}`, `{"a":1,}`, `{,"a":1}`, `{"a" 1}`, `{"a":}`, `{"a"}`, `{a:1}`, `{1:1}`, `{xa":1}`, `{"a":1;"b":2}`, `{"a":1 "b":2}`, `{"a":1]`, "{", "}",
		"", " ", "\f1", "\v1", "\u00a01", "/**/1", "//\n1", "#",
	} {
		for _, text := range []string{`{"x":` + value + `}`, `{"x":[` + value + `],"y":{}}`, " {\n\"x\"\t:\r" + value + " } "} {
			same(t, []byte(text))
		}
	}
}

// same compares Object with encoding/json, which takes more: names given twice, deeper nesting, bytes that are no text.
func same(t *testing.T, data []byte) {
	t.Helper()
	got, err := strictjson.Object(data)
	var want map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	wantErr := decoder.Decode(&want)
	if wantErr == nil && (!json.Valid(data) || want == nil) {
		wantErr = errors.New("not one object")
	}
	var bad *strictjson.Error
	switch {
	case err == nil && wantErr != nil:
		t.Errorf("got %q accepted, which encoding/json refuses: %v", data, wantErr)
	case err == nil && !reflect.DeepEqual(got, want):
		t.Errorf("%q: got %v, want %v", data, got, want)
	case err != nil && (!errors.As(err, &bad) || got != nil):
		t.Errorf("%q: got %v, %v, want a *strictjson.Error alone", data, got, err)
	case err != nil && wantErr == nil:
		escaped := bytes.Contains(bytes.ToLower(data), []byte(`\ud`)) // half a character, perhaps
		switch own := bad.Problem; {
		case own == "given twice", own == "nested too deeply", own == "not valid Unicode" && (escaped || !utf8.Valid(data)):
			return
		}
		t.Errorf("%q: got %v, while encoding/json takes it", data, err)
	}
}

func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"s":"x\u0041\ud83d\ude00","n":-1.50e+3,"b":true,"z":null,"l":[1,"a",{"s":2},[]],"o":{"s":{}}} `))
	f.Add([]byte(`{"a":1,"\u0061":2}`))
	f.Add([]byte("{\"a\":\"\xff\"}"))
	f.Fuzz(func(t *testing.T, data []byte) { same(t, data) })
}
