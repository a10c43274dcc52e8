package access

import (
	"context"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

// nameRow is a secret with an unusual name, environment or branch: who matches it exactly reads it,
// the others do not.
type nameRow struct {
	name, title string
	secret      gitlab.Secret // empty fields are ordinary
	others      []gitlab.Job  // only the fields that differ from the job that may read
}

func nameRows() []nameRow {
	env := func(names ...string) (jobs []gitlab.Job) {
		for _, n := range names {
			jobs = append(jobs, gitlab.Job{Environment: n})
		}
		return jobs
	}
	ref := func(names ...string) (jobs []gitlab.Job) {
		for _, n := range names {
			jobs = append(jobs, gitlab.Job{Ref: n})
		}
		return jobs
	}
	type s = gitlab.Secret
	long := strings.Repeat("n", 255) // GitLab's limit of all three names
	return []nameRow{
		// GitLab 18.9 and later compare hex with hex, so that a pattern is a name like any other;
		// only a lone * is special. Fails when that changes: then either a wildcard works, which
		// jobs will rely on, or a policy is too wide.
		{
			"environment-wildcard", "A secret of prod* is read by a job whose environment is literally prod*",
			s{Environment: "prod*"},
			env("production", "prod", "PROD*"),
		},
		{
			"branch-wildcard", "A secret of release-* is read by a job whose branch is literally release-*",
			s{Branch: "release-*"},
			ref("release-1", "release-"),
		},
		// Catches, for the others: names that are not encoded as the hex of their UTF-8 bytes, or
		// cut, folded, or normalised.
		{
			"environment-unicode", "Environments beyond ASCII keep their secrets",
			s{Environment: "prüfung/東京 \U0001F680"},
			env("prufung/東京 \U0001F680", "pru\u0308fung/東京 \U0001F680"),
		},
		{"environment-upper", "Environments in upper case keep their secrets", s{Environment: "PROD"}, env("prod", "Prod")},
		{
			"environment-review", "Review apps keep their secrets",
			s{Environment: "review/feature-1"},
			env("review/feature-10", "review", "review/*"),
		},
		{
			"environment-dots", "An environment called like a parent directory keeps its secrets",
			s{Environment: "../.."},
			env("..", "../../"),
		},
		{
			"environment-quotes", "Quotes and braces in an environment are only letters",
			s{Environment: `a'b"c{{.}}\d`},
			env("abc", `a'b"c`),
		},
		{
			"environment-long", "An environment of 255 characters keeps its secrets",
			s{Environment: long},
			env(long[1:], long[1:]+"m"),
		},
		// OpenBao keeps at most 512 bytes in a field of custom metadata, where Rails puts the name
		// too.
		{
			"environment-long-unicode", "An environment of 510 bytes in 170 characters keeps its secrets",
			s{Environment: strings.Repeat("京", 170)},
			env(strings.Repeat("京", 169)),
		},
		{"branch-unicode", "Branches beyond ASCII keep their secrets", s{Branch: "função/ß"}, ref("função/ss", "funcao/ß")},
		{
			"branch-slashes", "Branches with slashes keep their secrets",
			s{Branch: "feature/a/b"},
			ref("feature/a", "feature/a/b/c"),
		},
		{"branch-long", "A branch of 255 characters keeps its secrets", s{Branch: long}, ref(long[1:])},
		{
			"both-unusual", "A secret bound to an unusual environment and branch needs both",
			s{Environment: "Üben", Branch: "Fix #1"},
			append(env("üben"), ref("fix #1")...),
		},
		// A pair of names must not be read as another pair with the slash elsewhere.
		{
			"both-shifted", "Environment and branch cannot be shifted into each other",
			s{Environment: "a/branch/b", Branch: "c"},
			[]gitlab.Job{{Environment: "a", Ref: "b/branch/c"}},
		},
		{"secret-long", "A secret's name may have 255 characters", s{Name: strings.Repeat("N", 255)}, nil},
		{"secret-short", "A secret's name may have one character", s{Name: "x"}, nil},
		{"secret-digits", "A secret's name may be digits and underscores", s{Name: "_0_9"}, nil},
		{"secret-case", "Names of secrets keep their case", s{Name: "MiXed_Case"}, nil},
	}
}

func names() []scenario.Scenario {
	var out []scenario.Scenario
	for _, row := range nameRows() {
		out = append(out, scenario.Scenario{
			ID: "access/name-" + row.name, Title: row.title,
			Protects: "secrets whose environment, branch or name is not plain ASCII, and everybody whose name is nearly theirs",
			Source:   "GitLab EE: policies are named by the hex of UTF-8 bytes; names of secrets match [a-zA-Z0-9_]+ up to 255",
			Kind:     scenario.Abuse, Budget: time.Minute, Parallel: true,
			Test: func(ctx context.Context, t scenario.T, env *scenario.Env) { row.test(ctx, t, env) },
		})
	}
	return out
}

func (row nameRow) test(ctx context.Context, t scenario.T, env *scenario.Env) {
	s, match := row.secret, gitlab.DefaultJob()
	s.Version = 1
	for field, fallback := range map[*string]string{
		&s.Name: "SECRET_1", &s.Environment: gitlab.Any,
		&s.Branch: gitlab.Any,
	} {
		if *field == "" {
			*field = fallback
		}
	}
	if s.Environment != gitlab.Any {
		match.Environment = s.Environment
	}
	if s.Branch != gitlab.Any {
		match.Ref = s.Branch
	}
	tenancy.Each(ctx, t, env, []gitlab.Secret{s}, func(tenant gitlab.Tenant) {
		a, err := env.Fetch(ctx, tenant, s.Name, match)
		require.NoError(t, err)
		if !a.OK() || a.Value() != tenant.Value(env.Seed, s) {
			t.Errorf("the job that matches, at %s: %v", tenant.Name, a)
		}
		for _, other := range row.others {
			job := match
			if other.Environment != "" {
				job.Environment = other.Environment
			}
			if other.Ref != "" {
				job.Ref = other.Ref
			}
			a, err := env.Fetch(ctx, tenant, s.Name, job)
			require.NoError(t, err)
			denied(t, "environment "+job.Environment+", branch "+job.Ref+" at "+tenant.Name, a)
		}
		for _, near := range []string{s.Name[:len(s.Name)-1], s.Name + "2", strings.ToLower(s.Name) + "_"} {
			if near != "" {
				a, err := env.Fetch(ctx, tenant, near, match)
				require.NoError(t, err)
				denied(t, "a name near the secret's at "+tenant.Name, a)
			}
		}
	})
}
