//go:build !unix

package main

// stand has no counterpart here.
func (c *child) stand() bool { return false }

func (c *child) goOn() {}
