package result

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// NewID names a run by its start and a random part, e.g. "20261123-145501-9f3a".
func NewID(started time.Time) string {
	raw := make([]byte, 2)
	_, _ = rand.Read(raw) // never fails
	return started.Format("20060102-150405-") + hex.EncodeToString(raw)
}
