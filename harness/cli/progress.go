package cli

import (
	"fmt"
	"io"
	"sync"
)

// progressLines reports pieces of work on lines of their own, when they start and when they end.
func progressLines(w io.Writer) func(work string, seconds float64) {
	var mu sync.Mutex
	return func(work string, seconds float64) {
		mu.Lock()
		defer mu.Unlock()
		if seconds < 0 {
			fmt.Fprintf(w, "  … %s\n", work)
			return
		}
		fmt.Fprintf(w, "  ✓ %s (%.1f s)\n", work, seconds)
	}
}
