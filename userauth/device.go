package userauth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"time"
)

// A device cookie marks a browser in which an account has logged in before. Its guesses at that account are counted by
// themselves, so that strangers who guess can't lock its holder out (OWASP, device cookies). It proves nothing else. The
// key is in the database: all instances know their devices, also after a restart, and who copies the database can at most
// guess from devices of their own.
type deviceKey [deviceKeyLen]byte

const (
	deviceKeyLen    = 32
	deviceIDLen     = 16
	deviceCookieAge = 365 * 24 * time.Hour
)

func newDeviceKey(key []byte) (deviceKey, error) {
	if len(key) != deviceKeyLen {
		return deviceKey{}, fmt.Errorf("the key of device cookies has %d bytes, want %d", len(key), deviceKeyLen)
	}
	return deviceKey(key), nil
}

// sign binds a device to an account: a cookie of one account's must not get past another one's limit.
func (k deviceKey) sign(id []byte, account string) []byte {
	mac := hmac.New(sha256.New, k[:])
	_, _ = mac.Write(id) // of fixed length: where the account begins is certain
	_, _ = mac.Write([]byte(account))
	return mac.Sum(nil)
}

// knownDevice is the id in a device cookie that was signed for account, else empty.
func (b *backend) knownDevice(r *http.Request, account string) string {
	value, n := b.deviceCookie.Read(r, b.site.HTTPS(r))
	if n != 1 || account == "" || len(value) != base64.RawURLEncoding.EncodedLen(deviceIDLen+sha256.Size) {
		return ""
	}
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(raw) != deviceIDLen+sha256.Size || !hmac.Equal(raw[deviceIDLen:], b.device.sign(raw[:deviceIDLen], account)) {
		return ""
	}
	return string(raw[:deviceIDLen])
}

func (b *backend) rememberDevice(w http.ResponseWriter, r *http.Request, account string) {
	if account == "" || b.knownDevice(r, account) != "" {
		return
	}
	id := make([]byte, deviceIDLen, deviceIDLen+sha256.Size)
	_, _ = rand.Read(id) // never fails
	value := base64.RawURLEncoding.EncodeToString(append(id, b.device.sign(id, account)...))
	http.SetCookie(w, b.deviceCookie.Set(r, b.site.HTTPS(r), value))
}
