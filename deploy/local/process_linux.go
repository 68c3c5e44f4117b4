package local

import (
	"os/exec"
	"syscall"
)

// ownedByUs makes cmd run as who in a process group of its own, so that
// Ctrl-C on the terminal reaches only the parent, which then stops its
// servers in order. The kernel sends the program orphaned when the parent dies.
func ownedByUs(cmd *exec.Cmd, who *account, orphaned syscall.Signal) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: orphaned}
	if who != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: who.uid, Gid: who.gid}
		cmd.SysProcAttr.AmbientCaps = who.capabilities
	}
	return nil
}

// guard is not needed where the kernel watches over the parent.
func guard(int, syscall.Signal) (release func()) { return func() {} }
