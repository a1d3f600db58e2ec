package page

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// RetryAfter says in the header when to try again: in whole seconds, at least one (RFC 9110 section 10.2.3), and rounded up, so
// that a client that waits that long is not too early.
func RetryAfter(h http.Header, wait time.Duration) {
	h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
}
