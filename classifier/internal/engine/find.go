package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// LibraryVariable is the environment variable that names ONNX Runtime's shared library, or its folder.
const LibraryVariable = "ONNXRUNTIME_LIB"

// Folder is where a user's own ONNX Runtime is put: "hitl/onnxruntime" in the user's cache folder; empty without one. It is searched last.
func Folder() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "hitl", "onnxruntime")
}

// FindRuntime returns the path of ONNX Runtime's shared library. Where is a file or a folder, and then nothing else is tried;
// empty, it stands for what the environment variable ONNXRUNTIME_LIB says, or else for the usual folders. An error that is
// ErrNoRuntime says where it was looked for.
func FindRuntime(where string, getenv func(string) string) (string, error) {
	places := usualFolders(getenv)
	if own := Folder(); own != "" {
		places = append(places, own)
	}
	if where == "" {
		where = getenv(LibraryVariable)
	}
	if where != "" {
		places = []string{where}
	}
	for _, place := range places {
		if path := libraryIn(place); path != "" {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w library in %s", ErrNoRuntime, strings.Join(places, ", "))
}

func libraryIn(place string) string {
	info, err := os.Stat(place)
	if err != nil {
		return ""
	}
	if !info.IsDir() {
		return place
	}
	plain, pattern := "libonnxruntime.so", "libonnxruntime.so.*"
	switch runtime.GOOS {
	case "darwin":
		plain, pattern = "libonnxruntime.dylib", "libonnxruntime.*.dylib"
	case "windows":
		plain, pattern = "onnxruntime.dll", "onnxruntime.dll"
	}
	if path := filepath.Join(place, plain); regular(path) {
		return path
	}
	versions, err := filepath.Glob(filepath.Join(place, pattern))
	if err != nil {
		return ""
	}
	slices.Sort(versions)
	for _, path := range slices.Backward(versions) {
		if regular(path) {
			return path
		}
	}
	return ""
}

func regular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func usualFolders(getenv func(string) string) []string {
	folders := filepath.SplitList(getenv("LD_LIBRARY_PATH"))
	if exe, err := os.Executable(); err == nil {
		folders = append(folders, filepath.Dir(exe))
	}
	switch runtime.GOOS {
	case "darwin":
		return append(folders, "/usr/local/lib", "/opt/homebrew/lib", "/opt/onnxruntime/lib")
	case "windows":
		return folders // the system's own onnxruntime.dll is an old one
	}
	triplet := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]
	return append(folders, "/usr/local/lib", "/usr/lib", "/usr/lib64", "/usr/lib/"+triplet, "/opt/onnxruntime/lib")
}
