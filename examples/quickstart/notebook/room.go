package notebook

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/ostiary/auth"
)

const (
	writeTimeout = 10 * time.Second
	pingEvery    = 30 * time.Second // so that a peer that vanished is noticed
)

// room is a socket in which people edit a note together.
func (n *notebook) room(w http.ResponseWriter, r *http.Request) {
	name, ok := noteName(w, r)
	if !ok {
		return
	}
	user, ok := currentUser(w, r)
	if !ok {
		return
	}
	conn, err := auth.Accept(w, r, nil) // ends with the session
	if err != nil {
		return // Accept has answered
	}
	conn.SetReadLimit(maxMessage)
	permissions := auth.CheckedPermissions(r.Context())
	m, ctx := newMember(r.Context(), true, permissions.Has("contents", "read"))
	m.people = r.URL.Query().Get("people") == "1"
	written := make(chan struct{})
	go func() {
		defer close(written)
		m.write(ctx, conn)
	}()
	n.notes.join(name, m, func(text string) []byte {
		jupyter := user.Jupyter()
		hello := message{Type: "welcome", User: &jupyter, Permissions: permissions}
		if m.reads {
			hello.Text = &text
		}
		return hello.encode()
	})
	n.read(ctx, conn, name)
	n.notes.leave(name, m)
	m.drop()
	<-written
}

// write sends what is queued until ctx ends, or the client is too slow to live.
func (m *member) write(ctx context.Context, conn *websocket.Conn) {
	defer m.drop()
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case text := <-m.queue:
			err = timed(ctx, func(ctx context.Context) error { return conn.Write(ctx, websocket.MessageText, text) })
		case <-ping.C:
			err = timed(ctx, conn.Ping)
		}
		if err != nil {
			return
		}
	}
}

func timed(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return do(ctx)
}

// read takes edits until the socket ends, and ends it where what comes is none.
func (n *notebook) read(ctx context.Context, conn *websocket.Conn, name string) {
	for {
		kind, data, err := conn.Read(ctx)
		if err != nil {
			return // the client has left, was cut off, or its session is over
		}
		if kind != websocket.MessageText {
			_ = conn.Close(websocket.StatusUnsupportedData, "want text messages")
			return
		}
		fields, err := decodeStrings(data, "type", "text")
		if err == nil && fields["type"] != "edit" {
			err = errors.New("unknown type")
		}
		switch {
		case err != nil:
			_ = conn.Close(websocket.StatusInvalidFramePayloadData, `want {"type":"edit","text":…}`)
			return
		case len(fields["text"]) > maxText:
			_ = conn.Close(websocket.StatusMessageTooBig, "the text is too long")
			return
		}
		// Decided at each edit: between the end of a session and that of its socket, a client gets another word in, but
		// it has no right to it any more. Who may only read is not disturbed: the edit reaches nobody.
		if ok, err := auth.Can(ctx, "contents", "write"); err != nil || !ok {
			continue
		}
		user, ok := auth.UserFrom(ctx)
		if !ok {
			continue
		}
		if err := n.notes.set(name, fields["text"], user); err != nil {
			_ = conn.Close(websocket.StatusTryAgainLater, err.Error())
			return
		}
	}
}
