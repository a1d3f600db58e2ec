package oidctest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/ostiary/auth/internal/oidctest"
)

// strictClient is a relying party that refuses all that it may: the behaviours are held against it.
type strictClient struct {
	p      *oidctest.Provider
	client oidctest.Client
	http   *http.Client
	asks   url.Values
}

func newStrictClient(p *oidctest.Provider, c oidctest.Client, asks url.Values) *strictClient {
	h := *p.Client()
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &strictClient{p, c, &h, asks}
}

type strictTokens struct {
	claims  map[string]any
	refresh string
	idToken string
}

// fetch sends a request and returns the JSON object of the answer, in good time and of a fair size.
func (s *strictClient) fetch(ctx context.Context, method, to string, form url.Values, header http.Header) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // of which a busy machine takes two
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := s.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<18))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 || resp.Header.Get("Content-Type") != "application/json" {
		return nil, fmt.Errorf("got %d %q", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	return body, single(body)
}

// single refuses an object with anything behind it, and names that are given twice, in any case.
func single(object []byte) error {
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("no JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		folded := strings.ReplaceAll(strings.ToLower(name.(string)), "\u017f", "s")
		if seen[folded] {
			return fmt.Errorf("%q is there twice", name)
		}
		seen[folded] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more behind the object")
	}
	if !json.Valid(object) || !bytes.Equal(bytes.ToValidUTF8(object, nil), object) {
		return errors.New("not UTF-8")
	}
	return nil
}

func (s *strictClient) metadata(ctx context.Context) (map[string]any, error) {
	body, err := s.fetch(ctx, http.MethodGet, s.p.Issuer()+"/.well-known/openid-configuration", nil, nil)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil || m["issuer"] != s.p.Issuer() {
		return nil, errors.New("metadata of another issuer")
	}
	for name, optional := range map[string]bool{"authorization_endpoint": false, "token_endpoint": false, "jwks_uri": false,
		"userinfo_endpoint": true} {
		to, isText := m[name].(string)
		if m[name] == nil && optional {
			continue
		}
		if !isText || !strings.HasPrefix(to, s.p.Issuer()+"/") {
			return nil, fmt.Errorf("%s is %v", name, m[name])
		}
	}
	return m, nil
}

// login is a whole login of whoever is signed in.
func (s *strictClient) login(ctx context.Context) (*strictTokens, error) {
	m, err := s.metadata(ctx)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	params := url.Values{
		"client_id": {s.client.ID}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid profile email offline_access"},
		"state": {"the-state"}, "nonce": {"the-nonce"}, "code_challenge": {s256(verifier)}, "code_challenge_method": {"S256"},
	}
	for name, values := range s.asks {
		params[name] = values
	}
	basicAuth := http.Header{"Authorization": {basic(s.client.ID, s.client.Secret)}}
	if s.client.RequirePAR {
		body, err := s.fetch(ctx, http.MethodPost, s.p.Endpoint("par"), params, basicAuth)
		if err != nil {
			return nil, fmt.Errorf("par: %w", err)
		}
		var pushed struct {
			URI string `json:"request_uri"`
		}
		if err := json.Unmarshal(body, &pushed); err != nil {
			return nil, err
		}
		params = url.Values{"client_id": {s.client.ID}, "request_uri": {pushed.URI}}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, m["authorization_endpoint"].(string)+"?"+params.Encode(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.http.Do(r)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	back, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		return nil, err
	}
	q := back.Query()
	for _, name := range []string{"code", "state", "iss"} {
		if len(q[name]) != 1 {
			return nil, fmt.Errorf("callback: %s: got %d", name, len(q[name]))
		}
	}
	if len(q) != 3 || q.Get("state") != "the-state" || q.Get("iss") != s.p.Issuer() || len(q.Get("code")) > 1000 ||
		q.Get("code") == "" {
		return nil, errors.New("callback: not what was asked for")
	}
	return s.tokens(ctx, m, url.Values{
		"grant_type": {"authorization_code"}, "code": q["code"], "redirect_uri": {callback}, "code_verifier": {verifier},
	}, nil)
}

// tokens asks the token endpoint; before is what a refresh must agree with.
func (s *strictClient) tokens(ctx context.Context, m map[string]any, form url.Values, before *strictTokens) (*strictTokens,
	error) {
	body, err := s.fetch(ctx, http.MethodPost, m["token_endpoint"].(string), form,
		http.Header{"Authorization": {basic(s.client.ID, s.client.Secret)}})
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	var answer struct {
		Access  string `json:"access_token"`
		Type    string `json:"token_type"`
		ID      string `json:"id_token"`
		Refresh string `json:"refresh_token"`
		Error   string `json:"error"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	if answer.Access == "" || !strings.EqualFold(answer.Type, "Bearer") || answer.Error != "" || answer.ID == "" &&
		before == nil {
		return nil, errors.New("token: not a good answer")
	}
	tokens := &strictTokens{refresh: answer.Refresh, idToken: answer.ID}
	if answer.ID != "" {
		if tokens.claims, err = s.verify(ctx, m, answer.ID, answer.Access, before); err != nil {
			return nil, fmt.Errorf("ID token: %w", err)
		}
	} else {
		tokens.claims = before.claims
	}
	if m["userinfo_endpoint"] == nil {
		return tokens, nil
	}
	body, err = s.fetch(ctx, http.MethodGet, m["userinfo_endpoint"].(string), nil,
		http.Header{"Authorization": {"Bearer " + answer.Access}})
	if err != nil {
		return nil, fmt.Errorf("userinfo: %w", err)
	}
	var info map[string]any
	if err := json.Unmarshal(body, &info); err != nil || info["sub"] != tokens.claims["sub"] || info["iss"] != nil {
		return nil, errors.New("userinfo: of somebody else")
	}
	return tokens, nil
}

// verify checks an ID token.
func (s *strictClient) verify(ctx context.Context, m map[string]any, token, access string,
	before *strictTokens) (map[string]any, error) {
	claims, header, err := s.opened(ctx, m, token)
	if err != nil {
		return nil, err
	}
	if typ, has := header["typ"]; has && typ != "JWT" {
		return nil, errors.New("typ of another token")
	}
	now := time.Now()
	iat, exp := date(claims["iat"]), date(claims["exp"])
	switch {
	case claims["azp"] != nil && claims["azp"] != s.client.ID:
		return nil, errors.New("azp")
	case exp.Before(now) || exp.After(now.Add(24*time.Hour)):
		return nil, errors.New("exp")
	case iat.After(now.Add(time.Minute)) || iat.Before(now.Add(-time.Hour)):
		return nil, errors.New("iat")
	case claims["nbf"] != nil && (date(claims["nbf"]).IsZero() || date(claims["nbf"]).After(now.Add(time.Minute))):
		return nil, errors.New("nbf")
	case claims["nonce"] != "the-nonce":
		return nil, errors.New("nonce")
	case s.asks.Has("acr_values") && claims["acr"] != s.asks.Get("acr_values"):
		return nil, errors.New("acr")
	case s.asks.Has("max_age") && date(claims["auth_time"]).Sub(now).Abs() > 2*time.Minute:
		return nil, errors.New("auth_time")
	}
	if hash := claims["at_hash"]; hash != nil && hash != s256Half(access) && header["alg"] == "RS256" {
		return nil, errors.New("at_hash")
	}
	if before != nil {
		for _, name := range []string{"iss", "sub", "aud", "auth_time"} {
			if fmt.Sprint(claims[name]) != fmt.Sprint(before.claims[name]) {
				return nil, fmt.Errorf("%s isn't the login's", name)
			}
		}
	}
	return claims, nil
}

// opened checks what all tokens have in common: form, algorithm, key, signature, iss, aud, sub.
func (s *strictClient) opened(ctx context.Context, m map[string]any, token string) (claims, header map[string]any, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > 16<<10 || strings.Trim(token, unreservedDot) != "" {
		return nil, nil, errors.New("not a JWT in compact form")
	}
	var raw [3][]byte
	for i, part := range parts {
		if raw[i], err = strict64.DecodeString(part); err != nil {
			return nil, nil, err
		}
	}
	if err := errors.Join(single(raw[0]), single(raw[1])); err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal(raw[0], &header); err != nil {
		return nil, nil, err
	}
	for _, name := range []string{"crit", "zip", "jwk", "jku"} {
		if _, has := header[name]; has {
			return nil, nil, fmt.Errorf("%s in the header", name)
		}
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(s.client.IDTokenAlg)})
	if err != nil {
		return nil, nil, err
	}
	key, err := s.key(ctx, m, parsed.Headers[0].KeyID)
	if err != nil {
		return nil, nil, err
	}
	if err := parsed.Claims(key, &claims); err != nil {
		return nil, nil, err
	}
	sub, isText := claims["sub"].(string)
	aud := claims["aud"]
	if list, ok := aud.([]any); ok && len(list) == 1 {
		aud = list[0]
	}
	if claims["iss"] != s.p.Issuer() || aud != s.client.ID || !isText || sub == "" || len(sub) > 255 {
		return nil, nil, errors.New("iss, aud or sub")
	}
	return claims, header, nil
}

// key returns the one key that may have signed.
func (s *strictClient) key(ctx context.Context, m map[string]any, id string) (any, error) {
	body, err := s.fetch(ctx, http.MethodGet, m["jwks_uri"].(string), nil, nil)
	if err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, err
	}
	var fit []any
	for _, text := range set.Keys {
		var k jose.JSONWebKey
		if json.Unmarshal(text, &k) != nil || !k.Valid() || k.Use != "sig" || k.Algorithm != s.client.IDTokenAlg ||
			id != "" && k.KeyID != id {
			continue
		}
		if size, ok := k.Key.(interface{ Size() int }); ok && size.Size() < 256 {
			continue
		}
		fit = append(fit, k.Key)
	}
	if len(fit) != 1 {
		return nil, fmt.Errorf("%d keys fit", len(fit))
	}
	return fit[0], nil
}

// date is a numeric date, zero for anything else.
func date(claim any) time.Time {
	f, ok := claim.(float64)
	if !ok || f < 1e9 || f > 1e11 {
		return time.Time{}
	}
	return time.Unix(int64(f), 0)
}

const unreservedDot = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

var strict64 = base64.RawURLEncoding.Strict()

// s256Half is at_hash for algorithms with SHA-256.
func s256Half(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// logoutToken judges a request to the back-channel, as far as it is about its form and its token.
func (s *strictClient) logoutToken(ctx context.Context, r *http.Request, seen map[any]bool, known map[any]string) error {
	if r.Method != http.MethodPost || r.URL.RawQuery != "" || len(r.PostForm["logout_token"]) != 1 {
		return errors.New("not one field in a form that is posted")
	}
	m, err := s.metadata(ctx)
	if err != nil {
		return err
	}
	claims, header, err := s.opened(ctx, m, r.PostForm.Get("logout_token"))
	if err != nil {
		return err
	}
	now := time.Now()
	events, _ := claims["events"].(map[string]any)
	event, isObject := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any)
	_, hasNonce := claims["nonce"]
	sid, isText := claims["sid"].(string)
	jti, hasID := claims["jti"].(string)
	switch {
	case header["typ"] != "logout+jwt":
		return errors.New("typ")
	case !isObject || len(event) != 0 || hasNonce || !isText || !hasID || jti == "":
		return errors.New("events, nonce, sid or jti")
	case date(claims["iat"]).Sub(now).Abs() > 2*time.Minute:
		return errors.New("iat")
	case date(claims["exp"]).Before(now) || date(claims["exp"]).After(now.Add(time.Hour)):
		return errors.New("exp")
	case seen[jti]:
		return errors.New("replayed")
	case known[sid] != claims["sub"]:
		return errors.New("a session that isn't the user's")
	}
	seen[jti] = true
	return nil
}
