package bot

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// tokenPair is a bot token that expires, with what gets the next one.
type tokenPair struct {
	Access  string        `json:"access"`
	Refresh string        `json:"refresh"`
	Seed    string        `json:"seed"` // of the refresh token that the app was installed with
	Life    time.Duration `json:"life_ns"`
}

// seedOf names a refresh token without telling it.
func seedOf(refresh string) string {
	sum := sha256.Sum256([]byte(refresh))
	return hex.EncodeToString(sum[:8])
}

// sealer encrypts pairs with AES-256-GCM under a key that HKDF (RFC 5869) makes of the app's client secret: who has the database alone learns
// nothing, and cannot pass one app's pair off as another's.
type sealer struct {
	aead cipher.AEAD
	app  []byte
}

func newSealer(secret, app string) sealer {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "hitl slack token", 32)
	if err != nil {
		panic(err) // no length but a wrong one can fail
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return sealer{aead, []byte(app)}
}

func (s sealer) close(p tokenPair) ([]byte, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("seal token: %w", err)
	}
	return s.aead.Seal(nil, nil, text, s.app), nil
}

// open returns what close sealed; false when that was another secret's, another app's, or was changed.
func (s sealer) open(sealed []byte) (p tokenPair, ok bool) {
	text, err := s.aead.Open(nil, nil, sealed, s.app)
	if err != nil || json.Unmarshal(text, &p) != nil {
		return tokenPair{}, false
	}
	return p, true
}
