package tokenauth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
)

// A device cookie marks a browser that has logged in before. Its guesses are counted by themselves, so that strangers
// who guess can't lock it out (OWASP, device cookies). It proves nothing else, and ends with the process.
type deviceKey [32]byte

const deviceIDLen = 16

func newDeviceKey() (k deviceKey) {
	_, _ = rand.Read(k[:]) // never fails
	return k
}

func (k deviceKey) sign(id []byte) []byte {
	mac := hmac.New(sha256.New, k[:])
	_, _ = mac.Write(id)
	return mac.Sum(nil)
}

// knownDevice is the id in a device cookie that this process has signed, else empty.
func (b *backend) knownDevice(r *http.Request) string {
	value, n := b.deviceCookie.Read(r, b.site.HTTPS(r))
	if n != 1 || len(value) != encoding.EncodedLen(deviceIDLen+sha256.Size) {
		return ""
	}
	raw, err := encoding.DecodeString(value)
	if err != nil || len(raw) != deviceIDLen+sha256.Size || !hmac.Equal(raw[deviceIDLen:], b.device.sign(raw[:deviceIDLen])) {
		return ""
	}
	return string(raw[:deviceIDLen])
}

func (b *backend) rememberDevice(w http.ResponseWriter, r *http.Request) {
	if b.knownDevice(r) != "" {
		return
	}
	id := make([]byte, deviceIDLen, deviceIDLen+sha256.Size)
	_, _ = rand.Read(id) // never fails
	http.SetCookie(w, b.deviceCookie.Set(r, b.site.HTTPS(r), encoding.EncodeToString(append(id, b.device.sign(id)...))))
}
