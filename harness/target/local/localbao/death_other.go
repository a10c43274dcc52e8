//go:build !linux

package localbao

import "syscall"

// setDeathSignal does nothing: only Linux has such a signal, and elsewhere a process outlives a
// killed Steamer.
func setDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}
