//go:build unix && !linux

package local

import (
	"context"
	"os/exec"
	"strconv"
	"syscall"
)

// ownedByUs makes cmd run as who in a process group of its own, so that
// Ctrl-C on the terminal reaches only the parent, which then stops its
// servers in order.
func ownedByUs(cmd *exec.Cmd, who *account, _ syscall.Signal) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if who != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: who.uid, Gid: who.gid}
	}
	return nil
}

// guard starts a shell that waits for the end of its input, which it shares
// with nobody but us, and then sends pid the signal orphaned. When we die, however we die, the
// input ends. Release tells the shell that pid has ended already.
func guard(pid int, orphaned syscall.Signal) (release func()) {
	sh := exec.CommandContext(context.Background(), "/bin/sh", "-c", `read ended || kill -"$1" "$0"`,
		strconv.Itoa(pid), strconv.Itoa(int(orphaned)))
	sh.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := sh.StdinPipe()
	if err != nil {
		return func() {}
	}
	if err := sh.Start(); err != nil {
		return func() {}
	}
	return func() {
		_, _ = in.Write([]byte("ended\n"))
		_ = in.Close()
		_ = sh.Wait()
	}
}
