package main

import (
	"os/exec"
	"syscall"
)

// dieWithUs makes the kernel kill a child when the thread that started it ends.
func dieWithUs(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
