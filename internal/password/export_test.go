package password

// The gate, so that the tests can hold a turn for as long as they like.
type Gate = gate

var (
	NewGate = newGate
	Enter   = (*gate).enter
	Leave   = (*gate).leave
)

const Slack = slack

// Cost returns the memory that matching a password takes, in KiB.
func Cost(h Hash) int64 { return h.cost() }

// Gate returns the gate of h.
func (h *Hasher) Gate() *Gate { return h.gate }

// DecoyHash returns what Decoy verifies against.
func (h *Hasher) DecoyHash() Hash { return h.decoy }

// Prefixes returns how the formats begin.
func Prefixes() (all []string) {
	for _, format := range formats {
		all = append(all, format.prefix)
	}
	return all
}
