package token_test

import "testing"

// oidcc-client-test, rp-id_token-sig-rs256 and those of every other algorithm that may be configured.
func TestEveryKindOfTokenIsAcceptedByEveryAlgorithm(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgs {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			key := signerOf(alg)
			accepted(t, checkID(t, sign(alg, key, header(alg, "JWT").json(), idClaims().json())))
			accepted(t, checkAccess(t, sign(alg, key, header(alg, "at+jwt").json(), accessClaims().json())))
			accepted(t, checkLogout(t, sign(alg, key, header(alg, "logout+jwt").json(), logoutClaims().json())))
		})
	}
}
