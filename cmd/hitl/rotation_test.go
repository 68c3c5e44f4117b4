package main

import (
	"net/http"
	"strings"
	"testing"
)

// An app whose tokens expire works on through their end and through a restart, and what is needed for it is asked for.
func TestTokenRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *storySettings) { s.Rotation = true })
	first := w.post("rotating-1", unsureText, http.StatusAccepted)
	w.card(first)
	w.sim.ExpireTokens()
	second := w.post("rotating-2", unsureText, http.StatusAccepted)
	w.card(second)

	w.stop()
	w.sim.ExpireTokens()
	w.start()
	third := w.post("rotating-3", unsureText, http.StatusAccepted)
	w.card(third)

	if out := w.mustHitl("slack", "doctor"); !strings.Contains(out, "token expiry") || !strings.Contains(out, "in 12h0m0s") {
		t.Errorf("doctor: %s", out)
	}
	if out := w.mustHitl("slack", "manifest", "--socket"); !strings.Contains(out, "token_rotation_enabled: true") {
		t.Errorf("manifest: %s", out)
	}
}
