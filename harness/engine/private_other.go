//go:build !linux

package engine

import (
	"context"
	"runtime"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Namespace is the network namespace of a private engine; there is none but on Linux.
type Namespace struct {
	// Handover is what the process that entered left for this one.
	Handover []byte
}

// able says why this process could not start a private engine.
func able() error {
	return exit.Environmentf("container engine", "start Docker or Podman",
		"neither answers, and Steamer starts an engine of its own on Linux only, not on %s", runtime.GOOS)
}

func socketOf(Options) string { return "" }

func here(context.Context, string) host { return host{os: runtime.GOOS, peer: -1} }

// Exists reports whether there is a private engine.
func Exists(Options) (bool, error) { return false, nil }

// UnmountBelow does nothing: Steamer mounts on Linux only.
func UnmountBelow(string) error { return nil }

// Arrived returns the network namespace of a private engine that this process is in: none.
func Arrived(Options) (*Namespace, error) { return nil, nil }

// Enter would begin again inside a private engine's network namespace. It always fails.
func Enter(context.Context, Options, []byte) error { return able() }

// Engine returns the private engine. It always fails.
func (n *Namespace) Engine(context.Context, func(string)) (*Engine, error) { return nil, able() }

func (n *Namespace) engine() *Engine { return nil }

// Keep does nothing: no process has a namespace.
func (n *Namespace) Keep() error { return nil }

// Release does nothing: no process has a namespace.
func (n *Namespace) Release() error { return nil }

// Leave does nothing: no process has a namespace.
func (n *Namespace) Leave(context.Context) error { return nil }

// Clear does nothing: no process has a namespace.
func (n *Namespace) Clear(context.Context) error { return nil }

// Stop does nothing: no process has a namespace.
func (n *Namespace) Stop(context.Context) error { return nil }
