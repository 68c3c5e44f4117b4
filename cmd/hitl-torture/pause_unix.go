//go:build unix

package main

import "syscall"

// stand makes a process stand still until goOn, and says whether that is possible.
func (c *child) stand() bool {
	c.signal(syscall.SIGSTOP)
	return true
}

func (c *child) goOn() { c.signal(syscall.SIGCONT) }
