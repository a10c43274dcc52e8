package openbao

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/grafana/sobek"
	"go.k6.io/k6/v2/lib/types"

	"gitlab.com/steamer/steamer/perf/fetch"
)

// settings are the options of a client.
type settings struct {
	mode       fetch.Mode
	modes      *fetch.Weights // of mode mixed
	operations *fetch.Weights // of mode rails
	selection  fetch.Selection
	seed       uint64
}

// optionNames are the options in the order of their documentation.
const optionNames = "mode, weights, operations, reuse, retries, timeout, ca, choice, exponent, hotTenants, " +
	"hotShare, verify and seed"

// Client is fixture.client(options).
func (f *Fixture) Client(options sobek.Value) (*Client, error) {
	c := &Client{vu: f.instance, settings: settings{mode: fetch.Inline, seed: 1}, warned: map[warning]bool{}}
	c.selection.Exponent = 1
	c.http.Plan, c.http.Verify = f.plan, true
	if options != nil && !sobek.IsUndefined(options) && !sobek.IsNull(options) {
		o := options.ToObject(f.instance.vu.Runtime())
		for _, key := range o.Keys() {
			if err := c.set(key, o.Get(key)); err != nil {
				return nil, fmt.Errorf("openbao client option %s: %w", key, err)
			}
		}
	}
	return c, c.check()
}

func (c *Client) set(key string, value sobek.Value) (err error) {
	switch key {
	case "mode":
		c.mode = fetch.Mode(value.String())
	case "weights":
		c.modes, err = weights(value, fetch.Modes()[:4]) // all but mixed
	case "operations":
		c.operations, err = weights(value, fetch.Operations())
	case "reuse":
		c.http.Reuse = value.ToBoolean()
	case "retries":
		c.http.Retry = value.ToBoolean()
	case "verify":
		c.http.Verify = value.ToBoolean()
	case "timeout":
		c.http.Timeout, err = types.GetDurationValue(value.Export())
		if err != nil || c.http.Timeout <= 0 {
			return fmt.Errorf("%q is not a duration above 0, such as \"60s\"", value.String())
		}
	case "ca":
		c.http.CA, err = c.vu.root.certificates(value.String())
	case "choice":
		c.selection.Choice = value.String()
	case "exponent":
		c.selection.Exponent = value.ToFloat()
	case "hotTenants":
		c.selection.HotTenants = int(value.ToInteger())
	case "hotShare":
		c.selection.HotShare = value.ToFloat()
	case "seed":
		c.seed = uint64(value.ToInteger()) // #nosec G115 -- any 64 bits make a seed
	default:
		return errors.New("unknown; the options are " + optionNames)
	}
	return err
}

// weights reads an object of numbers.
func weights(value sobek.Value, allowed []string) (*fetch.Weights, error) {
	given, ok := value.Export().(map[string]any)
	if !ok {
		return nil, errors.New("want an object of names and weights")
	}
	w := make(map[string]float64, len(given))
	for name, v := range given {
		switch n := v.(type) {
		case int64:
			w[name] = float64(n)
		case float64:
			w[name] = n
		default:
			return nil, fmt.Errorf("the weight of %s is not a number", name)
		}
	}
	return fetch.NewWeights(w, allowed)
}

// check checks that the options fit together, and that the fixture has what they need.
func (c *Client) check() error {
	known := false
	for _, mode := range fetch.Modes() {
		known = known || mode == string(c.mode)
	}
	switch {
	case !known:
		return fmt.Errorf("openbao client option mode: %q is unknown; the modes are: %s", c.mode,
			strings.Join(fetch.Modes(), ", "))
	case (c.mode == fetch.Mixed) != (c.modes != nil):
		return errors.New("openbao client: mode mixed needs the option weights, and no other mode has it")
	}
	var err error
	if c.modes == nil {
		c.modes, err = fetch.NewWeights(map[string]float64{string(c.mode): 1}, fetch.Modes())
	}
	if err == nil && c.operations == nil {
		// Proposal: secrets are listed more often than updated, and updated more often than
		// created.
		c.operations, err = fetch.NewWeights(map[string]float64{"create": 1, "update": 2, "list": 4, "delete": 1},
			fetch.Operations())
	}
	if err != nil {
		return err
	}
	for _, mode := range fetch.Modes() {
		if c.modes.Has(mode) {
			if err := c.http.Plan.Supports(fetch.Mode(mode)); err != nil {
				return fmt.Errorf("openbao client: mode %s: %w", mode, err)
			}
		}
	}
	if err := c.selection.Check(c.http.Plan); err != nil {
		return fmt.Errorf("openbao client option %w", err)
	}
	return nil
}

// exclusive reports whether processes must not share tenants.
func (s *settings) exclusive() bool {
	return s.modes.Has(string(fetch.Rails)) || s.selection.Choice == "cold"
}

// parseCA reads certificates in PEM.
func parseCA(pem []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in PEM")
	}
	return pool, nil
}
