//go:build unix && !linux

package postgres

import "syscall"

// dieWithUs cannot be promised here: a server that outlives a killed process is stopped by the next Start.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
