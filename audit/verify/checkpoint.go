package verify

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint says what the log of an origin was when it had a size. As text it is three lines, origin, size and root, the form that
// transparency logs agreed on (c2sp.org/tlog-checkpoint); signed it is a note (c2sp.org/signed-note).
type Checkpoint struct {
	Origin string // the name of the key
	Size   int64
	Root   tlog.Hash
}

// Text is what is signed.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// ParseCheckpoint reads a text. Lines after the third are for extensions, and ignored.
func ParseCheckpoint(text string) (Checkpoint, error) {
	origin, rest, ok := strings.Cut(text, "\n")
	size, rest, ok2 := strings.Cut(rest, "\n")
	root, _, ok3 := strings.Cut(rest, "\n")
	if !ok || !ok2 || !ok3 || origin == "" {
		return Checkpoint{}, errors.New("a checkpoint has three lines: origin, size and root")
	}
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != size {
		return Checkpoint{}, fmt.Errorf("the checkpoint's size is %q", size)
	}
	c := Checkpoint{Origin: origin, Size: n}
	hash, err := base64.StdEncoding.Strict().DecodeString(root)
	if err != nil || len(hash) != len(c.Root) {
		return Checkpoint{}, fmt.Errorf("the checkpoint's root is %q, no hash", root)
	}
	copy(c.Root[:], hash)
	return c, nil
}

// SignCheckpoint returns a checkpoint as a signed note. Its origin becomes the signer's name.
func SignCheckpoint(c Checkpoint, signer note.Signer) (string, error) {
	c.Origin = signer.Name()
	signed, err := note.Sign(&note.Note{Text: c.Text()}, signer)
	if err != nil {
		return "", fmt.Errorf("sign checkpoint: %w", err)
	}
	return string(signed), nil
}

// OpenCheckpoint reads a note and checks that the verifier's key signed it, for the origin of that name. Without a verifier it takes
// any note, signed by whomever.
func OpenCheckpoint(signed string, verifier note.Verifier) (Checkpoint, error) {
	if verifier == nil {
		text, _, ok := strings.Cut(signed, "\n\n")
		if !ok {
			return Checkpoint{}, errors.New("a checkpoint ends with an empty line and signatures")
		}
		return ParseCheckpoint(text + "\n")
	}
	n, err := note.Open([]byte(signed), note.VerifierList(verifier))
	var unsigned *note.UnverifiedNoteError
	switch {
	case errors.As(err, &unsigned):
		var others []string
		for _, s := range unsigned.Note.UnverifiedSigs {
			others = append(others, fmt.Sprintf("%s+%08x", s.Name, s.Hash))
		}
		return Checkpoint{}, fmt.Errorf("it is signed by %s, not by %s+%08x", strings.Join(others, ", "), verifier.Name(), verifier.KeyHash())
	case err != nil:
		return Checkpoint{}, fmt.Errorf("read note: %w", err)
	}
	c, err := ParseCheckpoint(n.Text)
	if err == nil && c.Origin != verifier.Name() {
		err = fmt.Errorf("it is of the log %q, the key of %q", c.Origin, verifier.Name())
	}
	return c, err
}

// VerifierOf returns the verifier of a signer's key, given as text "PRIVATE+KEY+…", and that key's public text.
func VerifierOf(privateKey string) (note.Verifier, string, error) {
	signer, err := note.NewSigner(privateKey)
	if err != nil {
		return nil, "", fmt.Errorf("read log key: %w", err)
	}
	public, err := publicKey(signer.Name(), privateKey)
	if err != nil {
		return nil, "", err
	}
	v, err := note.NewVerifier(public)
	if err != nil {
		return nil, "", fmt.Errorf("read log key: %w", err)
	}
	return v, public, nil
}
