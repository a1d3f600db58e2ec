package notebook

import (
	"fmt"
	"net/http"
	"time"

	"github.com/ostiary/auth"
)

// keepAlive is how often a silent stream says that it is still there: to proxies, and to notice who has left.
const keepAlive = 30 * time.Second

// stream sends the text of a note, then each change of it, as server-sent events.
func (n *notebook) stream(w http.ResponseWriter, r *http.Request) {
	name, ok := noteName(w, r)
	if !ok {
		return
	}
	live, cancel := auth.Live(r.Context()) // ends with the session
	defer cancel()
	m, ctx := newMember(live, false, true)
	defer m.drop()

	out := http.NewResponseController(w)
	_ = out.SetReadDeadline(time.Time{}) // the server's time limits are for requests that end
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would wait for more
	if r.Method == http.MethodHead {
		return
	}
	send := func(format string, data ...any) error {
		_ = out.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := fmt.Fprintf(w, format, data...); err != nil {
			return err
		}
		return out.Flush()
	}

	n.notes.join(name, m, event)
	defer n.notes.leave(name, m)
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case data := <-m.queue:
			err = send("data: %s\n\n", data)
		case <-alive.C:
			err = send(": still here\n\n")
		}
		if err != nil {
			return
		}
	}
}
