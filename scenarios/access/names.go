package access

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

func names() []scenario.Scenario {
	type s = gitlab.Secret
	long := strings.Repeat("n", 255) // GitLab's limit of all three names
	return scenario.Table(scenario.Scenario{
		Subject:  scenario.SubjectServer,
		Features: []scenario.Feature{scenario.FeatureClaimPolicies},
		Protects: "secrets with unusual environments, branches or names, and secrets with similar names",
		Source:   "GitLab EE: policies are named by the hex of UTF-8 bytes; names of secrets match [a-zA-Z0-9_]+ up to 255",
		Kind:     scenario.Abuse, Budget: time.Minute, Parallel: true,
	},
		// GitLab 18.9 and later compare hex with hex, so a pattern is an ordinary name; only a
		// single * is special. These rows fail when that changes: then either a wildcard works, or
		// a policy is too wide.
		scenario.Row("access/name-environment-wildcard",
			"A secret for prod* is read only by a job whose environment is named prod*",
			onlyMatching(s{Environment: "prod*"}, environments("production", "prod", "PROD*")...)),
		scenario.Row("access/name-branch-wildcard",
			"A secret for release-* is read only by a job whose branch is named release-*",
			onlyMatching(s{Branch: "release-*"}, branches("release-1", "release-")...)),
		// The others catch names that are not encoded as the hex of their UTF-8 bytes, or that are
		// truncated, lower-cased or normalised.
		scenario.Row("access/name-environment-unicode", "Environment names outside ASCII work",
			onlyMatching(s{Environment: "prüfung/東京 \U0001F680"}, environments("prufung/東京 \U0001F680",
				"pru\u0308fung/東京 \U0001F680")...)),
		scenario.Row("access/name-environment-upper", "Environment names in upper case work",
			onlyMatching(s{Environment: "PROD"}, environments("prod", "Prod")...)),
		scenario.Row("access/name-environment-review", "Environment names of review apps work",
			onlyMatching(s{Environment: "review/feature-1"}, environments("review/feature-10", "review", "review/*")...)),
		scenario.Row("access/name-environment-dots", "An environment named like a parent directory works",
			onlyMatching(s{Environment: "../.."}, environments("..", "../../")...)),
		scenario.Row("access/name-environment-quotes", "Environment names with quotes and braces work",
			onlyMatching(s{Environment: `a'b"c{{.}}\d`}, environments("abc", `a'b"c`)...)),
		scenario.Row("access/name-environment-long", "An environment name of 255 characters works",
			onlyMatching(s{Environment: long}, environments(long[1:], long[1:]+"m")...)),
		// OpenBao keeps at most 512 bytes in a field of custom metadata, where Rails puts the name
		// too.
		scenario.Row("access/name-environment-long-unicode",
			"An environment name of 170 characters in 510 bytes works",
			onlyMatching(s{Environment: strings.Repeat("京", 170)}, environments(strings.Repeat("京", 169))...)),
		scenario.Row("access/name-branch-unicode", "Branch names outside ASCII work",
			onlyMatching(s{Branch: "função/ß"}, branches("função/ss", "funcao/ß")...)),
		scenario.Row("access/name-branch-slashes", "Branch names with slashes work",
			onlyMatching(s{Branch: "feature/a/b"}, branches("feature/a", "feature/a/b/c")...)),
		scenario.Row("access/name-branch-long", "A branch name of 255 characters works",
			onlyMatching(s{Branch: long}, branches(long[1:])...)),
		scenario.Row("access/name-both-unusual", "A secret for an unusual environment and branch needs both",
			onlyMatching(s{Environment: "Üben", Branch: "Fix #1"}, append(environments("üben"), branches("fix #1")...)...)),
		// A pair of names must not be read as another pair with the slash in another place.
		scenario.Row("access/name-both-shifted", "Environment and branch names with slashes cannot be confused",
			onlyMatching(s{Environment: "a/branch/b", Branch: "c"}, gitlab.Job{Environment: "a", Ref: "b/branch/c"})),
		scenario.Row("access/name-secret-long", "A secret name of 255 characters works",
			onlyMatching(s{Name: strings.Repeat("N", 255)})),
		scenario.Row("access/name-secret-short", "A secret name of one character works", onlyMatching(s{Name: "x"})),
		scenario.Row("access/name-secret-digits", "A secret name of digits and underscores works",
			onlyMatching(s{Name: "_0_9"})),
		scenario.Row("access/name-secret-case", "Secret names are case-sensitive",
			onlyMatching(s{Name: "MiXed_Case"})),
	)
}

func environments(names ...string) (jobs []gitlab.Job) {
	for _, n := range names {
		jobs = append(jobs, gitlab.Job{Environment: n})
	}
	return jobs
}

func branches(names ...string) (jobs []gitlab.Job) {
	for _, n := range names {
		jobs = append(jobs, gitlab.Job{Ref: n})
	}
	return jobs
}

// onlyMatching creates a secret with an unusual name, environment or branch; empty fields become
// ordinary ones. It expects that a job that matches exactly reads the secret, and that the others
// do not. An empty field of these has the matching job's value.
func onlyMatching(s gitlab.Secret, others ...gitlab.Job) scenario.Test {
	return func(ctx context.Context, t scenario.T, env *scenario.Env) {
		match := gitlab.DefaultJob()
		match.Environment, match.Ref = cmp.Or(s.Environment, match.Environment), cmp.Or(s.Branch, match.Ref)
		secret := gitlab.Secret{
			Name: cmp.Or(s.Name, "SECRET_1"), Environment: cmp.Or(s.Environment, gitlab.Any),
			Branch: cmp.Or(s.Branch, gitlab.Any), Version: 1,
		}
		tenancy.Each(ctx, t, env, []gitlab.Secret{secret}, func(tenant gitlab.Tenant) {
			a, err := env.Fetch(ctx, tenant, secret.Name, match)
			require.NoError(t, err)
			if !a.OK() || a.Value() != tenant.Value(env.Seed, secret) {
				t.Errorf("the matching job at %s: %v", tenant.Name, a)
			}
			for _, other := range others {
				job := match
				job.Environment, job.Ref = cmp.Or(other.Environment, match.Environment), cmp.Or(other.Ref, match.Ref)
				a, err := env.Fetch(ctx, tenant, secret.Name, job)
				require.NoError(t, err)
				denied(t, "environment "+job.Environment+", branch "+job.Ref+" at "+tenant.Name, a)
			}
			name := secret.Name
			for _, near := range []string{name[:len(name)-1], name + "2", strings.ToLower(name) + "_"} {
				if near != "" {
					a, err := env.Fetch(ctx, tenant, near, match)
					require.NoError(t, err)
					denied(t, "a similar name at "+tenant.Name, a)
				}
			}
		})
	}
}
