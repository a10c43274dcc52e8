package access

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
)

func jobRestrictions() []scenario.Scenario {
	return scenario.Table(scenario.Scenario{
		Protects: "secrets that are restricted to an environment or a branch, and the jobs that need them",
		Source:   "GitLab EE spec pipeline_secrets_access_spec.rb",
		Kind:     scenario.Abuse, Budget: time.Minute, Parallel: true,
	},
		// Catches: a policy name that Rails and the role spell differently.
		scenario.Row("access/job-matching", "A job whose environment and branch match reads everything",
			reads(nil, true, true)),
		// Catches: protection, a property of group secrets, taken for one of project secrets.
		scenario.Row("access/job-unprotected",
			"An unprotected branch reads a project's secrets as a protected one does",
			reads(func(j *gitlab.Job) { j.Protected = false }, true, true)),
		// Catches: a role that ignores the environment.
		scenario.Row("access/job-other-environment", "A job of another environment reads no secret of this one",
			reads(environment("staging"), false, true)),
		// Catches: a role that takes a missing claim for any.
		scenario.Row("access/job-no-environment", "A job without environment reads no secret of an environment",
			reads(environment(""), false, true)),
		// Catches: names folded to one case: OpenBao lower-cases policy names, only hex keeps them
		// apart.
		scenario.Row("access/job-environment-other-case", "Environments are compared with their case",
			reads(environment("Production"), false, true)),
		// Catches: policies matched by prefix.
		scenario.Row("access/job-environment-longer",
			"An environment whose name begins with the right one is another",
			reads(environment("production/eu"), false, true)),
		// Catches: policies matched by prefix, the other way round.
		scenario.Row("access/job-environment-shorter",
			"An environment whose name is the beginning of the right one is another",
			reads(environment("product"), false, true)),
		// Catches: names trimmed on the way to the policy.
		scenario.Row("access/job-environment-space", "A space belongs to an environment's name",
			reads(environment("production "), false, true)),
		// Catches: a job's own wildcard expanded to what others have.
		scenario.Row("access/job-environment-star", "A job whose environment is called * gains nothing",
			reads(environment("*"), false, true)),
		// Catches: a wildcard that works on the job's side.
		scenario.Row("access/job-environment-pattern", "A job whose environment is called prod* gains nothing",
			reads(environment("prod*"), false, true)),
		// Catches: a name that is inserted without being encoded.
		scenario.Row("access/job-environment-encoded",
			"A job whose environment is called as the code of another gains nothing",
			reads(environment("70726f64756374696f6e"), false, true)),
		// Catches: a name that is inserted without being encoded, and walks to the policies of a
		// branch or of all.
		scenario.Row("access/job-environment-path", "A job whose environment is called like a path gains nothing",
			reads(environment("../global"), false, true)),
		// Catches: a list of policies made by joining text.
		scenario.Row("access/job-environment-list", "A job whose environment holds a comma gains nothing",
			reads(environment("x,production"), false, true)),
		// Catches: a template or CEL text that is evaluated once more.
		scenario.Row("access/job-environment-template",
			"A job whose environment is called like a template gains nothing",
			reads(environment(`{{ "production" }}' + 'x`), false, true)),
		// Catches: a role that ignores the branch.
		scenario.Row("access/job-other-branch", "A job of another branch reads no secret of this one",
			reads(branch("feature"), true, false)),
		// Catches: names folded to one case.
		scenario.Row("access/job-branch-other-case", "Branches are compared with their case",
			reads(branch("Main"), true, false)),
		// Catches: refs/heads/ added or cut off before the comparison.
		scenario.Row("access/job-branch-full-name", "A branch called refs/heads/main is not main",
			reads(branch("refs/heads/main"), true, false)),
		// Catches: a job's own wildcard expanded to what others have.
		scenario.Row("access/job-branch-star", "A job whose branch is called * gains nothing",
			reads(branch("*"), true, false)),
		// Catches: policies matched by prefix.
		scenario.Row("access/job-branch-longer", "A branch whose name begins with the right one is another",
			reads(branch("main-2"), true, false)),
		// Catches: a missing ref taken for any.
		scenario.Row("access/job-branch-empty", "A job with an empty ref reads no secret of a branch",
			reads(branch(""), true, false)),
		// Catches: a ref type that is not looked at, so that whoever may tag reads what only the
		// branch should.
		scenario.Row("access/job-tag-of-same-name", "A tag that is called like the branch is no branch",
			reads(tag("main"), true, false)),
		// Catches: as above.
		scenario.Row("access/job-tag", "A job of a tag reads no secret of a branch",
			reads(tag("v1.0.0"), true, false)),
		// Catches: both conditions joined by or.
		scenario.Row("access/job-neither", "A job of another environment and branch reads only what is unrestricted",
			reads(func(j *gitlab.Job) {
				j.Environment, j.Ref = "staging", "feature"
			}, false, false)),
		// Catches: environment and branch mixed up.
		scenario.Row("access/job-swapped",
			"An environment called like the branch, and a branch called like the environment, are others",
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

// reads changes a job and expects which of the secrets that every project has it may read: those
// restricted to the default environment, and those restricted to the default branch. A secret
// restricted to both needs both. An unrestricted one needs neither.
func reads(change func(j *gitlab.Job), environment, branch bool) scenario.Test {
	return func(ctx context.Context, t scenario.T, env *scenario.Env) {
		job, read, refused := gitlab.DefaultJob(), 0, 0
		if change != nil {
			change(&job)
		}
		for _, tenant := range env.Sample(2) {
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
		t.Measure("read", float64(read))
		t.Measure("refused", float64(refused))
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
