package token

// CheckProof reads a DPoP proof and verifies it.
func CheckProof(proof string, c ProofCheck) (Proof, error) {
	u, err := ReadProof(proof, c)
	if err != nil {
		return Proof{}, err
	}
	return u.Verify()
}
