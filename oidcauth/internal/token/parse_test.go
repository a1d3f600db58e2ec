package token_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/ostiary/auth/oidcauth/internal/token"
)

// signedText gives a ID token of any header and payload with a right signature by RS256, so that nothing but these is wrong.
func signedText(header, payload string) string { return sign("RS256", rsaKey(), header, payload) }

func TestParseGivesWhatTheTokenSays(t *testing.T) {
	t.Parallel()
	raw := sign("ES256", p256Key(), `{"alg":"ES256","kid":"k","typ":"JWT","x5t":"abc","unknown":[1]}`, `{"sub":"alice","n":{"m":[true]}}`)
	got, err := token.Parse(raw)
	accepted(t, err)
	if got.Raw != raw || got.Alg != "ES256" || got.KeyID != "k" || got.Type != "JWT" {
		t.Errorf("got alg %q, kid %q, typ %q, want ES256, k, JWT", got.Alg, got.KeyID, got.Type)
	}
	if sub, ok := got.Claims.Text("sub"); !ok || sub != "alice" || len(got.Claims) != 2 {
		t.Errorf("got claims %v, want sub and n", got.Claims)
	}
}

// The shape of a token, before anything of it is read.
func TestParseRefusesOtherShapes(t *testing.T) {
	t.Parallel()
	good := signedText(header("RS256", "JWT").json(), idClaims().json())
	accepted(t, checkID(t, good))
	parts := strings.Split(good, ".")
	head, body, tail := parts[0], parts[1], parts[2]
	one := `{"protected":"` + head + `","signature":"` + tail + `"}`
	flat := `{"payload":"` + body + `",` + one[1:]
	for name, raw := range map[string]string{
		"J-17 the flattened JSON form":       flat,
		"J-17 with an unprotected header":    `{"payload":"` + body + `","header":{"alg":"RS256"},"signature":"` + tail + `"}`,
		"J-17 the general form":              `{"payload":"` + body + `","signatures":[` + one + `]}`,
		"J-18 two signatures":                `{"payload":"` + body + `","signatures":[` + one + `,` + one + `]}`,
		"J-19 a space in front":              " " + good,
		"J-19 a line end behind":             good + "\n",
		"J-19 a line end within the header":  head[:4] + "\n" + head[4:] + "." + body + "." + tail,
		"J-19 a line end within the payload": head + "." + body[:4] + "\r\n" + body[4:] + "." + tail,
		"J-19 a line end in the signature":   head + "." + body + "." + tail[:4] + "\n" + tail[4:],
		"J-19 a carriage return within":      head + "." + body + "." + tail[:4] + "\r" + tail[4:],
		"J-19 a tab":                         head + ".\t" + body + "." + tail,
		"J-20 padding":                       good + "==",
		"J-20 padding of the header":         head + "=." + body + "." + tail,
		"J-20 the other alphabet":            head + "." + body + "." + strings.NewReplacer("-", "+", "_", "/").Replace(tail[:len(tail)-8]+"-_-_") + "AAAA",
		"J-21 nothing":                       "",
		"J-21 one part":                      head,
		"J-21 two parts":                     head + "." + body,
		"J-21 four parts":                    good + "." + tail,
		"J-21 five parts, as a JWE":          good + "." + tail + "." + tail,
		"J-21 two dots":                      "..",
		"J-21 an empty signature":            head + "." + body + ".",
		"J-21 a million dots":                strings.Repeat(".", 1_000_000),
		"J-21 as many dots as may be":        strings.Repeat(".", 16<<10),
		"J-26 NUL behind":                    good + "\x00",
		"J-01 an empty signature of none":    b64(`{"alg":"none"}`) + "." + body + ".",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := token.Parse(raw)
			refused(t, err, "")
		})
	}
}

