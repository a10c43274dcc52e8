// Package secrets compares all seeded secrets before and after a disturbance.
package secrets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// parallel is how many fetches Fingerprint keeps in flight.
const parallel = 8

// Fingerprint fetches every seeded secret and returns a SHA-256 over what came back: two equal
// ones mean that no secret changed. It is an error when a secret cannot be fetched or is not what
// was seeded; the error never holds a value.
func Fingerprint(ctx context.Context, env *scenario.Env) (string, error) {
	lines := make([][]string, len(env.Tenants))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, tenant := range env.Tenants {
		group.Go(func() error {
			for _, secret := range tenant.Secrets {
				answer, err := env.Read(ctx, tenant, secret)
				if err != nil {
					return err
				}
				lines[i] = append(lines[i], fmt.Sprintf("%q %q %d %q\n", tenant.Name, secret.Name, answer.Version, answer.Value()))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, tenant := range lines {
		for _, line := range tenant {
			sum.Write([]byte(line))
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
