package oidctest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
)

// signatures are logins whose ID token says what it should, but for how it is signed and written.
func signatures() []Behaviour {
	header := func(name, does string, want Verdict, member string, value any) Behaviour {
		return idToken(name, does, want, func(t *JWT) { t.Header[member] = value })
	}
	edited := func(name, does string, edit func(string) string) Behaviour {
		return idToken(name, does, Refuse, func(t *JWT) { t.Edit = edit })
	}
	rs256 := func(p *Provider) Key { return p.NewKey("RS256") }
	return []Behaviour{
		idToken("J-01 alg none with a signature", "the key's own", Refuse, func(t *JWT) { t.Header["alg"] = "none" }),
		idToken("J-01 no alg", "and the key's own signature", Refuse, func(t *JWT) { delete(t.Header, "alg") }),
		signedBy("J-02 HS256 with the client's secret", "which is no key", func(p *Provider) Key {
			return Key{Alg: "HS256", Secret: []byte(p.first().Secret)}
		}, nil),
		signedBy("J-02 HS256 with the public key", "as PEM",
			func(p *Provider) Key { return Key{Alg: "HS256", Secret: publicPEM(p)} }, nil),
		signedBy("J-03 a published symmetric key", "HS256 with it", func(*Provider) Key {
			return Key{ID: "symmetric", Alg: "HS256", Secret: []byte(rand.Text())}
		}, func(k Key) map[string]any {
			return map[string]any{"kty": "oct", "kid": k.ID, "alg": "HS256", "use": "sig", "k": encode(k.Secret)}
		}),
		signedBy("J-06 an encryption key signs", "use: enc", rs256, func(k Key) map[string]any {
			jwk := k.JWK()
			jwk["use"] = "enc"
			delete(jwk, "alg")
			return jwk
		}),
		signedBy("J-06 a key that may not verify signs", "key_ops: encrypt", rs256, func(k Key) map[string]any {
			jwk := k.JWK()
			delete(jwk, "use")
			jwk["key_ops"] = []string{"encrypt"}
			return jwk
		}),
		also(signedBy("J-07 a key in the header", "jwk, of a stranger", rs256, nil),
			func(t *JWT) { t.Header["jwk"] = t.Key.JWK() }),
		also(signedBy("J-07 a key's address in the header", "jku, which nobody may fetch", rs256, nil), func(t *JWT) {
			t.Header["jku"] = t.Claims["iss"].(string) + "/elsewhere"
		}),
		signedBy("J-09 a stranger's key", "with a kid that isn't published", rs256, nil),
		signedBy("J-14 a small RSA key", "1024 bits, published", smallKey, Key.JWK),
		header("J-08 kid is a path", "and published by nobody", Refuse, "kid", "../../../../dev/null"),
		header("J-08 kid is a number", "", Refuse, "kid", 1),
		header("J-10 empty kid", "with one key in the JWKS", Either, "kid", ""),
		header("J-15 crit of something unknown", "", Refuse, "crit", []string{"unknown"}),
		header("J-15 empty crit", "", Refuse, "crit", []string{}),
		header("J-16 zip", "DEF", Refuse, "zip", "DEF"),
		idToken("J-25 alg twice", "none, then the right one", Refuse, func(t *JWT) {
			t.RawHeader = append([]byte(`{"alg":"none",`), mustJSON(t.Header)[1:]...)
		}),
		edited("J-13 a signature of zeros", "as long as the right one", func(s string) string {
			input, sig := cutSignature(s)
			return input + "." + strings.Repeat("A", len(sig))
		}),
		edited("J-17 JSON serialisation", "flattened", flattened),
		edited("J-19 white space", "a line end behind the token", func(s string) string { return s + "\n" }),
		edited("J-20 other unused bits", "in the signature's last character", unusedBits),
		edited("J-20 padding", "behind the signature", func(s string) string { return s + "=" }),
		edited("J-21 two parts", "the signature is missing", func(s string) string { input, _ := cutSignature(s); return input }),
		edited("J-21 four parts", "", func(s string) string { return s + ".AAAA" }),
		edited("J-21 an empty header", "{}", func(s string) string { return "e30" + s[strings.IndexByte(s, '.'):] }),
		idToken("J-22 larger than any token", "100 kB", Refuse, set("padding", strings.Repeat("a", 100_000))),
	}
}

// also adds to what b does to ID tokens.
func also(b Behaviour, more func(*JWT)) Behaviour {
	hooks := b.Hooks
	b.Hooks = func(p *Provider) Hooks {
		h := hooks(p)
		first := h.OnIDToken
		h.OnIDToken = func(t *JWT) {
			first(t)
			more(t)
		}
		return h
	}
	return b
}

// publicPEM is the provider's RSA key as many programs would hand it to an HMAC by mistake.
func publicPEM(p *Provider) []byte {
	der, err := x509.MarshalPKIXPublicKey(p.Key("RS256").Public())
	if err != nil {
		panic(fmt.Sprintf("oidctest: the public key as PEM: %v", err)) // unreachable: it is an RSA key
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// smallKey is a key below what RFC 7518 §3.3 demands. It isn't from the pool, where the others belong.
func smallKey(*Provider) Key {
	key, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // G403: too small on purpose
	if err != nil {
		panic(fmt.Sprintf("oidctest: a small RSA key: %v", err))
	}
	return Key{ID: "small", Alg: "RS256", Private: key}
}

func cutSignature(compact string) (input, signature string) {
	at := strings.LastIndexByte(compact, '.')
	return compact[:at], compact[at+1:]
}

// flattened is the token in the flattened JSON serialisation (RFC 7515 §7.2.2).
func flattened(compact string) string {
	parts := strings.Split(compact, ".")
	return string(mustJSON(map[string]string{"protected": parts[0], "payload": parts[1], "signature": parts[2]}))
}

// unusedBits changes the bits of the last character that mean nothing: the same signature for lenient decoders.
func unusedBits(compact string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(compact) - 1
	other := alphabet[strings.IndexByte(alphabet, compact[last])^1]
	_, signature := cutSignature(compact)
	if len(signature)%4 == 0 { // no bits to spare: spoil it
		return compact + string(other)
	}
	changed := compact[:last] + string(other)
	if _, err := base64.RawURLEncoding.DecodeString(signature[:len(signature)-1] + string(other)); err != nil {
		return compact + "=" // unreachable: one bit of a valid character is another valid one
	}
	return changed
}
