package password_test

import (
	"strings"
	"testing"

	"github.com/ostiary/auth/internal/password"
)

// PH-03 to PH-11 for the formats of other programs: each is spelled in one way, and costs no more than is reasonable.
func TestForeignHashesThatAreRefused(t *testing.T) {
	t.Parallel()
	const (
		bcryptTail  = "abcdefghijklmnopqrstuu8.veTXNDPV2eEsdpKNczMw2otgh5LnK"
		passlibTag  = "4WTpN.WyueJe4iu01F008QDyf./x2qURuZ74ZQ2mCtI"
		djangoTag   = "elMtYgICKwP90IrzWmej4ubIYQb5ZbJYz9xua1MXHGI="
		djangoTag20 = "odKGyaryRJUYhVCA3RvS6TzyAfk="
		hex32       = "549f000e2010ae395c3faaebc176f683221b0fb8f613e5f827bd9f19709d7ec9"
		scryptTail  = "$XStFSOmd876XMkZIiTGmVA$/CwKRWxY6A3anQy/Tgv5w5EJr3gvVzQjMEq7+m4yKgg"
		django64    = "yKYVKa52LHIRfMnJRl06wCN+GfdTD+IjDNC8a8jwq7fd0G8Zm0j9i+q050jgT8MrBjng73h4xHLo8ym6AHxmYA=="
		cryptTag    = "svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
	)
	tests := []struct {
		name, good string
		bad        []string
	}{
		{"bcrypt", "$2b$12$" + bcryptTail, []string{
			"$2b$03$" + bcryptTail, "$2b$00$" + bcryptTail, "$2b$16$" + bcryptTail, "$2b$31$" + bcryptTail, "$2b$99$" + bcryptTail, // PH-06
			"$2b$4$0" + bcryptTail, "$2b$+4$" + bcryptTail, "$2b$0x$" + bcryptTail, "$2b$1:$" + bcryptTail, "$2b$ 5$" + bcryptTail, // PH-07
			"$2x$12$" + bcryptTail, "$2$12$" + bcryptTail, "$2c$12$" + bcryptTail, "$2B$12$" + bcryptTail, "$2b-12$" + bcryptTail, "$2b$12-" + bcryptTail,
			"$2b$12$" + bcryptTail[:52], "$2b$12$" + bcryptTail + "K", "$2b$12$" + bcryptTail + "\n", "$2b$12$", "$2b$", // PH-08
			"$2b$12$" + strings.Replace(bcryptTail, "uu8", "uv8", 1), "$2b$12$" + bcryptTail[:52] + "L", // PH-11
			"$2b$12$" + strings.Replace(bcryptTail, "8.", "8-", 1), "$2b$12$" + strings.Replace(bcryptTail, "8.", "8$", 1), "$2b$12$" + strings.Replace(bcryptTail, "8.", "8\x00", 1),
		}},
		{"Django's bcrypt", "bcrypt$$2b$12$" + bcryptTail, []string{
			"bcrypt$2b$12$" + bcryptTail, "bcrypt$", "bcrypt", "bcrypt$bcrypt$$2b$12$" + bcryptTail, "bcrypt$$2b$16$" + bcryptTail, "Bcrypt$$2b$12$" + bcryptTail,
		}},
		{"Django's bcrypt of a SHA-256", "bcrypt_sha256$$2b$12$" + bcryptTail, []string{
			"bcrypt_sha256$2b$12$" + bcryptTail, "bcrypt_sha256$$2b$16$" + bcryptTail, "bcrypt-sha256$$2b$12$" + bcryptTail,
			"$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2",
		}},
		{"scrypt", "$scrypt$ln=14,r=8,p=1" + scryptTail, []string{
			"$scrypt$ln=19,r=8,p=1" + scryptTail, "$scrypt$ln=31,r=1,p=1" + scryptTail, "$scrypt$ln=32,r=1,p=1" + scryptTail, "$scrypt$ln=63,r=8,p=1" + scryptTail, "$scrypt$ln=64,r=8,p=1" + scryptTail, // PH-06
			"$scrypt$ln=14,r=4294967295,p=1" + scryptTail, "$scrypt$ln=14,r=8,p=17" + scryptTail, "$scrypt$ln=18,r=8,p=5" + scryptTail, "$scrypt$ln=14,r=8,p=4294967295" + scryptTail,
			"$scrypt$ln=0,r=8,p=1" + scryptTail, "$scrypt$ln=14,r=0,p=1" + scryptTail, "$scrypt$ln=14,r=8,p=0" + scryptTail, // PH-03
			"$scrypt$ln=+14,r=8,p=1" + scryptTail, "$scrypt$ln=014,r=8,p=1" + scryptTail, "$scrypt$ln=14,r=8e0,p=1" + scryptTail, // PH-07
			"$scrypt$r=8,ln=14,p=1" + scryptTail, "$scrypt$ln=14,r=8" + scryptTail, "$scrypt$ln=14,r=8,p=1,q=1" + scryptTail, "$scrypt$N=16384,r=8,p=1" + scryptTail, // PH-08
			"$scrypt$ln=14,r=8,p=1" + scryptTail + "$", "$scrypt$ln=14,r=8,p=1" + scryptTail + "\n", "$scrypt$ln=14,r=8,p=1" + scryptTail + "=",
			"$scrypt$ln=14,r=8,p=1$XStFSOmd876XMkZIiTGmVA$", "$scrypt$ln=14,r=8,p=1$$/CwKRWxY6A3anQy/Tgv5w5EJr3gvVzQjMEq7+m4yKgg", // PH-04, PH-05
			"$scrypt$ln=14,r=8,p=1$XStFSOmd876XMkZIiTGmVA$AAAA", "$scrypt$ln=14,r=8,p=1$XStFSOmd876XMkZIiTGmVB$/CwKRWxY6A3anQy/Tgv5w5EJr3gvVzQjMEq7+m4yKgg", // PH-11
		}},
		{"Django's scrypt", "scrypt$16384$seasalt1$8$1$" + django64, []string{
			"scrypt$16383$seasalt1$8$1$" + django64, "scrypt$1$seasalt1$8$1$" + django64, "scrypt$0$seasalt1$8$1$" + django64, "scrypt$524288$seasalt1$8$1$" + django64,
			"scrypt$16384$seasalt1$8$17$" + django64, "scrypt$16384$seasalt1$0$1$" + django64, "scrypt$16384$seasalt$8$1$" + django64, "scrypt$16384$$8$1$" + django64,
			"scrypt$16384$sea salt$8$1$" + django64, "scrypt$16384$seasalt\x00$8$1$" + django64, "scrypt$16384$" + strings.Repeat("s", 65) + "$8$1$" + django64,
			"scrypt$16384$seasalt1$8$1$" + strings.TrimRight(django64, "="), "scrypt$16384$seasalt1$8$" + django64, "scrypt$16384,8$seasalt1$8$1$" + django64,
		}},
		{"Werkzeug's scrypt", "scrypt:16384:8:2$0GZd3EuUewyZF8W6$" + hex32, []string{
			"scrypt:16384:8$0GZd3EuUewyZF8W6$" + hex32, "scrypt:16384,8:2$0GZd3EuUewyZF8W6$" + hex32, "scrypt:16384:8:2:1$0GZd3EuUewyZF8W6$" + hex32, "scrypt$0GZd3EuUewyZF8W6$" + hex32,
			"scrypt:12345:8:2$0GZd3EuUewyZF8W6$" + hex32, "scrypt:1048576:8:2$0GZd3EuUewyZF8W6$" + hex32, "scrypt:16384:8:2$0GZd3EuUewyZF8W6$" + strings.ToUpper(hex32),
			"scrypt:16384:8:2$0GZd3EuUewyZF8W6$" + hex32[1:], "scrypt:16384:8:2$0GZd3Eu$" + hex32, "scrypt:16384:8:2$0GZd3EuUewyZF8W6$" + hex32 + "$",
		}},
		{"passlib's PBKDF2", "$pbkdf2-sha256$29000$PGcshVBKidE6R6h1zlnLuQ$" + passlibTag, []string{
			"$pbkdf2-sha256$0$PGcshVBKidE6R6h1zlnLuQ$" + passlibTag, "$pbkdf2-sha256$5000001$PGcshVBKidE6R6h1zlnLuQ$" + passlibTag, "$pbkdf2-sha256$4294967296$PGcshVBKidE6R6h1zlnLuQ$" + passlibTag,
			"$pbkdf2-sha256$029000$PGcshVBKidE6R6h1zlnLuQ$" + passlibTag, "$pbkdf2-sha256$+29000$PGcshVBKidE6R6h1zlnLuQ$" + passlibTag, "$pbkdf2-sha256$$PGcshVBKidE6R6h1zlnLuQ$" + passlibTag,
			"$pbkdf2-sha512$29000$PGcshVBKidE6R6h1zlnLuQ$" + passlibTag, "$pbkdf2$29000$PGcshVBKidE6R6h1zlnLuQ$" + passlibTag, "$pbkdf2-sha1$29000$PGcshVBKidE6R6h1zlnLuQ$" + passlibTag, "$pbkdf2-md5$29000$PGcshVBKidE6R6h1zlnLuQ$" + passlibTag,
			"$pbkdf2-sha256$29000$PGcshVBKidE6R6h1zlnLuQ$", "$pbkdf2-sha256$29000$$" + passlibTag, "$pbkdf2-sha256$29000$PGcshVBKid$" + passlibTag,
			"$pbkdf2-sha256$29000$PGcshVBKidE6R6h1zlnLuQ$" + passlibTag[:40], "$pbkdf2-sha256$29000$PGcshVBKidE6R6h1zlnLuQ$" + passlibTag + passlibTag,
			"$pbkdf2-sha256$29000$PGcshVBKidE6R6h1zlnLuQ$" + strings.ReplaceAll(passlibTag, ".", "+"), "$pbkdf2-sha256$29000$PGcshVBKidE6R6h1zlnLuQ$" + passlibTag + "=",
			"$pbkdf2-sha256$29000$PGcshVBKidE6R6h1zlnLuQ$" + passlibTag[:42] + "J", "$pbkdf2-sha256$29000$PGcshVBKidE6R6h1zlnLuQ$" + passlibTag[:8] + "\n" + passlibTag[8:], // PH-11
		}},
		{"Django's PBKDF2", "pbkdf2_sha256$260000$1qlaL41rfwUpeXT5yY8wwZ$" + djangoTag, []string{
			"pbkdf2_sha1$260000$1qlaL41rfwUpeXT5yY8wwZ$" + djangoTag, "pbkdf2_sha256$260000$1qlaL41rfwUpeXT5yY8wwZ$" + djangoTag20, "pbkdf2_sha512$260000$1qlaL41rfwUpeXT5yY8wwZ$" + djangoTag,
			"pbkdf2_sha256$9999999$1qlaL41rfwUpeXT5yY8wwZ$" + djangoTag, "pbkdf2_sha256$0$1qlaL41rfwUpeXT5yY8wwZ$" + djangoTag, "pbkdf2_sha256$260000$short$" + djangoTag,
			"pbkdf2_sha256$260000$$" + djangoTag, "pbkdf2_sha256$260000$1qlaL41rfwUpeXT5yY8wwZ", "pbkdf2_sha256$260000$1qlaL41rfwUpeXT5yY8wwZ$", "pbkdf2_sha256$260000$1qlaL41rfwUpeXT5yY8wwZ$" + strings.TrimSuffix(djangoTag, "="),
		}},
		{"Django's PBKDF2 of SHA-1", "pbkdf2_sha1$260000$E15TA3s6sy6UNP5rZNfnNH$" + djangoTag20, []string{
			"pbkdf2_sha1$260000$E15TA3s6sy6UNP5rZNfnNH$" + djangoTag20[:24], "pbkdf2_sha1$-1$E15TA3s6sy6UNP5rZNfnNH$" + djangoTag20, "pbkdf2_sha1$5000001$E15TA3s6sy6UNP5rZNfnNH$" + djangoTag20,
		}},
		{"Werkzeug's PBKDF2", "pbkdf2:sha256:1000000$FLwW9P7EyfrjJHss$" + hex32, []string{
			"pbkdf2:sha256$FLwW9P7EyfrjJHss$" + hex32, "pbkdf2:sha512:1000000$FLwW9P7EyfrjJHss$" + hex32, "pbkdf2:md5:1000000$FLwW9P7EyfrjJHss$" + hex32, "pbkdf2:sha256:1000000$FLwW9P7EyfrjJHss$" + strings.ToUpper(hex32),
			"pbkdf2:sha256:10000000$FLwW9P7EyfrjJHss$" + hex32, "pbkdf2:sha256:1000000:1$FLwW9P7EyfrjJHss$" + hex32, "pbkdf2:sha256:1000000$FLwW9P7EyfrjJHss$" + hex32[:40],
		}},
		{"SHA-512 crypt", "$6$rounds=10000$saltstring$" + cryptTag, []string{
			"$6$rounds=999$saltstring$" + cryptTag, "$6$rounds=1000001$saltstring$" + cryptTag, "$6$rounds=999999999$saltstring$" + cryptTag, "$6$rounds=4294967296$saltstring$" + cryptTag, // PH-06
			"$6$rounds=0$saltstring$" + cryptTag, "$6$rounds=$saltstring$" + cryptTag, "$6$rounds=010000$saltstring$" + cryptTag, "$6$rounds=1e4$saltstring$" + cryptTag, "$6$10000$saltstring$" + cryptTag, // PH-07
			"$6$rounds=10000$" + cryptTag, "$6$rounds=10000$rounds=10000$saltstring$" + cryptTag, "$6$rounds=10000$saltstring", "$6$rounds=10000$saltstring$", "$6$saltstring$" + cryptTag + "$", // PH-08
			"$6$$" + cryptTag, "$6$saltstringsaltstr$" + cryptTag, "$6$salt string$" + cryptTag, "$6$salt:string$" + cryptTag, "$6$sält$" + cryptTag,
			"$6$saltstring$" + cryptTag[:85], "$6$saltstring$" + cryptTag + "1", "$6$saltstring$" + cryptTag + "\n", "$6$saltstring$" + cryptTag[:85] + "2", "$6$saltstring$" + cryptTag[:84] + "+1", // PH-11
			"$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8", "$1$saltstri$YMyguxXMBpd2TEZ.vS/3q1", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
		}},
		{"argon2 behind Django's name", "argon2$argon2id$v=19$m=65536,t=2,p=1$" + salt8 + "$" + tag32, []string{
			"argon2$argon2d$v=19$m=65536,t=2,p=1$" + salt8 + "$" + tag32, "argon2$$argon2id$v=19$m=65536,t=2,p=1$" + salt8 + "$" + tag32, "argon2$argon2i$m=512,t=2,p=2$" + salt8 + "$" + tag32,
			"argon2$argon2id$v=19$m=262144,t=9,p=1$" + salt8 + "$" + tag32, "argon2$", "argon2$argon2id$", "argon2i$v=19$m=65536,t=2,p=1$" + salt8 + "$" + tag32,
		}},
		{"what stands for no password, and what is none", "sha1:0e112c3ddfce:a68df677475c2b47b6e86d0467eec97ac5f4b85a", []string{ // P-14
			"", "!", "!!", "*", "x", "*0", "*1", "!jVkOEPWQmKKWmSMxZ8KLBGJZfPJfBmW4hQbVd5Jm", "!$6$saltstring$" + cryptTag, "{CRYPT}$6$saltstring$" + cryptTag, "{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr",
			"5f4dcc3b5aa765d61d8327deb882cf99", "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99", "sha1$salt$a68df677475c2b47b6e86d0467eec97ac5f4b85a", "$apr1$saltsalt$T8P0ZQ0IQ3XFxYbh3W3a8/", "ab01FAX.bQRSU",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mustParse(t, tt.good)
			for _, bad := range tt.bad {
				h, err := password.Parse(bad)
				if err == nil || h != (password.Hash{}) {
					t.Errorf("%q: got %v, and a hash: %v, want an error and none", bad, err, h != password.Hash{})
					continue
				}
				for _, part := range strings.FieldsFunc(bad, func(r rune) bool { return strings.ContainsRune(":$,= ", r) }) {
					if len(part) > 9 && strings.Contains(err.Error(), part) { // the shorter ones are words of the format
						t.Errorf("%q: the error repeats the input: %v", bad, err)
					}
				}
			}
		})
	}
}
