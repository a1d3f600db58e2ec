package strictjson

import (
	"encoding"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep objects and lists nest, in types that contain themselves.
const maxDepth = 32

// walk reads one JSON text, token by token, into a value of a known type. It never writes to what a pointer, map or
// slice of the destination refers to: those are made anew, and so the caller's value is untouched until all is read.
type walk struct {
	data   []byte
	tokens *json.Decoder
}

// next returns the next token, whose strings are Unicode. The path is for errors.
func (w *walk) next(path string) (json.Token, error) {
	start := w.tokens.InputOffset()
	token, err := w.tokens.Token()
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fail(path, "the JSON ends too early")
	}
	if err != nil {
		return nil, fail(path, "not valid JSON")
	}
	if _, ok := token.(string); ok {
		// The token itself can't tell: encoding/json has put U+FFFD where the bytes were wrong, and so would let two
		// different user names become the same.
		raw := w.data[start:w.tokens.InputOffset()]
		if !utf8.Valid(raw) || hasLoneSurrogate(raw) {
			return nil, fail(path, "not valid Unicode")
		}
	}
	return token, nil
}

// value reads the value that token begins into dst.
func (w *walk) value(dst reflect.Value, token json.Token, path string, depth int) error {
	if depth > maxDepth {
		return fail(path, "nested too deeply")
	}
	if dst.Kind() == reflect.Pointer {
		fresh := reflect.New(dst.Type().Elem())
		if !dst.IsNil() {
			fresh.Elem().Set(dst.Elem())
		}
		if err := w.value(fresh.Elem(), token, path, depth); err != nil {
			return err
		}
		dst.Set(fresh)
		return nil
	}
	fresh := reflect.New(dst.Type())
	switch self := fresh.Interface().(type) {
	case encoding.TextUnmarshaler:
		text, ok := token.(string)
		if !ok {
			return fail(path, "must be a string")
		}
		if self.UnmarshalText([]byte(text)) != nil {
			return fail(path, "has a value that is not allowed") // its own error may quote the value
		}
		dst.Set(fresh.Elem())
		return nil
	case json.Unmarshaler:
		return unsupported(dst.Type()) // it would read what is not checked here
	}
	switch dst.Kind() {
	case reflect.Struct, reflect.Map:
		if token != json.Delim('{') {
			return fail(path, "must be an object")
		}
		return w.object(dst, path, depth)
	case reflect.Slice:
		if token != json.Delim('[') {
			return fail(path, "must be a list")
		}
		return w.list(dst, path, depth)
	case reflect.String:
		text, ok := token.(string)
		if !ok {
			return fail(path, "must be a string")
		}
		dst.SetString(text)
		return nil
	case reflect.Bool:
		yes, ok := token.(bool)
		if !ok {
			return fail(path, "must be true or false")
		}
		dst.SetBool(yes)
		return nil
	default:
		return number(dst, token, path)
	}
}

// object reads the members of an object into dst, a struct or a map.
func (w *walk) object(dst reflect.Value, path string, depth int) error {
	member, err := members(dst)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for {
		token, err := w.next(path)
		if err != nil {
			return err
		}
		name, ok := token.(string)
		if !ok {
			return nil // the closing brace: the decoder lets nothing else stand here
		}
		at := join(path, name)
		// Before the name is looked at further: of two values one part of a program may check the first, and another
		// use the last.
		if seen[name] {
			return fail(at, "given twice")
		}
		seen[name] = true
		field, store := member(name)
		if !field.IsValid() {
			return fail(at, "unknown")
		}
		if token, err = w.next(at); err != nil {
			return err
		}
		if token == nil {
			continue // null: unchanged
		}
		if err := w.value(field, token, at, depth+1); err != nil {
			return err
		}
		store()
	}
}

// list reads the elements of a list into a new slice in dst.
func (w *walk) list(dst reflect.Value, path string, depth int) error {
	fresh := reflect.MakeSlice(dst.Type(), 0, 0)
	for {
		at := path + "[" + strconv.Itoa(fresh.Len()) + "]"
		token, err := w.next(at)
		if err != nil {
			return err
		}
		if token == json.Delim(']') {
			dst.Set(fresh)
			return nil
		}
		if token == nil {
			return fail(at, "must not be null") // there is nothing that it could leave unchanged
		}
		element := reflect.New(dst.Type().Elem()).Elem()
		if err := w.value(element, token, at, depth+1); err != nil {
			return err
		}
		fresh = reflect.Append(fresh, element)
	}
}

// number reads a number into dst, which must be able to hold it: 1.5, 1e3 and 300 don't fit a byte.
func number(dst reflect.Value, token json.Token, path string) error {
	digits, isNumber := token.(json.Number)
	var err error
	switch {
	case dst.CanInt():
		var n int64
		if n, err = strconv.ParseInt(string(digits), 10, dst.Type().Bits()); err == nil {
			dst.SetInt(n)
		}
	case dst.CanUint():
		var n uint64
		if n, err = strconv.ParseUint(string(digits), 10, dst.Type().Bits()); err == nil {
			dst.SetUint(n)
		}
	case dst.CanFloat():
		var n float64
		if n, err = strconv.ParseFloat(string(digits), dst.Type().Bits()); err == nil {
			dst.SetFloat(n)
		}
	default:
		return unsupported(dst.Type())
	}
	switch {
	case !isNumber:
		return fail(path, "must be a number")
	case errors.Is(err, strconv.ErrRange):
		return fail(path, "out of range")
	case err != nil:
		return fail(path, "must be a whole number") // a negative one for an unsigned field as well
	}
	return nil
}

// join returns the path of the member name of the object at path.
func join(path, name string) string {
	if name == "" {
		name = `""` // or an error about it would name no field
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// hasLoneSurrogate reports whether the JSON string in raw, which is syntactically valid, escapes half of a surrogate
// pair. RFC 8259, section 8.2: the behavior of software that receives such values "is unpredictable".
func hasLoneSurrogate(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++ // the escaped character, which may be a backslash itself
		if raw[i] != 'u' {
			continue
		}
		r := codeUnit(raw[i+1:])
		i += 4
		if !utf16.IsSurrogate(r) {
			continue
		}
		// The closing quote at least follows, and behind a backslash whatever it escapes.
		if raw[i+1] != '\\' || raw[i+2] != 'u' || utf16.DecodeRune(r, codeUnit(raw[i+3:])) == utf8.RuneError {
			return true
		}
		i += 6
	}
	return false
}

// codeUnit returns the value of the four hexadecimal digits that b begins with.
func codeUnit(b []byte) rune {
	n, _ := strconv.ParseUint(string(b[:4]), 16, 16) // the decoder has seen that they are digits
	return rune(n)
}