// J-20: of the characters that differ in bits that nothing uses only one is taken, so that no list by token has two entries.
func TestATokenHasOneSpelling(t *testing.T) {
	t.Parallel()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	raw := signedText(header("RS256", "JWT").json(), idClaims().json()) // 256 bytes of signature: four bits are left
	accepted(t, checkID(t, raw))
	last := raw[len(raw)-1]
	taken := 0
	for _, c := range []byte(alphabet) {
		twin := raw[:len(raw)-1] + string(c)
		if err := checkID(t, twin); err == nil {
			taken++
			if c != last {
				t.Errorf("got the twin with %q accepted beside %q", c, last)
			}
		}
	}
	if taken != 1 {
		t.Errorf("got %d spellings accepted, want 1", taken)
	}
}

func TestParseRefusesHeaders(t *testing.T) {
	t.Parallel()
	accepted(t, checkID(t, signedText(`{"alg":"RS256","kid":"k-RS256","typ":"JWT"}`, idClaims().json())))
	jwk := jwkOf(rsaKey().Public(), nil).json()
	for name, c := range map[string]struct{ header, field string }{
		"J-01 none":                               {`{"alg":"none"}`, "header.alg"},
		"J-01 None":                               {`{"alg":"None"}`, "header.alg"},
		"J-01 nOnE":                               {`{"alg":"nOnE"}`, "header.alg"},
		"J-01 no alg":                             {`{"kid":"k-RS256"}`, "header.alg"},
		"J-01 an empty alg":                       {`{"alg":""}`, "header.alg"},
		"J-01 a number for alg":                   {`{"alg":1}`, "header.alg"},
		"J-01 a list for alg":                     {`{"alg":["RS256"]}`, "header.alg"},
		"J-01 null for alg":                       {`{"alg":null}`, "header.alg"},
		"J-01 alg in another case":                {`{"alg":"rs256"}`, "header.alg"},
		"J-02 HS256":                              {`{"alg":"HS256"}`, "header.alg"},
		"J-04 RS1":                                {`{"alg":"RS1"}`, "header.alg"},
		"J-04 ES256K":                             {`{"alg":"ES256K"}`, "header.alg"},
		"J-16 a key of a password":                {`{"alg":"PBES2-HS256+A128KW","p2c":2147483648}`, "header.alg"},
		"J-07 jwk":                                {`{"alg":"RS256","jwk":` + jwk + `}`, "header.jwk"},
		"J-07 jku":                                {`{"alg":"RS256","jku":"https://evil.example/jwks"}`, "header.jku"},
		"J-07 x5u":                                {`{"alg":"RS256","x5u":"https://evil.example/x"}`, "header.x5u"},
		"J-07 x5c":                                {`{"alg":"RS256","x5c":["AA"]}`, "header.x5c"},
		"J-08 a number for kid":                   {`{"alg":"RS256","kid":1}`, "header.kid"},
		"J-08 null for kid":                       {`{"alg":"RS256","kid":null}`, "header.kid"},
		"J-15 crit":                               {`{"alg":"RS256","crit":["x"],"x":1}`, "header.crit"},
		"J-15 crit that is empty":                 {`{"alg":"RS256","crit":[]}`, "header.crit"},
		"J-15 crit that is a text":                {`{"alg":"RS256","crit":"exp"}`, "header.crit"},
		"J-15 crit that is null":                  {`{"alg":"RS256","crit":null}`, "header.crit"},
		"J-15 crit of a registered name":          {`{"alg":"RS256","crit":["alg"]}`, "header.crit"},
		"J-15 crit with duplicate names":          {`{"alg":"RS256","crit":["x","x"],"x":1}`, "header.crit"},
		"J-15 b64 that is critical":               {`{"alg":"RS256","crit":["b64"],"b64":false}`, "header.crit"},
		"J-15 b64 alone":                          {`{"alg":"RS256","b64":false}`, "header.b64"},
		"J-16 zip":                                {`{"alg":"RS256","zip":"DEF"}`, "header.zip"},
		"J-16 enc":                                {`{"alg":"RS256","enc":"A128GCM"}`, "header.enc"},
		"J-16 a token within":                     {`{"alg":"RS256","cty":"JWT"}`, "header.cty"},
		"J-16 a token within, in full":            {`{"alg":"RS256","cty":"application/jwt"}`, "header.cty"},
		"J-16 cty that is no text":                {`{"alg":"RS256","cty":["JWT"]}`, "header.cty"},
		"J-21 an empty header":                    {`{}`, "header.alg"},
		"J-25 alg twice":                          {`{"alg":"none","alg":"RS256"}`, "header"},
		"J-25 alg twice, the good one first":      {`{"alg":"RS256","alg":"none"}`, "header"},
		"J-25 kid twice":                          {`{"alg":"RS256","kid":"a","kid":"k-RS256"}`, "header"},
		"J-24 ALG beside alg":                     {`{"alg":"RS256","ALG":"none"}`, "header.alg"},
		"J-24 Crit":                               {`{"alg":"RS256","Crit":["x"]}`, "header.crit"},
		"J-24 kid with a Kelvin sign":             {`{"alg":"RS256","\u212aid":"x"}`, "header.kid"},
		"J-21 nothing":                            {"", "header"},
		"J-26 a list":                             {`[]`, "header"},
		"J-26 null":                               {`null`, "header"},
		"J-26 a second object":                    {`{"alg":"RS256"}{}`, "header"},
		"J-26 bytes that are no text":             {"{\"alg\":\"RS256\",\"x\":\"\xff\"}", "header"},
		"J-38 a number for typ":                   {`{"alg":"RS256","typ":1}`, "header.typ"},
		"J-38 a list for typ":                     {`{"alg":"RS256","typ":["JWT"]}`, "header.typ"},
		"J-38 null for typ":                       {`{"alg":"RS256","typ":null}`, "header.typ"},
		"J-26 nested deeper than anybody needs":   {`{"alg":"RS256","x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, "header"},
		"J-26 a number that JSON doesn't have":    {`{"alg":"RS256","x":01}`, "header"},
		"J-26 a byte order mark before the brace": {"\uFEFF{\"alg\":\"RS256\"}", "header"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := token.Parse(signedText(c.header, idClaims().json()))
			refused(t, err, c.field)
		})
	}
}

func TestParseRefusesPayloads(t *testing.T) {
	t.Parallel()
	good := idClaims().json()
	inner := strings.TrimPrefix(good, "{")
	accepted(t, checkID(t, signedText(header("RS256", "JWT").json(), "{"+inner)))
	for name, c := range map[string]struct{ payload, field string }{
		"J-23 sub twice":                  {`{"sub":"admin",` + inner, "payload"},
		"J-23 sub twice, once escaped":    {`{"s\u0075b":"admin",` + inner, "payload"},
		"J-23 iss twice":                  {`{"iss":"https://evil.example",` + inner, "payload"},
		"J-23 aud twice":                  {`{"aud":"evil",` + inner, "payload"},
		"J-23 exp twice":                  {`{"exp":9999999999,` + inner, "payload"},
		"J-23 nonce twice":                {`{"nonce":"x",` + inner, "payload"},
		"J-23 a name twice further down":  {`{"x":{"y":1,"y":2},` + inner, "payload"},
		"J-24 Sub beside sub":             {`{"Sub":"admin",` + inner, "sub"},
		"J-24 SUB alone":                  {`{"SUB":"admin"}`, "sub"},
		"J-24 a long s":                   {`{"` + "\u017f" + `ub":"admin",` + inner, "sub"},
		"J-24 a long s, escaped":          {`{"\u017fub":"admin",` + inner, "sub"},
		"J-24 a long s in iss":            {`{"i\u017fs":"x",` + inner, "iss"},
		"J-24 AUD alone":                  {`{"AUD":"client1"}`, "aud"},
		"J-24 EXP beside exp":             {`{"EXP":9999999999,` + inner, "exp"},
		"J-24 Nonce beside nonce":         {`{"Nonce":"x",` + inner, "nonce"},
		"J-24 At_Hash":                    {`{"At_Hash":"x",` + inner, "at_hash"},
		"J-21 nothing":                    {"", "payload"},
		"J-26 a list":                     {`[]`, "payload"},
		"J-26 null":                       {`null`, "payload"},
		"J-26 a text":                     {`"x"`, "payload"},
		"J-26 a number":                   {`1`, "payload"},
		"J-26 an object behind":           {good + "{}", "payload"},
		"J-26 cut short":                  {good[:len(good)-1], "payload"},
		"J-26 9,000 lists deep":           {`{"x":` + strings.Repeat("[", 4500) + strings.Repeat("]", 4500) + "}", "payload"},
		"J-26 a byte order mark":          {"\uFEFF" + good, "payload"},
		"J-26 bytes that are no text":     {"{\"x\":\"\xff\"," + inner, "payload"},
		"J-26 half a character":           {`{"x":"\ud800",` + inner, "payload"},
		"J-26 NUL before the object":      {"\x00" + good, "payload"},
		"J-26 NUL behind the object":      {good + "\x00", "payload"},
		"J-26 a comma too many":           {`{"x":[1,],` + inner, "payload"},
		"J-26 a comment":                  {`{/**/` + inner, "payload"},
		"J-26 a control character within": {"{\"x\":\"\n\"," + inner, "payload"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := token.Parse(signedText(header("RS256", "JWT").json(), c.payload))
			refused(t, err, c.field)
		})
	}
}

// J-22: 8 KiB are taken, more than 16 KiB not, wherever it is that they stand.
func TestParseBoundsTheSize(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("a", n) }
	accepted(t, checkID(t, signedText(header("RS256", "JWT").json(), idClaims().with(object{"groups": long(6000)}).json())))
	accepted(t, checkID(t, signedText(header("RS256", "JWT").json(), idClaims().with(object{"groups": long(11000)}).json())))
	for name, raw := range map[string]string{
		"a long payload":   signedText(header("RS256", "JWT").json(), idClaims().with(object{"groups": long(13000)}).json()),
		"J-08 1 MiB kid":   signedText(header("RS256", "JWT").with(object{"kid": long(1 << 20)}).json(), idClaims().json()),
		"J-22 900 KiB":     long(900 << 10),
		"a long signature": b64(`{"alg":"RS256"}`) + "." + b64("{}") + "." + long(17<<10),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := token.Parse(raw)
			refused(t, err, "")
		})
	}
}

// J-21, J-22: what isn't a token costs neither time nor memory. The best of several runs: the machine is shared.
func TestRefusingAShapeCostsNothing(t *testing.T) {
	noise := make([]byte, 1<<20)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{
		"dots": strings.Repeat(".", 1_000_000), "few dots": strings.Repeat(".", 16<<10), "noise": string(noise),
	} {
		best := time.Hour
		for range 5 {
			start := time.Now()
			if _, err := token.Parse(raw); err == nil {
				t.Fatalf("%s: got no error", name)
			}
			best = min(best, time.Since(start))
		}
		if best > time.Millisecond {
			t.Errorf("%s: got %v, want at most 1 ms", name, best)
		}
		if got := testing.AllocsPerRun(10, func() { _, _ = token.Parse(raw) }); got > 2 {
			t.Errorf("%s: got %v allocations, want at most 2", name, got)
		}
	}
}

// J-24: the exact names are what is read, and names that only look alike are nothing to us.
func TestOtherNamesAreLeftAlone(t *testing.T) {
	t.Parallel()
	raw := signedText(header("RS256", "JWT").with(object{"X-Own": 1}).json(),
		idClaims().with(object{"clientId": "x", "Groups": []string{"a"}, "https://corp.example/Roles": 1, "süb": "x"}).json())
	accepted(t, checkID(t, raw))
}
