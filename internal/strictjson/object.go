package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// Object reads data, which must be one JSON object with nothing behind it, whose members aren't known beforehand: what a
// provider or a token says. Values are string, bool, [json.Number], nil, []any and map[string]any. It refuses what [Decode]
// refuses in every object, but unknown names and nulls. Bad input gives an [*Error].
//
// It has a reader of its own, since it stands before every check of an access token, and encoding/json's tokens took longer
// than a third of the time of the signature.
func Object(data []byte) (map[string]any, error) {
	if bytes.HasPrefix(data, []byte("\uFEFF")) {
		return nil, fail("", "must not begin with a byte order mark")
	}
	r := &reader{data: data}
	switch r.peek() {
	case '{':
	case end:
		return nil, r.broken()
	default:
		return nil, fail("", "must be a JSON object")
	}
	object, err := r.object(1)
	if err != nil {
		return nil, err
	}
	if r.peek() != end || r.at < len(data) {
		return nil, fail("", "must be one JSON object with nothing behind it")
	}
	return object, nil
}

// end stands for no more input. No JSON text begins a value with it.
const end = 0

// reader reads one JSON text (RFC 8259) from data, of which everything before at is done.
type reader struct {
	data   []byte
	at     int
	values int // read so far
}

// maxValues bounds what an object holds, at all depths: a value of two bytes on the wire takes a hundred in memory.
const maxValues = 100_000

// peek skips white space and gives the next character.
func (r *reader) peek() byte {
	for ; r.at < len(r.data); r.at++ {
		switch c := r.data[r.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return end
}

// broken is the error for what can't stand where the reader is.
func (r *reader) broken() error {
	if r.at >= len(r.data) {
		return fail("", "the JSON ends too early")
	}
	return fail("", "not valid JSON")
}

// object reads an object, whose brace is next.
func (r *reader) object(depth int) (map[string]any, error) {
	if depth > maxDepth {
		return nil, fail("", "nested too deeply")
	}
	object := map[string]any{}
	r.at++
	for next := r.peek(); next != '}'; next = r.peek() {
		if len(object) > 0 {
			if next != ',' {
				return nil, r.broken()
			}
			r.at++
			next = r.peek()
		}
		if next != '"' {
			return nil, r.broken()
		}
		name, err := r.text()
		if err != nil {
			return nil, err
		}
		if _, twice := object[name]; twice { // as in walk.object
			return nil, fail(join("", name), "given twice")
		}
		if r.peek() != ':' {
			return nil, within(name, r.broken())
		}
		r.at++
		if object[name], err = r.value(depth); err != nil {
			return nil, within(name, err)
		}
	}
	r.at++
	return object, nil
}

// list reads a list, whose bracket is next.
func (r *reader) list(depth int) ([]any, error) {
	if depth > maxDepth {
		return nil, fail("", "nested too deeply")
	}
	list := []any{}
	r.at++
	for next := r.peek(); next != ']'; next = r.peek() {
		if len(list) > 0 {
			if next != ',' {
				return nil, r.broken()
			}
			r.at++
		}
		value, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	r.at++
	return list, nil
}

// value reads any value of an object or a list that is depth levels deep.
func (r *reader) value(depth int) (any, error) {
	if r.values++; r.values > maxValues {
		return nil, fail("", "holds too many values")
	}
	switch c := r.peek(); c {
	case '{':
		return r.object(depth + 1)
	case '[':
		return r.list(depth + 1)
	case '"':
		return r.text()
	case 't':
		return true, r.word("true")
	case 'f':
		return false, r.word("false")
	case 'n':
		return nil, r.word("null")
	default:
		return r.number()
	}
}

func (r *reader) word(word string) error {
	if !bytes.HasPrefix(r.data[r.at:], []byte(word)) {
		return r.broken()
	}
	r.at += len(word)
	return nil
}

// text reads a string, whose quote is next.
func (r *reader) text() (string, error) {
	start, escaped, ascii := r.at, false, true
	for r.at++; r.at < len(r.data) && r.data[r.at] != '"'; r.at++ {
		switch c := r.data[r.at]; {
		case c < ' ':
			return "", r.broken()
		case c == '\\':
			escaped = true
			r.at++ // what is escaped may be a quote
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	if r.at >= len(r.data) {
		return "", r.broken()
	}
	r.at++
	raw := r.data[start:r.at]
	if !ascii && !utf8.Valid(raw) {
		return "", fail("", "not valid Unicode")
	}
	if !escaped {
		return string(raw[1 : len(raw)-1]), nil
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return "", fail("", "not valid JSON")
	}
	if hasLoneSurrogate(raw) {
		return "", fail("", "not valid Unicode")
	}
	return text, nil
}

// number reads a number as it is written.
func (r *reader) number() (json.Number, error) {
	start := r.at
	r.skip('-')
	if !r.skip('0') && !r.digits() {
		return "", r.broken()
	}
	if r.skip('.') && !r.digits() {
		return "", r.broken()
	}
	if r.skip('e') || r.skip('E') {
		if !r.skip('+') {
			r.skip('-')
		}
		if !r.digits() {
			return "", r.broken()
		}
	}
	return json.Number(r.data[start:r.at]), nil
}

// skip goes past c, if it is next.
func (r *reader) skip(c byte) bool {
	if r.at == len(r.data) || r.data[r.at] != c {
		return false
	}
	r.at++
	return true
}

// digits goes past digits, if there is one.
func (r *reader) digits() bool {
	start := r.at
	for r.at < len(r.data) && '0' <= r.data[r.at] && r.data[r.at] <= '9' {
		r.at++
	}
	return r.at > start
}

// within puts name before the field of an error about a value.
func within(name string, err error) error {
	var bad *Error
	if errors.As(err, &bad) {
		field := join("", name)
		if bad.Field != "" {
			field = join(field, bad.Field)
		}
		return fail(field, bad.Problem)
	}
	return err
}
