//go:build !linux

package ociruntime

import "errors"

// Missing lists the capabilities that the kernel knows and this process's bounding set lacks:
// none, because only Linux has them.
func Missing() []string { return nil }

// Host would read the limits of the machine. Containers of this kind run on Linux only.
func Host() (Limits, error) { return Limits{}, errors.New("it runs on Linux only") }
