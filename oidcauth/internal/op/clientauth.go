package op

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.Hash
	_ "crypto/sha512"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// check looks at what the client proves itself with, and sets KeyAlg.
func (c *Config) check() error {
	secret := c.Auth == Basic || c.Auth == Post
	switch {
	case c.ClientID == "":
		return errors.New("no ClientID")
	case c.Auth < Basic || c.Auth > None:
		return fmt.Errorf("there is no Auth %d", c.Auth)
	case secret && c.ClientSecret == "":
		return errors.New("no ClientSecret, which this Auth needs")
	case !secret && c.ClientSecret != "":
		return errors.New("a ClientSecret, which is not for this Auth")
	case (c.Auth == PrivateKeyJWT) != (c.Key != nil):
		return errors.New("a Key is for PrivateKeyJWT, and is needed there")
	case c.Key == nil:
		return nil
	}
	algs := signingAlgs(c.Key.Public())
	if len(algs) == 0 {
		return errors.New("the Key is of a kind or size that can't be used")
	}
	c.KeyAlg = cmp.Or(c.KeyAlg, algs[0])
	if !slices.Contains(algs, c.KeyAlg) {
		return fmt.Errorf("KeyAlg %q: not one for this Key", c.KeyAlg)
	}
	return nil
}

// signingAlgs are the algorithms for a key (RFC 7518 section 3.1, RFC 8037 section 3.1), the usual one first.
func signingAlgs(public crypto.PublicKey) []string {
	switch key := public.(type) {
	case *rsa.PublicKey:
		if key.N != nil && key.N.BitLen() >= 2048 {
			return []string{"RS256", "PS256", "RS384", "PS384", "RS512", "PS512"}
		}
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return []string{"ES256"}
		case elliptic.P384():
			return []string{"ES384"}
		case elliptic.P521():
			return []string{"ES512"}
		}
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	}
	return nil
}

// authenticate adds the client's proof to a request.
func (p *Provider) authenticate(form url.Values, header http.Header) error {
	switch p.cfg.Auth {
	case Basic:
		// RFC 6749 section 2.3.1: both are form-urlencoded first. Without that, a colon in the ID would move the secret.
		id, secret := url.QueryEscape(p.cfg.ClientID), url.QueryEscape(p.cfg.ClientSecret)
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(id+":"+secret)))
		return nil
	case Post:
		form.Set("client_secret", p.cfg.ClientSecret)
	case PrivateKeyJWT:
		assertion, err := p.assertion()
		if err != nil {
			return fmt.Errorf("signing the client assertion: %w", err)
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	}
	form.Set("client_id", p.cfg.ClientID)
	return nil
}

// assertionLasting is how long an assertion is valid. It is used at once, so this is for clocks that differ.
const assertionLasting = time.Minute

// assertion makes a client assertion (RFC 7523 section 3), a new one for each request since a provider takes it once.
func (p *Provider) assertion() (string, error) {
	now := p.cfg.Now()
	header := map[string]any{"alg": p.cfg.KeyAlg, "typ": "JWT"}
	if p.cfg.KeyID != "" {
		header["kid"] = p.cfg.KeyID
	}
	claims := map[string]any{
		"iss": p.cfg.ClientID, "sub": p.cfg.ClientID, "aud": cmp.Or(p.cfg.Audience, p.cfg.Issuer),
		"jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(assertionLasting).Unix(),
	}
	h, err := json.Marshal(header)
	if err != nil {
		return "", err // unreachable: strings
	}
	c, err := json.Marshal(claims)
	if err != nil {
		return "", err // unreachable: strings and whole numbers
	}
	text := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
	signature, err := sign(p.cfg.Key, p.cfg.KeyAlg, []byte(text))
	if err != nil {
		return "", err
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// sign is written here, over [crypto.Signer], so that the key may stay in a key service: there, PS256 needs a salt of exactly
// the hash's length (RFC 7518 section 3.5) asked for.
func sign(key crypto.Signer, alg string, text []byte) ([]byte, error) {
	if alg == "EdDSA" {
		return key.Sign(rand.Reader, text, crypto.Hash(0))
	}
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[alg[2:]]
	h := hash.New()
	h.Write(text) // never fails
	digest := h.Sum(nil)
	switch alg[:2] {
	case "PS":
		return key.Sign(rand.Reader, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash})
	case "ES":
		der, err := key.Sign(rand.Reader, digest, hash)
		if err != nil {
			return nil, err
		}
		return rawECDSA(der, key.Public())
	}
	return key.Sign(rand.Reader, digest, hash)
}

// rawECDSA turns a signature into the form of RFC 7518 section 3.4: r and s, each as long as the curve's order.
func rawECDSA(der []byte, public crypto.PublicKey) ([]byte, error) {
	key, ok := public.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("the key is another one now")
	}
	size := (key.Curve.Params().N.BitLen() + 7) / 8
	var signature struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &signature); err != nil || len(rest) > 0 {
		return nil, errors.New("the key's signature isn't one")
	}
	if signature.R.Sign() <= 0 || signature.S.Sign() <= 0 || max(signature.R.BitLen(), signature.S.BitLen()) > size*8 {
		return nil, errors.New("the key's signature isn't one")
	}
	raw := make([]byte, 2*size)
	signature.R.FillBytes(raw[:size])
	signature.S.FillBytes(raw[size:])
	return raw, nil
}
