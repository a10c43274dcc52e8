package findings

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"gitlab.com/steamer/steamer/harness/lab"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// rotate rotates the key with which OpenBao encrypts its storage, every so often until ctx ends,
// and returns how often it was done. As Rails may, by inline authentication.
func rotate(ctx context.Context, l *lab.Lab, every time.Duration) (n int, err error) {
	auth, err := l.Issuer.RailsAuth(l.Server.Audience)
	if err != nil {
		return 0, err
	}
	client := openbao.New(l.Server.Address, l.Server.HTTPClient())
	defer client.Close()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return n, nil
		}
		r, err := client.Do(ctx, openbao.Request{Method: http.MethodPost, Path: "sys/rotate", Auth: auth})
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
