package local

import (
	"errors"
	"os/exec"
	"syscall"
)

// ownedByUs refuses: nothing here ties a program's life to its parent's on
// Windows.
func ownedByUs(*exec.Cmd, *account, syscall.Signal) error {
	return errors.New("private servers are not supported on Windows: use WSL, or servers of your own")
}

func guard(int, syscall.Signal) (release func()) { return func() {} }
