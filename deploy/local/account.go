package local

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// account is the unprivileged account that a root caller's PostgreSQL runs
// as.
type account struct {
	name         string
	uid, gid     uint32
	capabilities []uintptr
}

// serverAccount returns the account for PostgreSQL, which refuses to run as
// root: nil when we are not root.
func serverAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID != nil || errGID != nil || uid == 0 {
			continue
		}
		return &account{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL cannot run as root, and there is no account \"postgres\" or \"nobody\" to run it as")
}

// closedTo returns the first folder above path that who may not enter, "" if
// the way is open. It judges by the permissions for others alone.
func (who *account) closedTo(path string) (string, error) {
	if who == nil {
		return "", nil
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return "", fmt.Errorf("inspect folder: %w", err)
		}
		if info.Mode().Perm()&0o001 == 0 {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", nil
		}
	}
}

// mustReach prepares who to reach path, whose ancestors may be closed to it
// (/root, or a test's temporary folder). A capability opens them for the
// server's process alone and changes no folder's mode. Where the capability
// cannot be had, the error says which folder is in the way.
func (who *account) mustReach(path string) error {
	closed, err := who.closedTo(path)
	if err != nil || closed == "" {
		return err
	}
	capability, ok := searchCapability()
	if !ok {
		return fmt.Errorf("account %q, as which PostgreSQL runs for root, may not enter %s: choose a folder elsewhere", who.name, closed)
	}
	who.capabilities = []uintptr{capability}
	return nil
}

// own gives path to who.
func (who *account) own(path string) error {
	if who == nil {
		return nil
	}
	if err := os.Lchown(path, int(who.uid), int(who.gid)); err != nil {
		return fmt.Errorf("give %s to account %q: %w", path, who.name, err)
	}
	return nil
}
