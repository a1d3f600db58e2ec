package store

import (
	"strings"
	"unicode/utf8"
)

// A key is a text that an index holds, as an argument of a statement that stores it.
type key string

// maxKey is how long a key can be, in bytes. MySQL without its strict mode would cut a longer one off, and find another's.
const maxKey = 1024

// storable is false for what one of the databases can't store, for all of them: an application behaves the same on each.
// PostgreSQL knows no NUL and no text that isn't UTF-8. It makes strings of keys.
func storable(args []any) bool {
	for i, arg := range args {
		text, ok := arg.(string)
		if k, isKey := arg.(key); isKey {
			if len(k) > maxKey {
				return false
			}
			text, ok, args[i] = string(k), true, string(k)
		}
		if ok && (!utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0) {
			return false
		}
	}
	return true
}
