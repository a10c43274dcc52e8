package resilience

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func standbyForwards() scenario.Scenario {
	return scenario.Scenario{
		ID:       "resilience/standby-forwards",
		Subject:  scenario.SubjectChart,
		Title:    "The standby forwards reads and writes to the active pod and names its address, also after a takeover",
		Protects: "clients of the second Service and of peers, whose requests reach a standby",
		Source:   "OpenBao, High Availability: request forwarding by cluster_addr, redirection to api_addr",
		Features: []scenario.Feature{scenario.FeatureCluster},
		Rights:   []scenario.Right{{Verbs: "create delete", Resource: "pods/proxy"}},
		// Catches: pods that advertise a wrong, a shared or a fixed address; a cluster port that
		// pods cannot reach.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			forwards(ctx, t, env, "before the takeover")
			before, after := disturb(ctx, t, env, judge.OutageFailover, func(s *stage) {
				require.NoError(t, cluster.DeletePod(ctx, env, s.active.Name))
				takenOver(ctx, t, env, s.active)
			})
			require.NotEqual(t, before.UID, after.UID, "the deleted pod is still the active one")
			forwards(ctx, t, env, "after the takeover")
		},
	}
}

// forwards waits until every standby answers a fetch with the right value and names the active
// pod.
func forwards(ctx context.Context, t scenario.T, env *scenario.Env, when string) {
	t.Helper()
	active := cluster.MustHealthy(ctx, t, env, "one pod is active, the other a ready standby", env.Timeouts.Ready)
	pods, err := cluster.Pods(ctx, env)
	require.NoError(t, err)
	for _, p := range pods {
		if p.UID == active.UID {
			continue
		}
		took := env.Await(ctx, t, "the standby "+p.Name+" forwards, "+when, env.Timeouts.Labels,
			func(ctx context.Context) error { return leadsTo(ctx, env, p, *active) })
		t.Logf("%s: %s leads to %s (after %.1f s)", when, p.Name, active.Name, took.Seconds())
	}
}

// leadsTo returns nil when a standby forwards a fetch and names the active pod's addresses.
func leadsTo(ctx context.Context, env *scenario.Env, standby, active corev1.Pod) error {
	client, err := cluster.Client(ctx, env, standby)
	if err != nil {
		return err
	}
	tenant := env.Tenants[0]
	if err := env.Issuer.Check(ctx, client, env.Audience, env.Seed, tenant, tenant.Secrets[0]); err != nil {
		return fmt.Errorf("a fetch at %s: %w", standby.Name, err)
	}
	if err := forwardsWrite(ctx, env, client); err != nil {
		return fmt.Errorf("a write at %s: %w", standby.Name, err)
	}
	at, err := cluster.API(ctx, env, standby)
	if err != nil {
		return err
	}
	at.Path = "/v1/sys/leader"
	status, raw, err := cluster.Ask(ctx, env, standby.Name, at)
	if err != nil {
		return err
	}
	return namesLeader(status, raw, active)
}

// namesLeader returns nil when an answer of sys/leader, which has no envelope, names the active
// pod as another one than itself.
func namesLeader(status int, raw []byte, active corev1.Pod) error {
	var leader struct {
		IsSelf  bool   `json:"is_self"`
		API     string `json:"leader_address"`
		Cluster string `json:"leader_cluster_address"`
	}
	if err := json.Unmarshal(raw, &leader); err != nil {
		return fmt.Errorf("sys/leader of the standby: status %d: %w", status, err)
	}
	if leader.IsSelf {
		return errors.New("the standby calls itself the leader")
	}
	for what, address := range map[string]string{"api_addr": leader.API, "cluster_addr": leader.Cluster} {
		if err := namesPod(address, active); err != nil {
			return fmt.Errorf("%s of the leader: %w", what, err)
		}
	}
	return nil
}

// forwardsWrite writes a policy through a standby and removes it. A standby of a version with
// reads of its own answers a fetch itself; a write it has to forward.
func forwardsWrite(ctx context.Context, env *scenario.Env, client *openbao.Client) error {
	const path = "sys/policies/acl/steamer-standby"
	for _, step := range []struct {
		method string
		body   any
	}{
		{http.MethodPost, map[string]any{"policy": `path "steamer/none" { capabilities = ["deny"] }`}},
		{http.MethodDelete, nil},
	} {
		auth, err := env.Issuer.RailsAuth(env.Audience)
		if err != nil {
			return err
		}
		got, err := client.Do(ctx, openbao.Request{Method: step.method, Path: path, Body: step.body, Auth: auth})
		if err != nil {
			return err
		}
		if !got.OK() {
			return fmt.Errorf("%s %s: status %d: %s", step.method, path, got.Status, got.Message())
		}
	}
	return nil
}

// namesPod returns nil when an address can be that of a pod: its IP addresses, its name as a host
// or the first label of one, or another name that is no address, which peers have resolved
// already.
func namesPod(address string, pod corev1.Pod) error {
	at, err := url.Parse(address)
	if err != nil || at.Hostname() == "" {
		return fmt.Errorf("%q is not a URL", address)
	}
	ip := net.ParseIP(at.Hostname())
	if ip == nil {
		return nil
	}
	for _, own := range pod.Status.PodIPs {
		if ip.Equal(net.ParseIP(own.IP)) {
			return nil
		}
	}
	return fmt.Errorf("%s is not an address of the active pod %s, %s", address, pod.Name, pod.Status.PodIP)
}
