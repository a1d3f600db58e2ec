// Package strictjson reads JSON from clients and takes nothing that two readers could understand differently.
//
// Handlers call [Read], which checks the content type and the size of a request's body too; [Decode] is for bytes that
// are there already. What encoding/json lets pass is refused: names in another case (it takes "PERMISSIONS", and even
// "permiſſions", for "permissions"), the same name twice (the last one wins there, the first one elsewhere), unknown
// names, text that is not Unicode (lone surrogates become U+FFFD, so that two names become one), and anything behind
// the object. Each refusal is an [Error] that names the field and may be shown to the client; the destination is then
// as it was.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strconv"
)

// maxFieldLen bounds the name that an error shows, in runes.
const maxFieldLen = 64

// Error says what is wrong with a client's JSON. It holds nothing of the input but the path of the field, so it is
// safe to show to the client that sent it.
type Error struct {
	Field   string // as "permissions.contents[1]", shortened to 64 runes; empty for the body as a whole
	Problem string // as "unknown" or "must be a string"
}

// Error returns the problem behind the quoted field: `field "x": unknown`.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Problem
	}
	// Quoted: a client's name may hold line ends or characters that turn the text around.
	return "field " + strconv.Quote(e.Field) + ": " + e.Problem
}

// fail returns the Error for path.
func fail(path, problem string) error {
	// Runes, so that no character is cut in two.
	if runes := []rune(path); len(runes) > maxFieldLen {
		path = string(runes[:maxFieldLen-1]) + "…"
	}
	return &Error{Field: path, Problem: problem}
}

// Decode reads data, which must be one JSON object with nothing behind it, into dst, a pointer to a struct or to a map
// with string keys.
//
// It takes strings, booleans, numbers, slices, maps with string keys, structs (embedded ones too), pointers to these,
// and whatever reads itself from text, such as time.Time. Struct fields are named as for encoding/json, by their tag or
// their own name, and match exactly. Numbers must fit their field. Objects nest at most 32 deep. A null in a field or
// under a map's key leaves what is there unchanged, as if it were absent, while a null in a list is an error. An object
// for a map adds to what the map holds; a list replaces.
//
// Bad input gives an [*Error] and changes nothing in dst. Any other error means that dst is of an unsupported type,
// which is a mistake in the program. Decode may be called concurrently with different destinations.
func Decode(data []byte, dst any) error {
	ptr := reflect.ValueOf(dst)
	if ptr.Kind() != reflect.Pointer || ptr.IsNil() {
		return errors.New("strictjson: decoding: the destination is no pointer")
	}
	if k := ptr.Elem().Kind(); k != reflect.Struct && k != reflect.Map {
		return unsupported(ptr.Type())
	}
	if bytes.HasPrefix(data, []byte("\uFEFF")) {
		return fail("", "must not begin with a byte order mark")
	}
	w := &walk{data: data, tokens: json.NewDecoder(bytes.NewReader(data))}
	w.tokens.UseNumber()
	token, err := w.next("")
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		return fail("", "must be a JSON object")
	}
	// Into a copy: an error half-way must not leave half of a change behind.
	scratch := reflect.New(ptr.Type().Elem()).Elem()
	scratch.Set(ptr.Elem())
	if err := w.value(scratch, token, "", 1); err != nil {
		return err
	}
	if _, err := w.tokens.Token(); err != io.EOF {
		return fail("", "must be one JSON object with nothing behind it")
	}
	ptr.Elem().Set(scratch)
	return nil
}
