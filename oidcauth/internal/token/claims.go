package token

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/ostiary/auth/internal/strictjson"
)

// Claims are the members of a JSON object that a provider sent: a token's payload, userinfo, an introspection. Names are
// exact: encoding/json would take "SUB" for "sub".
type Claims map[string]any

// ParseClaims reads one JSON object without duplicate names.
func ParseClaims(data []byte) (Claims, error) {
	object, err := strictjson.Object(data)
	return Claims(object), err
}

// Text gives a claim that is a string and not empty.
func (c Claims) Text(name string) (value string, ok bool) {
	value, ok = c[name].(string)
	return value, ok && value != ""
}

// Time gives a claim that is a NumericDate (RFC 7519 section 2) in Unix seconds. ok is false for what is no number or none
// that a clock will ever show.
func (c Claims) Time(name string) (seconds int64, ok bool) {
	number, isNumber := c[name].(json.Number)
	if !isNumber {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(number), 64)
	if err != nil || math.Abs(f) > math.MaxInt32*100 { // the year 8775
		return 0, false
	}
	return int64(math.Floor(f)), true
}

// Texts gives a claim that is a list of strings, or one string.
func (c Claims) Texts(name string) (values []string, ok bool) {
	switch value := c[name].(type) {
	case string:
		return []string{value}, true
	case []any:
		for _, element := range value {
			text, isText := element.(string)
			if !isText {
				return nil, false
			}
			values = append(values, text)
		}
		return values, true
	}
	return nil, false
}
