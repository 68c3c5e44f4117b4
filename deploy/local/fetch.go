package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
	"github.com/gofrs/flock"
)

// The programs come from the zonkyio/embedded-postgres-binaries project, as
// it publishes them on Maven Central. They are pinned by content: what we
// run is what was looked at, whatever the repository answers.
const (
	fetchedVersion = "17.11.0"
	fetchedMajor   = 17

	fetchLimit = 10 * time.Minute
	// largestArchive is well above every published archive (35 MB).
	largestArchive = 128 << 20
)

// builds holds the SHA-256 of the archive for each platform.
var builds = map[string]string{
	"linux-amd64":        "0dd7b72b6f335b8ecfb355fa24c5781e8a93edd09880bb77eb52ebbf29b3e96d",
	"linux-arm64v8":      "8b042e0ea418b1927d95399207950da0734d27fe01e29503ade3bdc464ad4c2b",
	"linux-amd64-alpine": "ace9a6f95b1c98ce84c9841267cd04ebee5d7de5dc7b8fea148ead44f145afbd",
	"darwin-amd64":       "d464ff178e9860ba204662ac23fa547504b7fd392392ff2fb92e3fd73b5bdb64",
	"darwin-arm64v8":     "a1c2786acb0c398f9b2d76806fc52f5dc8b222cbc8e9383a9b9702084daaf3a5",
}

// repository is where the embedded-postgres package, whose archives these
// are, fetches them. It keeps the address to itself; a test notices if it
// moves.
func repository() (string, error) {
	address := reflect.ValueOf(embeddedpostgres.DefaultConfig()).FieldByName("binaryRepositoryURL")
	if address.Kind() != reflect.String || address.String() == "" {
		return "", errors.New("package embedded-postgres does not say where its archives are")
	}
	return address.String(), nil
}

// thisPlatform is the project's name for the machine we are on.
func thisPlatform() string {
	arch := runtime.GOARCH
	if arch == "arm64" {
		arch = "arm64v8"
	}
	platform := runtime.GOOS + "-" + arch
	if _, err := os.Stat("/etc/alpine-release"); err == nil {
		platform += "-alpine"
	}
	return platform
}

// cacheFolder is the user's cache folder, or the system's when who, as which
// the programs will run, cannot enter root's.
func cacheFolder(who *account) (string, error) {
	base, err := os.UserCacheDir()
	if err == nil && who == nil {
		return filepath.Join(base, "hitl"), nil
	}
	if who == nil {
		return "", fmt.Errorf("locate cache folder: %w", err)
	}
	return "/var/cache/hitl", nil
}

// fetcher downloads PostgreSQL's programs once into a cache.
type fetcher struct {
	repository string
	builds     map[string]string
	cache      string
	progress   io.Writer
}

// fetch returns the folder with the programs for platform. Any number of
// processes may call it at once; one downloads and the others wait.
func (f fetcher) fetch(ctx context.Context, platform string) (string, error) {
	sum, ok := f.builds[platform]
	if !ok {
		return "", fmt.Errorf("there is no PostgreSQL to fetch for %s", platform)
	}
	home := filepath.Join(f.cache, "postgres-"+fetchedVersion+"-"+platform)
	if _, err := os.Stat(home); err == nil {
		return filepath.Join(home, "bin"), nil
	}
	if err := os.MkdirAll(f.cache, 0o755); err != nil {
		return "", fmt.Errorf("create cache folder: %w", err)
	}
	lock := flock.New(filepath.Join(f.cache, "fetch.lock"))
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return "", fmt.Errorf("wait for another download: %w", err)
	}
	defer func() { _ = lock.Unlock() }()
	if _, err := os.Stat(home); err == nil {
		return filepath.Join(home, "bin"), nil
	}

	archive, err := f.download(ctx, platform, sum)
	if err != nil {
		return "", err
	}
	// Unpacked aside and renamed, so that home is complete or absent.
	aside, err := os.MkdirTemp(f.cache, "unpacking-")
	if err != nil {
		return "", fmt.Errorf("create folder to unpack: %w", err)
	}
	if err = unpack(archive, aside); err == nil {
		if err = os.Chmod(aside, 0o755); err == nil {
			err = os.Rename(aside, home)
		}
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("unpack PostgreSQL: %w", err), os.RemoveAll(aside))
	}
	return filepath.Join(home, "bin"), nil
}

// download returns the archive whose hash is sum, in memory: it is needed
// once, for unpacking.
func (f fetcher) download(ctx context.Context, platform, sum string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	name := "embedded-postgres-binaries-" + platform
	url := f.repository + "/io/zonky/test/postgres/" + name + "/" + fetchedVersion + "/" + name + "-" + fetchedVersion + ".jar"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("prepare download: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("download PostgreSQL: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("download PostgreSQL: %s answers %s", url, response.Status)
	}
	counter := &progressReader{from: response.Body, total: response.ContentLength, to: f.progress}
	archive, err := io.ReadAll(io.LimitReader(counter, largestArchive))
	if err != nil {
		return nil, fmt.Errorf("download PostgreSQL: %w", err)
	}
	if got := sha256.Sum256(archive); hex.EncodeToString(got[:]) != sum {
		return nil, fmt.Errorf("download PostgreSQL: %s has SHA-256 %x, want %s", url, got, sum)
	}
	return archive, nil
}

// progressReader writes a line at every tenth of what it reads.
type progressReader struct {
	from        io.Reader
	to          io.Writer
	total, read int64
	tenths      int64
}

func (r *progressReader) Read(b []byte) (int, error) {
	n, err := r.from.Read(b)
	r.read += int64(n)
	if r.total > 0 && r.read*10/r.total > r.tenths {
		r.tenths = r.read * 10 / r.total
		_, _ = fmt.Fprintf(r.to, "Fetching PostgreSQL %s: %d%% of %.0f MB\n", fetchedVersion, r.tenths*10, float64(r.total)/1e6)
	}
	return n, err
}
