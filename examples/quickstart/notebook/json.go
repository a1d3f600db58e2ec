package notebook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"unicode/utf8"
)

// decodeStrings reads one JSON object that has exactly the fields named, each a string. Into a struct, encoding/json
// takes "TEXT" for "text" and the last of two; a reader before or behind this one may take the first.
func decodeStrings(data []byte, names ...string) (map[string]string, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("the body is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("the body is not a JSON object")
	}
	fields := map[string]string{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, errors.New("the body is not valid JSON")
		}
		name, _ := key.(string) // the decoder takes no other key
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("field %q: unknown", name)
		}
		if _, twice := fields[name]; twice {
			return nil, fmt.Errorf("field %q: given twice", name)
		}
		value, err := dec.Token()
		if err != nil {
			return nil, errors.New("the body is not valid JSON")
		}
		text, ok := value.(string)
		if !ok {
			return nil, fmt.Errorf("field %q: not a string", name)
		}
		fields[name] = text
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, errors.New("the body is not valid JSON")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	for _, name := range names {
		if _, given := fields[name]; !given {
			return nil, fmt.Errorf("field %q: missing", name)
		}
	}
	return fields, nil
}

// content is a note, and problem an answer that is no success, as clients see them.
type (
	content struct {
		Name string `json:"name"`
		Text string `json:"text"`
	}
	problem struct {
		Error string `json:"error"`
		Code  string `json:"code"`
	}
)

func writeJSON[T content | problem](w http.ResponseWriter, status int, v T) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // unreachable: strings
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}

func fail(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, status, problem{text, code})
}
