package password

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/crypto/argon2"
)

// ErrBusy says that as many passwords are being hashed, and as many are waiting, as may be. It comes at once: answer
// 503 with Retry-After.
var ErrBusy = errors.New("password: too many are waiting to be hashed")

// Config configures a [Hasher].
type Config struct {
	// Params are the cost of new hashes, of a decoy, and what memory is planned for. Zero: [DefaultParams]. Less than
	// that makes stolen hashes cheaper to guess from.
	Params Params

	// Parallel is how many hashes are computed at once. Zero: GOMAXPROCS.
	Parallel int

	// Queue is how many may wait for their turn, beyond those being computed. Zero: 64.
	Queue int
}

const defaultQueue = 64

// A Hasher hashes and verifies passwords: at most Config.Parallel at once, further ones in the order in which they
// came, up to Config.Queue, and past that [ErrBusy]. All its work together takes at most Parallel times Params.Memory
// plus 20 MiB, uncollected garbage included; a stored hash that asks for more than that runs alone.
//
// The work runs in the caller's goroutine. A done context ends the waiting, not a hash under way, which takes
// milliseconds. A Hasher is safe for concurrent use.
type Hasher struct {
	params Params
	decoy  Hash
	gate   *gate
}

// NewHasher returns a Hasher. It refuses a negative number and a cost outside of what [Params] allows.
func NewHasher(cfg Config) (*Hasher, error) {
	if cfg.Params == (Params{}) {
		cfg.Params = DefaultParams()
	}
	if err := cfg.Params.check(); err != nil {
		return nil, fmt.Errorf("password: checking Config.Params: %w", err)
	}
	if cfg.Parallel < 0 || cfg.Queue < 0 {
		return nil, errors.New("password: checking Config: Parallel or Queue is negative")
	}
	if cfg.Parallel == 0 {
		cfg.Parallel = runtime.GOMAXPROCS(0)
	}
	if cfg.Queue == 0 {
		cfg.Queue = defaultQueue
	}
	return &Hasher{
		params: cfg.Params,
		decoy:  newHash(cfg.Params, random(saltLength), random(tagLength)),
		gate:   newGate(cfg.Parallel, cfg.Queue, int64(cfg.Parallel)*int64(cfg.Params.Memory)+slack, runtime.GC),
	}, nil
}

// Hash returns a new hash of password, under a salt of its own. It fails with [ErrBusy] or the error of ctx.
func (h *Hasher) Hash(ctx context.Context, password string) (Hash, error) {
	cost := int64(h.params.Memory)
	if err := h.gate.enter(ctx, cost); err != nil {
		return Hash{}, err
	}
	defer h.gate.leave(cost)
	salt := random(saltLength)
	tag := argon2.IDKey([]byte(password), salt, h.params.Time, h.params.Memory, h.params.Threads, tagLength)
	return newHash(h.params, salt, tag), nil
}

// Verify reports whether password is the one that hash was made from. It fails with [ErrBusy] or the error of ctx:
// then nothing is known about the password. For the zero Hash, which is no password's, it fails at once: who has none
// must take as long as anybody, so that is for [Hasher.Decoy].
func (h *Hasher) Verify(ctx context.Context, hash Hash, password string) (bool, error) {
	if hash == (Hash{}) {
		return false, errors.New("password: verifying: there is no hash")
	}
	if hash.cost() == 0 {
		if err := ctx.Err(); err != nil {
			return false, fmt.Errorf("password: verifying: %w", err)
		}
		return hash.matches(password)
	}
	if err := h.gate.enter(ctx, hash.cost()); err != nil {
		return false, err
	}
	defer h.gate.leave(hash.cost())
	return hash.matches(password)
}

// Decoy does the work of a Verify that fails, against a hash with the current parameters that no password matches:
// for a user who doesn't exist or has no password, so that the time of the answer doesn't tell. (It still tells who has a hash with
// other parameters, until that is replaced: see [Hash.Weaker].) It fails as Verify does.
func (h *Hasher) Decoy(ctx context.Context, password string) error {
	_, err := h.Verify(ctx, h.decoy, password)
	return err
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it would end the program
	return b
}
