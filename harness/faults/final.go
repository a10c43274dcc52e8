package faults

import (
	"context"
	"fmt"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/wait"
)

// readAll reads each secret, its latest version and those that are kept, until each read has an
// answer.
func (p *pool) readAll(ctx context.Context, id int) error {
	c := newClient(p, id, 0)
	defer c.http.CloseIdleConnections()
	read := func(o history.Op) (history.Op, error) {
		_, err := wait.Until(ctx, wait.For{What: "a read at the end is answered", Deadline: recoverTime},
			func(ctx context.Context) error {
				again := o
				c.do(ctx, &again)
				if again.Result == history.Unknown || again.Result == history.Failed {
					return fmt.Errorf("it is %s", again.Result)
				}
				o = again
				return nil
			})
		return o, err
	}
	for t := range p.tenants {
		for s := range p.secrets {
			key := fmt.Sprintf("t%d/k%d", t, s)
			latest, err := read(*c.op(history.Read, key))
			if err != nil {
				return err
			}
			for n := max(1, latest.Version-keepVersions+1); n <= latest.Version; n++ {
				o := c.op(history.Read, key)
				o.Version, o.Asked = n, true
				if _, err := read(*o); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
