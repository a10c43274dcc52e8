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

// jobRow is a kind of job and what it may read of the secrets that every project has: those bound
// to the default environment and those bound to the default branch. Secrets bound to both need
// both, unrestricted ones neither.
type jobRow struct {
	name, title         string
	change              func(j *gitlab.Job)
	environment, branch bool
}

func environment(name string) func(*gitlab.Job) { return func(j *gitlab.Job) { j.Environment = name } }

func branch(name string) func(*gitlab.Job) { return func(j *gitlab.Job) { j.Ref = name } }

func tag(name string) func(*gitlab.Job) {
	return func(j *gitlab.Job) { j.Ref, j.RefType = name, "tag" }
}

func jobRows() []jobRow {
	return []jobRow{
		// Catches: a policy name that Rails and the role spell differently.
		{"matching", "A job whose environment and branch match reads everything", func(*gitlab.Job) {}, true, true},
		// Catches: protection, a property of group secrets, taken for one of project secrets.
		{
			"unprotected", "An unprotected branch reads a project's secrets as a protected one does",
			func(j *gitlab.Job) { j.Protected = false }, true, true,
		},
		// Catches: a role that ignores the environment.
		{
			"other-environment", "A job of another environment reads no secret of this one", environment("staging"), false,
			true,
		},
		// Catches: a role that takes a missing claim for any.
		{"no-environment", "A job without environment reads no secret of an environment", environment(""), false, true},
		// Catches: names folded to one case: OpenBao lower-cases policy names, only hex keeps them
		// apart.
		{"environment-other-case", "Environments are compared with their case", environment("Production"), false, true},
		// Catches: policies matched by prefix.
		{
			"environment-longer", "An environment whose name begins with the right one is another", environment("production/eu"),
			false, true,
		},
		// Catches: policies matched by prefix, the other way round.
		{
			"environment-shorter", "An environment whose name is the beginning of the right one is another",
			environment("product"), false, true,
		},
		// Catches: names trimmed on the way to the policy.
		{"environment-space", "A space belongs to an environment's name", environment("production "), false, true},
		// Catches: a job's own wildcard expanded to what others have.
		{"environment-star", "A job whose environment is called * gains nothing", environment("*"), false, true},
		// Catches: a wildcard that works on the job's side.
		{"environment-pattern", "A job whose environment is called prod* gains nothing", environment("prod*"), false, true},
		// Catches: a name that is inserted without being encoded.
		{
			"environment-encoded", "A job whose environment is called as the code of another gains nothing",
			environment("70726f64756374696f6e"), false, true,
		},
		// Catches: a name that is inserted without being encoded, and walks to the policies of a
		// branch or of all.
		{
			"environment-path", "A job whose environment is called like a path gains nothing", environment("../global"), false,
			true,
		},
		// Catches: a list of policies made by joining text.
		{"environment-list", "A job whose environment holds a comma gains nothing", environment("x,production"), false, true},
		// Catches: a template or CEL text that is evaluated once more.
		{
			"environment-template", "A job whose environment is called like a template gains nothing",
			environment(`{{ "production" }}' + 'x`), false, true,
		},
		// Catches: a role that ignores the branch.
		{"other-branch", "A job of another branch reads no secret of this one", branch("feature"), true, false},
		// Catches: names folded to one case.
		{"branch-other-case", "Branches are compared with their case", branch("Main"), true, false},
		// Catches: refs/heads/ added or cut off before the comparison.
		{"branch-full-name", "A branch called refs/heads/main is not main", branch("refs/heads/main"), true, false},
		// Catches: a job's own wildcard expanded to what others have.
		{"branch-star", "A job whose branch is called * gains nothing", branch("*"), true, false},
		// Catches: policies matched by prefix.
		{"branch-longer", "A branch whose name begins with the right one is another", branch("main-2"), true, false},
		// Catches: a missing ref taken for any.
		{"branch-empty", "A job with an empty ref reads no secret of a branch", branch(""), true, false},
		// Catches: a ref type that is not looked at, so that whoever may tag reads what only the
		// branch should.
		{"tag-of-same-name", "A tag that is called like the branch is no branch", tag("main"), true, false},
		// Catches: as above.
		{"tag", "A job of a tag reads no secret of a branch", tag("v1.0.0"), true, false},
		// Catches: both conditions joined by or.
		{"neither", "A job of another environment and branch reads only what is unrestricted", func(j *gitlab.Job) {
			j.Environment, j.Ref = "staging", "feature"
		}, false, false},
		// Catches: environment and branch mixed up.
		{
			"swapped", "An environment called like the branch, and a branch called like the environment, are others",
			func(j *gitlab.Job) {
				j.Environment, j.Ref = gitlab.DefaultBranch, gitlab.DefaultEnvironment
			}, false, false,
		},
	}
}

func jobs() []scenario.Scenario {
	var out []scenario.Scenario
	for _, row := range jobRows() {
		out = append(out, scenario.Scenario{
			ID: "access/job-" + row.name, Title: row.title,
			Protects: "secrets that are restricted to an environment or a branch, and the jobs that need them",
			Source:   "GitLab EE spec pipeline_secrets_access_spec.rb",
			Kind:     scenario.Abuse, Budget: time.Minute, Parallel: true,
			Test: func(ctx context.Context, t scenario.T, env *scenario.Env) { row.test(ctx, t, env) },
		})
	}
	return out
}

func (row jobRow) test(ctx context.Context, t scenario.T, env *scenario.Env) {
	job, read, refused := gitlab.DefaultJob(), 0, 0
	row.change(&job)
	for _, tenant := range env.Sample(2) {
		for _, s := range tenant.Secrets {
			a, err := env.Fetch(ctx, tenant, s.Name, job)
			require.NoError(t, err)
			if (row.environment || s.Environment == gitlab.Any) && (row.branch || s.Branch == gitlab.Any) {
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

// denied expects that the login worked and the policy refused.
func denied(t scenario.T, what string, a gitlab.Answer) {
	t.Helper()
	if a.Status != http.StatusForbidden || a.InlineAuthFailed || !strings.Contains(strings.Join(a.Errors, " "),
		"permission denied") {
		t.Errorf("%s: %v, want 403 permission denied after the login", what, a)
	}
}
