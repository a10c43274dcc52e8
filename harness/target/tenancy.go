package target

import (
	"context"
	"encoding/json"
	"time"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
)

// Tenancy is the tenants of one target and what it takes to provision them, to make fixtures of
// them and to check their secrets. Every field but Progress has to be set.
type Tenancy struct {
	Client   *openbao.Client // of the active node
	Issuer   *gitlab.Issuer
	Audience string                // claim aud that OpenBao expects
	Seed     string                // keys the secrets' values
	Recipes  []*gitlab.Recipe      // by which tenants are provisioned, in turn
	Secrets  int                   // of each tenant
	First    int                   // offset of the tenants' numbers, see gitlab.PlanAt
	Progress func(done, total int) // of Grow; may be nil

	tenants []gitlab.Tenant
}

// Beside is a tenancy of the same OpenBao without tenants yet, whose numbers begin at first, with
// recipes of its own.
func (t *Tenancy) Beside(first int, recipes []*gitlab.Recipe) Tenancy {
	other := *t
	other.First, other.Recipes, other.tenants = first, recipes, nil
	return other
}

// Tenants are those provisioned so far.
func (t *Tenancy) Tenants() []gitlab.Tenant { return t.tenants }

// Grow provisions tenants until there are total, and fetches each of their secrets once. The Seed
// says what that took, also beside an error.
func (t *Tenancy) Grow(ctx context.Context, total int) (*result.Seed, error) {
	if total <= len(t.tenants) {
		return &result.Seed{Recipes: map[string]int{}}, nil
	}
	plan, err := gitlab.PlanAt(t.Recipes, t.First, total, t.Secrets)
	if err != nil {
		return nil, err
	}
	seeder := &gitlab.Seeder{
		Client: t.Client, Issuer: t.Issuer, Audience: t.Audience, Seed: t.Seed, Recipes: t.Recipes, Replay: true,
		Progress: t.Progress,
	}
	seed, err := seeder.Run(ctx, plan[len(t.tenants):])
	if err == nil {
		t.tenants = plan
	}
	return seed, err
}

// margin is how much longer the tokens of a fixture are valid than the load takes.
const margin = 10 * time.Minute

// Fixture is the document that a load generator reads for a load of some length at url. It holds
// tokens.
func (t *Tenancy) Fixture(url string, profile load.Profile, length time.Duration, more ...gitlab.FixtureOption) (
	[]byte, error,
) {
	f, err := gitlab.NewFixture(url, t.Seed, t.Audience, t.Issuer, t.tenants, length+margin,
		append(profile.FixtureOptions(t.Recipes), more...)...)
	if err != nil {
		return nil, err
	}
	return json.Marshal(f)
}

// Check fetches one secret as a job does, by client, and returns why the answer is not the right
// value. The reason never holds the value.
func (t *Tenancy) Check(ctx context.Context, client *openbao.Client) error {
	tenant := t.tenants[0]
	return t.Issuer.Check(ctx, client, t.Audience, t.Seed, tenant, tenant.Secrets[0])
}
