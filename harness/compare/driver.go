package compare

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"gitlab.com/steamer/steamer/harness/delay"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
)

// Generator is the load generator that both arms share.
type Generator struct {
	K6      string // k6 with the extension
	Scripts string // directory of the workload scripts
	Dir     string // existing directory for the interval logs, one a slice
}

// driver drives one provisioned OpenBao, through a proxy if there is one.
type driver struct {
	Generator
	address  string // base URL
	audience string
	seed     string // keys the secrets' values
	issuer   *gitlab.Issuer
	tenants  []gitlab.Tenant
	proxy    *delay.Proxy
}

// SetDelay delays every answer from now on. Both arms of a comparison have to
// have a proxy or none: the way through it takes time of its own.
func (d *driver) SetDelay(by time.Duration) error {
	if d.proxy == nil {
		u, err := url.Parse(d.address)
		if err != nil {
			return err
		}
		if d.proxy, err = delay.Start(u.Host); err != nil {
			return err
		}
	}
	return d.proxy.Set(by)
}

// closeProxy ends the proxy, if there is one.
func (d *driver) closeProxy() {
	if d.proxy != nil {
		d.proxy.Stop()
		d.proxy = nil
	}
}

// delayed is the delay in ms.
func (d *driver) delayed() float64 {
	if d.proxy == nil {
		return 0
	}
	return float64(d.proxy.Delay()) / float64(time.Millisecond)
}

// target is where the load goes.
func (d *driver) target() string {
	if d.proxy == nil {
		return d.address
	}
	return "http://" + d.proxy.Address()
}

// fixture is what k6 is told of the tenants for a load of some length.
func (d *driver) fixture(length time.Duration) ([]byte, error) {
	f, err := gitlab.NewFixture(d.target(), d.seed, d.audience, d.issuer, d.tenants, length+10*time.Minute)
	if err != nil {
		return nil, err
	}
	return json.Marshal(f)
}

// drive runs k6 once.
func (d *driver) drive(ctx context.Context, name string, p load.Profile, rate float64) (*result.Load, error) {
	length := time.Duration(p.Warmup) + time.Duration(p.Duration)
	data, err := d.fixture(length)
	if err != nil {
		return nil, err
	}
	runner := load.Runner{Binary: d.K6, Scripts: d.Scripts, Dir: d.Dir}
	return runner.Run(ctx, load.Job{Name: name, Profile: p, Rate: rate, Target: d.target(), Fixture: data})
}
