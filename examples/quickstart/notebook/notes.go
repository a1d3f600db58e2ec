package notebook

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"

	"github.com/ostiary/auth"
)

// maxQueued is how many messages a member may be behind.
const maxQueued = 64

var errFull = errors.New("there are too many notes: delete one first")

// notes are all notes, and who has them open. One lock makes everybody see the same changes in the same order; nothing
// that waits is done under it.
type notes struct {
	mu     sync.Mutex
	byName map[string]*note
	count  int // of those that exist
}

// A note that doesn't exist is kept only while somebody has it open.
type note struct {
	exists  bool
	text    string
	members []*member // in the order of their coming
}

// A member is an open socket or stream.
type member struct {
	ctx    context.Context // of the request: who this is, as it stands now
	id     string          // auth.Identity.ID: two tabs are one person
	socket bool
	reads  bool
	people bool // wants to know who is here
	queue  chan []byte
	drop   context.CancelFunc
}

// newMember makes a member that is dropped when it falls behind. The handler must end when ctx does.
func newMember(ctx context.Context, socket, reads bool) (m *member, dropped context.Context) {
	dropped, drop := context.WithCancel(ctx)
	id, _ := auth.IdentityFrom(ctx)
	return &member{ctx: ctx, id: id.ID, socket: socket, reads: reads, queue: make(chan []byte, maxQueued), drop: drop}, dropped
}

// send queues a message. It never waits: who doesn't read must not hold up those who do.
func (m *member) send(message []byte) {
	select {
	case m.queue <- message:
	default:
		m.drop()
	}
}

// message is what goes to sockets and, but for the text, not to streams.
type message struct {
	Type        string             `json:"type"`
	User        *auth.JupyterUser  `json:"user,omitempty"`
	Permissions auth.Permissions   `json:"permissions,omitempty"`
	Text        *string            `json:"text,omitempty"` // also when it is empty
	Users       []auth.JupyterUser `json:"users,omitempty"`
}

func (m message) encode() []byte {
	data, err := json.Marshal(m)
	if err != nil {
		panic(err) // unreachable: strings, and lists and maps of strings
	}
	return data
}

func event(text string) []byte {
	data, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		panic(err) // unreachable: a string
	}
	return data
}

func (s *notes) get(name string) (text string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.byName[name]; n != nil && n.exists {
		return n.text, true
	}
	return "", false
}

// set changes a note, or makes it, and tells all who have it open.
func (s *notes) set(name, text string, by auth.User) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.byName[name]
	if n == nil || !n.exists {
		if s.count >= maxNotes {
			return errFull
		}
		n = s.open(name)
		n.exists = true
		s.count++
	}
	n.change(text, by)
	return nil
}

// remove reports whether there was such a note.
func (s *notes) remove(name string, by auth.User) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.byName[name]
	if n == nil || !n.exists {
		return false
	}
	n.exists = false
	s.count--
	n.change("", by)
	s.forget(name, n)
	return true
}

// join adds m to a note, and sends it what hello makes of the text before anything else.
func (s *notes) join(name string, m *member, hello func(text string) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.open(name)
	m.send(hello(n.text))
	n.members = append(n.members, m)
	n.tellPeople()
}

func (s *notes) leave(name string, m *member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.byName[name]
	n.members = slices.DeleteFunc(n.members, func(other *member) bool { return other == m })
	n.tellPeople()
	s.forget(name, n)
}

// tellPeople tells everybody everywhere who is here: somebody may have another name now.
func (s *notes) tellPeople() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.byName {
		n.tellPeople()
	}
}

func (s *notes) open(name string) *note {
	n := s.byName[name]
	if n == nil {
		n = &note{}
		s.byName[name] = n
	}
	return n
}

func (s *notes) forget(name string, n *note) {
	if !n.exists && len(n.members) == 0 {
		delete(s.byName, name)
	}
}

func (n *note) change(text string, by auth.User) {
	n.text = text
	user := by.Jupyter()
	edit, data := message{Type: "edit", Text: &text, User: &user}.encode(), event(text)
	for _, m := range n.members {
		switch {
		case !m.reads:
		case m.socket:
			m.send(edit)
		default:
			m.send(data)
		}
	}
}

func (n *note) tellPeople() {
	wanted := func(m *member) bool { return m.people && m.reads }
	if !slices.ContainsFunc(n.members, wanted) {
		return
	}
	users := []auth.JupyterUser{}
	seen := map[string]bool{}
	for _, m := range n.members {
		// The user as it stands now: nobody is listed under an old name, or after the end of the session.
		if user, ok := auth.UserFrom(m.ctx); ok && m.socket && !seen[m.id] {
			seen[m.id] = true
			users = append(users, user.Jupyter())
		}
	}
	people := message{Type: "people", Users: users}.encode()
	for _, m := range n.members {
		if wanted(m) {
			m.send(people)
		}
	}
}
