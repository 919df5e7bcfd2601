package postgres

import "syscall"

// dieWithUs makes the kernel send a fast shutdown to the child when the thread that started it ends.
func dieWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT}
}
