package resilience

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

func sameAnswers() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/same-answers",
		Subject:  scenario.SubjectChart,
		Title:    "After a takeover, everyone gets and is refused exactly what they were before it",
		Protects: "secrets from a new leader that knows less of policies, roles and changes than the old one did",
		Source:   "OpenBao, High Availability: a standby becomes active with what is stored, not with what the leader had cached",
		Features: []scenario.Feature{scenario.FeatureCluster},
		// Catches: a standby with stale caches, a change that only the leader knew, pods with
		// different configurations, a refusal that becomes an error or a grant.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			recipes, err := tenancy.Of(env)
			require.NoError(t, err)
			tenants := slices.Clone(env.Sample(len(recipes)))
			for _, r := range recipes {
				made, remove := tenancy.Make(ctx, t, env, r, tenancy.Fresh(oneSecret()), tenancy.Fresh(oneSecret()))
				defer remove()
				changed(ctx, t, env, made[0], made[1])
				tenants = append(tenants, made...)
			}
			before := answers(ctx, t, env, tenants)
			disturb(ctx, t, env, judge.OutageFailover, func(s *stage) {
				require.NoError(t, cluster.DeletePod(ctx, env, s.active.Name))
				takenOver(ctx, t, env, s.active)
			})
			compareAnswers(t, before, answers(ctx, t, env, tenants))
		},
	}
}

// oneSecret is a secret that every job of its project may read.
func oneSecret() []gitlab.Secret {
	return []gitlab.Secret{{Name: "SECRET_1", Environment: gitlab.Any, Branch: gitlab.Any, Version: 1}}
}

// changed gives one project's secret a new value, and deletes another's policy, as the last thing
// before the takeover.
func changed(ctx context.Context, t scenario.T, env *scenario.Env, written, closed gitlab.Tenant) {
	t.Helper()
	r, err := tenancy.AsUser(ctx, env, written, http.MethodPost, written.SecretPath+"/"+written.Secrets[0].Name,
		map[string]any{"data": map[string]any{"value": "written before the takeover"}})
	require.NoError(t, err)
	require.True(t, r.OK(), "writing a secret: status %d: %s", r.Status, r.Message())
	r, err = env.Rails(ctx, http.MethodDelete, closed.Name+"/sys/policies/acl/"+closed.Secrets[0].Policy(), nil)
	require.NoError(t, err)
	require.True(t, r.OK(), "deleting a policy: status %d: %s", r.Status, r.Message())
}

// answer is what somebody got: a status, and what the answer held.
type answer struct {
	status  int
	refused bool // by the login
	content [sha256.Size]byte
}

// answers asks for what each party may and may not have, and returns the answers by question.
func answers(ctx context.Context, t scenario.T, env *scenario.Env, tenants []gitlab.Tenant) map[string]answer {
	t.Helper()
	all := map[string]answer{}
	for i, tenant := range tenants {
		other := tenants[(i+1)%len(tenants)]
		jobs(ctx, t, env, tenant, other, all)
		kv := strings.TrimSuffix(tenant.SecretPath, "/data/explicit")
		for _, path := range []string{
			kv + "/data/explicit/" + tenant.Secrets[0].Name, kv + "/metadata/explicit?list=true",
			tenant.Name + "/sys/policies/acl/" + tenant.Secrets[0].Policy(), tenant.Name + "/sys/policies/acl?list=true",
		} {
			for who, ask := range map[string]func() (*openbao.Response, error){
				"owner": func() (*openbao.Response, error) { return tenancy.AsUser(ctx, env, tenant, http.MethodGet, path, nil) },
				"job":   func() (*openbao.Response, error) { return tenancy.AsJob(ctx, env, tenant, http.MethodGet, path, nil) },
				"Rails": func() (*openbao.Response, error) { return env.Rails(ctx, http.MethodGet, path, nil) },
				"nobody": func() (*openbao.Response, error) {
					return env.Client.Do(ctx, openbao.Request{Method: "GET", Path: path})
				},
			} {
				r, err := ask()
				require.NoError(t, err, "%s: GET %s", who, path)
				all[who+": GET "+path] = answer{r.Status, r.InlineAuthFailed, sha256.Sum256(r.Data)}
			}
		}
	}
	return all
}

// jobs fetches a project's secrets, and another's, as jobs of several kinds.
func jobs(ctx context.Context, t scenario.T, env *scenario.Env, tenant, other gitlab.Tenant, all map[string]answer) {
	t.Helper()
	for what, change := range map[string]func(j *gitlab.Job){
		"job":                        func(*gitlab.Job) {},
		"job of another environment": func(j *gitlab.Job) { j.Environment = "staging" },
		"job of another branch":      func(j *gitlab.Job) { j.Ref = "feature" },
		"job of a tag":               func(j *gitlab.Job) { j.RefType = "tag" },
		"job that ended":             func(j *gitlab.Job) { j.TTL = -time.Hour },
	} {
		job := gitlab.DefaultJob()
		change(&job)
		jwt, err := env.Issuer.Pipeline(env.Audience, tenant, job)
		require.NoError(t, err)
		targets := map[string]gitlab.Fetch{}
		for _, s := range tenant.Secrets {
			targets[s.Name] = gitlab.FetchOf(tenant, s.Name, jwt)
		}
		theirs := gitlab.FetchOf(tenant, tenant.Secrets[0].Name, jwt)
		theirs.SecretPath, theirs.Name = other.SecretPath, other.Secrets[0].Name
		targets["a secret of "+other.Name] = theirs
		targets["nothing"] = gitlab.FetchOf(tenant, "STEAMER_NO_SUCH_SECRET", jwt)
		for name, fetch := range targets {
			a, err := env.Send(ctx, fetch)
			require.NoError(t, err, "%s of %s: %s", what, tenant.Name, name)
			all[what+" of "+tenant.Name+": "+name] = answer{
				a.Status, a.InlineAuthFailed, sha256.Sum256(fmt.Appendf(nil, "%d %s", a.Version, a.Value())),
			}
		}
	}
}

// compareAnswers reports each question that is answered differently now.
func compareAnswers(t scenario.T, before, after map[string]answer) {
	t.Helper()
	granted := 0
	for _, question := range slices.Sorted(maps.Keys(before)) {
		was, is := before[question], after[question]
		if was.status == http.StatusOK {
			granted++
		}
		switch {
		case was.status != is.status || was.refused != is.refused:
			t.Errorf("%s: status %d (login refused: %t) before the takeover, %d (%t) after it", question, was.status,
				was.refused, is.status, is.refused)
		case was.content != is.content:
			t.Errorf("%s: status %d, but the answer after the takeover holds something else", question, is.status)
		}
	}
	t.Measure("granted", float64(granted))
	t.Measure("refused", float64(len(before)-granted))
	require.NotZero(t, granted, "nothing was granted before the takeover")
	require.Less(t, granted, len(before), "nothing was refused before the takeover")
}
