package faults

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/history"
)

// onAll does a fault of one node to all of them at once. It is confirmed where each is.
func onAll(one do) do {
	return func(n *nemesis, ctx context.Context, _ *node, s Step) (string, error) {
		group, ctx := errgroup.WithContext(ctx)
		proofs := make([]string, len(n.nodes))
		for i, victim := range n.nodes {
			group.Go(func() (err error) {
				proofs[i], err = one(n, ctx, victim, s)
				return err
			})
		}
		err := group.Wait()
		proof := history.Confirmed
		if i := slices.IndexFunc(proofs, func(p string) bool { return p != history.Confirmed }); i >= 0 {
			proof = proofs[i]
		}
		return proof, err
	}
}
