package access

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

func jobRestrictions() []scenario.Scenario {
	return scenario.Table(scenario.Scenario{
		Subject:  scenario.SubjectServer,
		Features: []scenario.Feature{scenario.FeatureClaimPolicies},
		Protects: "secrets that are restricted to an environment or a branch, and the jobs that need them",
		Source:   "GitLab EE spec pipeline_secrets_access_spec.rb",
		Kind:     scenario.Abuse, Budget: time.Minute, Parallel: true,
	},
		// Catches: a policy name that Rails and the role spell differently.
		scenario.Row("access/job-matching", "A job with the right environment and branch reads everything",
			reads(nil, true, true)),
		// Catches: protection, a property of group secrets, applied to project secrets.
		scenario.Row("access/job-unprotected", "An unprotected branch reads a project's secrets like a protected one",
			reads(func(j *gitlab.Job) { j.Protected = false }, true, true)),
		// Catches: a role that ignores the environment.
		scenario.Row("access/job-other-environment", "A job for another environment cannot read this environment's secrets",
			reads(environment("staging"), false, true)),
		// Catches: a missing claim treated as any environment.
		scenario.Row("access/job-no-environment", "A job without an environment cannot read an environment's secrets",
			reads(environment(""), false, true)),
		// Catches: names compared without case. OpenBao lower-cases policy names, and only hex
		// keeps them distinct.
		scenario.Row("access/job-environment-other-case", "Environment names are case-sensitive",
			reads(environment("Production"), false, true)),
		// Catches: policies matched by prefix.
		scenario.Row("access/job-environment-longer", "A longer environment name with the same prefix does not match",
			reads(environment("production/eu"), false, true)),
		// Catches: policies matched by prefix in the other direction.
		scenario.Row("access/job-environment-shorter", "A prefix of an environment name does not match",
			reads(environment("product"), false, true)),
		// Catches: names trimmed on the way to the policy.
		scenario.Row("access/job-environment-space", "A trailing space in an environment name is significant",
			reads(environment("production "), false, true)),
		// Catches: a wildcard in the job's name that matches others.
		scenario.Row("access/job-environment-star", "An environment named * does not act as a wildcard",
			reads(environment("*"), false, true)),
		// Catches: a pattern in the job's name that matches others.
		scenario.Row("access/job-environment-pattern", "An environment named prod* does not act as a pattern",
			reads(environment("prod*"), false, true)),
		// Catches: a name that is inserted without being encoded.
		scenario.Row("access/job-environment-encoded",
			"An environment named like another's hex code does not match it",
			reads(environment("70726f64756374696f6e"), false, true)),
		// Catches: a name that is inserted without being encoded and reaches other policies.
		scenario.Row("access/job-environment-path", "An environment named like a path does not match another policy",
			reads(environment("../global"), false, true)),
		// Catches: a list of policies built by joining text.
		scenario.Row("access/job-environment-list", "An environment name with a comma does not match its parts",
			reads(environment("x,production"), false, true)),
		// Catches: template or CEL text that is evaluated twice.
		scenario.Row("access/job-environment-template", "An environment named like a template is not evaluated",
			reads(environment(`{{ "production" }}' + 'x`), false, true)),
		// Catches: a role that ignores the branch.
		scenario.Row("access/job-other-branch", "A job on another branch cannot read this branch's secrets",
			reads(branch("feature"), true, false)),
		// Catches: names compared without case.
		scenario.Row("access/job-branch-other-case", "Branch names are case-sensitive",
			reads(branch("Main"), true, false)),
		// Catches: refs/heads/ added or removed before the comparison.
		scenario.Row("access/job-branch-full-name", "A branch named refs/heads/main does not match main",
			reads(branch("refs/heads/main"), true, false)),
		// Catches: a wildcard in the job's name that matches others.
		scenario.Row("access/job-branch-star", "A branch named * does not act as a wildcard",
			reads(branch("*"), true, false)),
		// Catches: policies matched by prefix.
		scenario.Row("access/job-branch-longer", "A longer branch name with the same prefix does not match",
			reads(branch("main-2"), true, false)),
		// Catches: a missing ref treated as any branch.
		scenario.Row("access/job-branch-empty", "A job with an empty ref cannot read a branch's secrets",
			reads(branch(""), true, false)),
		// Catches: an ignored ref type, so that users who may tag read what only the branch
		// should.
		scenario.Row("access/job-tag-of-same-name", "A tag with the branch's name does not match the branch",
			reads(tag("main"), true, false)),
		// Catches: as above.
		scenario.Row("access/job-tag", "A job on a tag cannot read a branch's secrets",
			reads(tag("v1.0.0"), true, false)),
		// Catches: conditions combined with or instead of and.
		scenario.Row("access/job-neither", "A job with another environment and branch reads only unrestricted secrets",
			reads(func(j *gitlab.Job) {
				j.Environment, j.Ref = "staging", "feature"
			}, false, false)),
		// Catches: environment and branch confused with each other.
		scenario.Row("access/job-swapped", "Swapping the names of environment and branch does not match",
			reads(func(j *gitlab.Job) {
				j.Environment, j.Ref = gitlab.DefaultBranch, gitlab.DefaultEnvironment
			}, false, false)),
	)
}

