//go:build !linux

package cluster

// CheckInotify does nothing: nodes run on another kernel, in the engine's virtual machine.
func CheckInotify() error { return nil }
