package findings

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"gitlab.com/steamer/steamer/harness/target"
)

// rotate rotates the key with which OpenBao encrypts its storage, every so often until ctx ends,
// and returns how often it was done. As Rails may, by inline authentication.
func rotate(ctx context.Context, t target.Target, every time.Duration) (n int, err error) {
	env, done, err := t.Env()
	if err != nil {
		return 0, err
	}
	defer done()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return n, nil
		}
		r, err := env.Rails(ctx, http.MethodPost, "sys/rotate", nil)
		switch {
		case ctx.Err() != nil:
			return n, nil
		case err != nil:
			return n, fmt.Errorf("sys/rotate: %w", err)
		case !r.OK():
			return n, fmt.Errorf("sys/rotate: status %d: %s", r.Status, r.Message())
		}
		n++
	}
}
