package run

import (
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// NewID names a run by its start and a random part, e.g. "20261123-145501-9f3a".
func NewID(started time.Time) (string, error) { return newID(started) }

// ThisHost describes this machine; what cannot be read stays empty.
func ThisHost() result.Host { return host() }
