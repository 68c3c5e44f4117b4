package verify

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// algEd25519 is the note format's number for Ed25519 keys.
const algEd25519 = 1

// publicKey derives the public text of a private key in the note format, "PRIVATE+KEY+NAME+HASH+BASE64", which NewSigner has accepted.
func publicKey(name, privateKey string) (string, error) {
	parts := strings.SplitN(privateKey, "+", 5) // the base64 itself may hold "+"
	raw, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(raw) != 1+ed25519.SeedSize || raw[0] != algEd25519 {
		return "", errors.New("the log key is no Ed25519 key")
	}
	public, ok := ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return "", errors.New("the log key is no Ed25519 key")
	}
	text, err := note.NewEd25519VerifierKey(name, public)
	if err != nil {
		return "", fmt.Errorf("derive public key: %w", err)
	}
	return text, nil
}
