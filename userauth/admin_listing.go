package userauth

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"unicode/utf8"

	"github.com/ostiary/auth"
)

const (
	defaultListing = 50
	largestListing = 200
)

// A listing is the part of a list that a request asks for.
type listing struct {
	search string
	after  string // the "next" of the part before; empty: from the beginning
	limit  int
}

// readListing reads ?search=, ?after= and ?limit=. Other parameters are without effect. What is given twice is refused:
// two readers could take it for two requests.
func readListing(r *http.Request) (listing, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return listing{}, &auth.FieldError{Field: "query", Problem: "malformed"}
	}
	for _, name := range []string{"search", "after", "limit"} {
		switch values := query[name]; {
		case len(values) > 1:
			return listing{}, &auth.FieldError{Field: name, Problem: "given twice"}
		case len(values) == 1 && !utf8.ValidString(values[0]):
			return listing{}, &auth.FieldError{Field: name, Problem: "is not valid text"}
		}
	}
	l := listing{search: query.Get("search"), after: query.Get("after"), limit: defaultListing}
	if text := query.Get("limit"); text != "" {
		if l.limit, err = strconv.Atoi(text); err != nil || l.limit < 1 || l.limit > largestListing {
			return listing{}, &auth.FieldError{Field: "limit", Problem: "want a number from 1 to " + strconv.Itoa(largestListing)}
		}
	}
	return l, nil
}

// at is the query of the part of the same list that begins behind after.
func (l listing) at(after string) string {
	query := url.Values{}
	for name, value := range map[string]string{"search": l.search, "after": after} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if l.limit != defaultListing {
		query.Set("limit", strconv.Itoa(cmp.Or(l.limit, defaultListing)))
	}
	if len(query) == 0 {
		return ""
	}
	return "?" + query.Encode()
}
