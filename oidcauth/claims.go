package oidcauth

import "strings"

// Claims are what a provider says of a person, or of the client that a token was made for: the members of an ID token, of
// userinfo, of an access token or of its introspection. Names are exact. A value is a string, a bool, a [json.Number], a
// []any, a map[string]any or nil. Claims are shared and read only.
type Claims map[string]any

// Value gives the claim of this name, or what a path of names with dots between leads to: "realm_access.roles" is the
// member "roles" of the claim "realm_access". A name that has dots itself, such as "https://app.example/roles", is found as
// it is, before it is taken for a path; so is one within an object.
func (c Claims) Value(path string) (value any, ok bool) {
	if value, ok = c[path]; ok {
		return value, true
	}
	for end := strings.LastIndexByte(path, '.'); end >= 0; end = strings.LastIndexByte(path[:end], '.') {
		object, isObject := c[path[:end]].(map[string]any)
		if !isObject {
			continue
		}
		if value, ok = Claims(object).Value(path[end+1:]); ok {
			return value, true
		}
	}
	return nil, false
}

// Text gives a claim that is a string and not empty. The path is one of [Claims.Value], as for the other methods.
func (c Claims) Text(path string) (text string, ok bool) {
	value, _ := c.Value(path)
	text, ok = value.(string)
	return text, ok && text != ""
}

// Texts gives a claim that is a list of strings. A list that holds anything else is none, nor is a single string.
func (c Claims) Texts(path string) (texts []string, ok bool) {
	value, _ := c.Value(path)
	list, ok := value.([]any)
	if !ok {
		return nil, false
	}
	for _, element := range list {
		text, isText := element.(string)
		if !isText {
			return nil, false
		}
		texts = append(texts, text)
	}
	return texts, true
}

// elsewhere tells whether the provider says that it keeps a claim somewhere else (OpenID Connect Core section 5.6.2), as
// Microsoft Entra does with groups that are too many for a token. What it sent then isn't the claim.
func (c Claims) elsewhere(path string) bool {
	names, _ := c["_claim_names"].(map[string]any)
	for name := range names {
		if path == name || strings.HasPrefix(path, name+".") {
			return true
		}
	}
	return false
}
