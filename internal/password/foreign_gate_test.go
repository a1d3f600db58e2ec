package password_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/ostiary/auth/internal/password"
)

// costly are hashes of each family, of "password" or of nothing that anybody knows.
var costly = map[string]string{
	"Argon2id": "$argon2id$v=19$m=65536,t=2,p=1$" + salt8 + "$" + tag32,
	"Argon2i":  "argon2$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
	"bcrypt":   "$2b$05$abcdefghijklmnopqrstuu8.veTXNDPV2eEsdpKNczMw2otgh5LnK",
	"scrypt":   "$scrypt$ln=15,r=8,p=2$XStFSOmd876XMkZIiTGmVA$/CwKRWxY6A3anQy/Tgv5w5EJr3gvVzQjMEq7+m4yKgg",
	"PBKDF2":   "$pbkdf2-sha256$29000$PGcshVBKidE6R6h1zlnLuQ$4WTpN.WyueJe4iu01F008QDyf./x2qURuZ74ZQ2mCtI",
	"crypt(3)": "$6$rounds=1000$0123456789abcdef$6v412np0KHcUUM0xwMhlFF2ZFC550C6p0dO.CTGK.XEfjNhkW/43.H71l0S38mqol2Oe1BDAVpCvazfilPhly1",
}

// PH-14: a foreign hash waits for its turn like our own, however little memory it takes: its time is the processor's, too.
func TestForeignHashesTakeTurns(t *testing.T) {
	t.Parallel()
	for name, encoded := range costly {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h, err := password.NewHasher(password.Config{Params: password.Params{Memory: 64, Time: 1, Threads: 1}, Parallel: 1, Queue: 1})
				if err != nil {
					t.Fatal(err)
				}
				stored := mustParse(t, encoded)
				verify := func(ctx context.Context) error { _, err := h.Verify(ctx, stored, "a wrong one"); return err }
				if err := verify(t.Context()); err != nil {
					t.Fatalf("alone: got %v", err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				queued(ctx, h.Gate(), 64)
				waits := queued(ctx, h.Gate(), 64)
				if err := verify(ctx); !errors.Is(err, password.ErrBusy) {
					t.Errorf("with a full queue: got %v, want ErrBusy", err)
				}
				cancel()
				<-waits
				password.Leave(h.Gate(), 64)
			})
		})
	}
}

// PH-14: a hash takes the memory that the gate is told, and no more: what it is told bounds what all of them take
// together. It isn't parallel, since others' memory would count, too.
func TestForeignHashesTakeTheMemoryThatIsPlanned(t *testing.T) {
	const besides = 64 << 10 // bytes for all else
	for name, encoded := range costly {
		h, stored := hasher(t), mustParse(t, encoded)
		planned := uint64(password.Cost(stored)) << 10
		got := allocated(t, func() error { _, err := h.Verify(t.Context(), stored, "a wrong one"); return err })
		if got > planned+besides || got+besides < planned {
			t.Errorf("%s: got %d bytes, want about the %d that are planned", name, got, planned)
		}
	}
}

// PH-14: a foreign hash that is dearer than our own doesn't run beside what would fill the memory with it.
func TestACostlyForeignHashWaitsForRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, err := password.NewHasher(password.Config{Params: password.Params{Memory: 64, Time: 1, Threads: 1}, Parallel: 4, Queue: 4})
		if err != nil {
			t.Fatal(err)
		}
		stored := mustParse(t, costly["scrypt"]) // 32 MiB, more than the room of 20 MiB
		small := queued(t.Context(), h.Gate(), 64)
		if len(small) != 1 {
			t.Fatal("the small one has no turn, and nobody else is there")
		}
		done := make(chan error, 1)
		go func() {
			_, err := h.Verify(t.Context(), stored, "a wrong one")
			done <- err
		}()
		synctest.Wait()
		if len(done) != 0 {
			t.Error("the large one has run beside the small one")
		}
		password.Leave(h.Gate(), 64)
		if err := <-done; err != nil {
			t.Errorf("alone: got %v", err)
		}
	})
}
