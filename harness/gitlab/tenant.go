package gitlab

import (
	"encoding/hex"
	"fmt"
	"strconv"
)

// Any as an environment or branch means that the secret is not restricted by it.
const Any = "*"

// Defaults of a plan and of the job that may read everything it seeds.
const (
	DefaultTenants     = 50
	DefaultSecrets     = 4
	DefaultEnvironment = "production"
	DefaultBranch      = "main"
	projectsPerGroup   = 5
)

// Secret is one secret of a tenant, without its value.
type Secret struct {
	Name        string `json:"name"`
	Environment string `json:"environment"` // Any or an environment's literal name
	Branch      string `json:"branch"`      // Any or a branch's literal name
	Version     int    `json:"version"`     // KV version, from 1
}

// Policy names the ACL policy that lets pipelines read the secret. GitLab encodes
// names as lower-case hex of their UTF-8 bytes and treats only a lone "*" as a wildcard.
func (s Secret) Policy() string {
	env, branch := hex.EncodeToString([]byte(s.Environment)), hex.EncodeToString([]byte(s.Branch))
	switch {
	case s.Environment == Any && s.Branch == Any:
		return "pipelines/global"
	case s.Branch == Any:
		return "pipelines/env/" + env
	case s.Environment == Any:
		return "pipelines/branch/" + branch
	default:
		return "pipelines/combined/env/" + env + "/branch/" + branch
	}
}

// Tenant is one GitLab project with its place in OpenBao.
type Tenant struct {
	Name       string   `json:"name"`   // the namespace path, e.g. "org_1/group_5/project_7"
	Recipe     string   `json:"recipe"` // ID of the recipe that provisions it
	Org        int      `json:"org"`
	Group      int      `json:"group"`
	Project    int      `json:"project"`
	User       int      `json:"user"`       // the project's owner and the user who runs its jobs
	SecretPath string   `json:"secretPath"` // KV v2 data path that secrets' names are appended to
	AuthPath   string   `json:"authPath"`   // login path of pipelines
	Role       string   `json:"role"`       // login role of pipelines
	Secrets    []Secret `json:"secrets"`
}

// ProjectPath is the project's path in GitLab, as claims carry it.
func (t Tenant) ProjectPath() string { return fmt.Sprintf("group-%d/project-%d", t.Group, t.Project) }

// Value is the right value of one of the tenant's secrets.
func (t Tenant) Value(seed string, s Secret) string { return Value(seed, t.Name, s.Name, s.Version) }

// Plan lays out tenants over the recipes in turn, each with the given number of
// secrets, five projects to a group. Secrets are in turn unrestricted, bound to
// DefaultEnvironment, to DefaultBranch and to both, so that a job of DefaultJob
// reads them all through four policies. Both numbers must be positive.
func Plan(recipes []*Recipe, tenants, secrets int) ([]Tenant, error) {
	return PlanAt(recipes, 0, tenants, secrets)
}

// PlanAt is Plan with all IDs raised by offset, for tenants that must not meet
// those of another plan. Offsets must differ by at least the number of tenants.
func PlanAt(recipes []*Recipe, offset, tenants, secrets int) ([]Tenant, error) {
	if tenants < 1 || secrets < 1 || len(recipes) == 0 {
		return nil, fmt.Errorf("seed plan: need at least one tenant, one secret and one recipe, got %d, %d and %d",
			tenants, secrets, len(recipes))
	}
	plan := make([]Tenant, 0, tenants)
	for i := range tenants {
		r, nth := i%len(recipes), i/len(recipes)
		t := Tenant{
			Recipe: recipes[r].ID, Org: 1, Project: 1000 + offset + i, User: 500 + offset + i,
			Group: 100 + offset + nth/projectsPerGroup*len(recipes) + r, // a group belongs to one recipe
		}
		for k := range secrets {
			t.Secrets = append(t.Secrets, secretOf(k))
		}
		if err := recipes[r].place(&t); err != nil {
			return nil, err
		}
		plan = append(plan, t)
	}
	return plan, nil
}

func secretOf(k int) Secret {
	s := Secret{Name: "SECRET_" + strconv.Itoa(k+1), Environment: Any, Branch: Any, Version: 1}
	if k%4 == 1 || k%4 == 3 {
		s.Environment = DefaultEnvironment
	}
	if k%4 == 2 || k%4 == 3 {
		s.Branch = DefaultBranch
	}
	return s
}
