package localtest

import (
	"os/exec"
	"testing"
)

// Browser returns the path of a Chromium or Chrome. Where there is none the test is skipped, and says so; where servers are required
// (CI=true or HITL_REQUIRE_SERVERS=1) it fails. With -short, which asks for it, the test is skipped everywhere.
func Browser(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("NOT TESTED: what a browser shows, because of -short")
	}
	for _, name := range []string{
		"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell",
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
	} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if serversRequired() {
		t.Fatal("no browser found: install chromium (Debian: apt install chromium)")
	}
	t.Skip("NOT TESTED: what a browser shows, because there is none; install chromium to test it")
	return ""
}
