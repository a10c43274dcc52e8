//go:build !linux

package platform

// MemoryMiB is the machine's memory: not read here, where the engine's virtual machine has another
// amount.
func MemoryMiB() int64 { return 0 }
