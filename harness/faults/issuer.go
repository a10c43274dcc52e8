package faults

import (
	"context"
	"time"

	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// issuer rotates the key with which jobs log in while its issuer is in trouble, which counts the
// requests that met it.
func issuer(trouble localbao.Trouble) do {
	return func(n *nemesis, ctx context.Context, _ *node, s Step) (string, error) {
		met, err := n.keys.rotateIn(ctx, trouble, time.Duration(s.Length))
		return confirmed(met), err
	}
}
