package strictjson

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// Read reads the body of r into dst as [Decode] does. It answers nothing itself: on success it returns 0 and nil, else
// the status to answer with and why. That is an [*Error], which may be shown to the client, unless the status is 500.
//
//   - 415: the content type is missing, malformed, given twice or none of mediaTypes (application/json when there are
//     none), its charset is not UTF-8, or the body has a content encoding;
//   - 413: the body is longer than limit bytes; the connection is closed after the answer, so that the rest need not be
//     read;
//   - 400: the body is not what dst asks for;
//   - 500: dst is of an unsupported type, a mistake in the program.
func Read(w http.ResponseWriter, r *http.Request, limit int64, dst any, mediaTypes ...string) (status int, err error) {
	if len(mediaTypes) == 0 {
		mediaTypes = []string{"application/json"}
	}
	// A foreign page's form can send JSON, but not as application/json; and a decoder that guesses the encoding would
	// see another text than whatever checked the bytes before.
	if mediaType, ok := Types(r); !ok || !slices.Contains(mediaTypes, mediaType) {
		return http.StatusUnsupportedMediaType, fail("", "the content type must be "+strings.Join(mediaTypes, " or ")+" in UTF-8")
	}
	for _, encoding := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(encoding, "identity") {
			return http.StatusUnsupportedMediaType, fail("", "a content encoding is not supported")
		}
	}
	body := r.Body
	if body == nil {
		body = http.NoBody // a request that no server made
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, body, limit))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge, fail("", "the body is too large")
	}
	if err != nil {
		return http.StatusBadRequest, fail("", "the body can't be read")
	}
	if err := Decode(data, dst); err != nil {
		if bad := (*Error)(nil); errors.As(err, &bad) {
			return http.StatusBadRequest, err
		}
		return http.StatusInternalServerError, err
	}
	return 0, nil
}

// Types returns the media type of r's body in lower case, without its parameters. It is not ok when the content type
// is missing, malformed or given twice, or names a charset other than UTF-8.
func Types(r *http.Request) (mediaType string, ok bool) {
	given := r.Header.Values("Content-Type")
	if len(given) != 1 {
		return "", false
	}
	mediaType, params, err := mime.ParseMediaType(given[0])
	if err != nil {
		return "", false
	}
	if charset, named := params["charset"]; named && !strings.EqualFold(charset, "utf-8") {
		return "", false
	}
	return mediaType, true
}
