package scenario

import (
	"cmp"
	"crypto/rand"
	"slices"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/gitlab/graphql"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// Stack is one project behind GitLab's own API: a real GitLab's, or one that the stub plays.
type Stack struct {
	API     *graphql.Client
	Nobody  *graphql.Client // the same without a token
	Project string          // full path
	Tenant  gitlab.Tenant   // where the project lives in OpenBao; it has no secrets of its own
	Job     gitlab.Job      // the job that Token belongs to
	// Token returns the JWT of a CI job of the project. A real GitLab signs one for each job, and
	// no other.
	Token func() (string, error)
}

// stackID is far above the IDs of seeded tenants and far below those that scenarios generate.
const stackID = 800_000

// PlayStacks gives an environment a project of each recipe behind a GraphQL API that the stub
// plays, on a loopback port. Environments on one server differ in base, from 0. The caller must
// stop it.
func PlayStacks(e *Env, base int, recipes []*gitlab.Recipe) (stop func(), err error) {
	client := openbao.New(e.Address, openbao.Trusting(true, e.CA))
	stub := &graphql.Stub{
		Seeder:   &gitlab.Seeder{Client: client, Issuer: e.Issuer, Audience: e.Audience, Recipes: recipes, Replay: true},
		Projects: map[string]gitlab.Tenant{},
		Token:    rand.Text(),
	}
	for i, r := range recipes {
		id := stackID + base + 10*i
		tenant, err := r.Place(gitlab.Tenant{Org: 1, Group: id, Project: id + 1, User: id + 2})
		if err != nil {
			return nil, err
		}
		stub.Projects[tenant.ProjectPath()] = tenant
	}
	url, stopStub, err := stub.Start()
	if err != nil {
		return nil, err
	}
	job := gitlab.DefaultJob()
	for path, tenant := range stub.Projects {
		e.Stacks = append(e.Stacks, Stack{
			API: graphql.New(url, stub.Token, nil), Nobody: graphql.New(url, "", nil), Project: path, Tenant: tenant, Job: job,
			Token: func() (string, error) { return e.Issuer.Pipeline(e.Audience, tenant, job) },
		})
	}
	slices.SortFunc(e.Stacks, func(a, b Stack) int { return cmp.Compare(a.Tenant.Group, b.Tenant.Group) })
	return func() { stopStub(); client.Close() }, nil
}
