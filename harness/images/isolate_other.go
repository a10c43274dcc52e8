//go:build !linux

package images

import "os/exec"

// isolate does nothing: only Linux has namespaces, and mmdebstrap runs nowhere else.
func isolate(*exec.Cmd) {}
