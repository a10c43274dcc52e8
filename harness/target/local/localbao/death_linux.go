package localbao

import "syscall"

// setDeathSignal makes the kernel send a process a signal when the thread that started it dies.
func setDeathSignal(attr *syscall.SysProcAttr, signal syscall.Signal) { attr.Pdeathsig = signal }