func environment(name string) func(*gitlab.Job) { return func(j *gitlab.Job) { j.Environment = name } }

func branch(name string) func(*gitlab.Job) { return func(j *gitlab.Job) { j.Ref = name } }

func tag(name string) func(*gitlab.Job) {
	return func(j *gitlab.Job) { j.Ref, j.RefType = name, "tag" }
}

// everyKind are secrets with each restriction that a project's secret can have.
func everyKind() []gitlab.Secret {
	const environment, branch = gitlab.DefaultEnvironment, gitlab.DefaultBranch
	return []gitlab.Secret{
		{Name: "SECRET_1", Environment: gitlab.Any, Branch: gitlab.Any, Version: 1},
		{Name: "SECRET_2", Environment: environment, Branch: gitlab.Any, Version: 1},
		{Name: "SECRET_3", Environment: gitlab.Any, Branch: branch, Version: 1},
		{Name: "SECRET_4", Environment: environment, Branch: branch, Version: 1},
	}
}

// reads changes a job and expects which secrets of a project it may read: those restricted to the
// default environment, and those restricted to the default branch. A secret restricted to both
// needs both. An unrestricted one needs neither. Projects that were seeded with fewer kinds of
// secrets prove nothing, so that others are provisioned in their place.
func reads(change func(j *gitlab.Job), environment, branch bool) scenario.Test {
	return func(ctx context.Context, t scenario.T, env *scenario.Env) {
		job, read, refused := gitlab.DefaultJob(), 0, 0
		if change != nil {
			change(&job)
		}
		test := func(tenant gitlab.Tenant) {
			for _, s := range tenant.Secrets {
				a, err := env.Fetch(ctx, tenant, s.Name, job)
				require.NoError(t, err)
				if (environment || s.Environment == gitlab.Any) && (branch || s.Branch == gitlab.Any) {
					read++
					if !a.OK() || a.Value() != tenant.Value(env.Seed, s) {
						t.Errorf("%s of %s: %v, want its value", s.Name, tenant.Name, a)
					}
					continue
				}
				refused++
				denied(t, s.Name+" of "+tenant.Name, a)
			}
		}
		if tenants := env.Sample(2); len(tenants[0].Secrets) >= len(everyKind()) {
			for _, tenant := range tenants {
				test(tenant)
			}
		} else {
			tenancy.Each(ctx, t, env, everyKind(), test)
		}
		t.Measure("read", float64(read))
		t.Measure("refused", float64(refused))
		require.NotZero(t, read, "no secret was expected to be readable")
		require.Equal(t, environment && branch, refused == 0, "secrets that had to be refused: %d", refused)
	}
}

// denied expects that the login worked and the policy refused.
func denied(t scenario.T, what string, a gitlab.Answer) {
	t.Helper()
	if a.Status != http.StatusForbidden || a.InlineAuthFailed || !strings.Contains(strings.Join(a.Errors, " "),
		"permission denied") {
		t.Errorf("%s: %v, want 403 permission denied after the login", what, a)
	}
}
