package config

import (
	"context"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func rights() scenario.Scenario {
	return looking(scenario.Scenario{
		ID:       "config/service-account-rights",
		Title:    "The pods' ServiceAccount may label pods of its namespace, and nothing else",
		Protects: "the cluster from whoever takes over an OpenBao pod",
		Source:   "OpenBao service registration for Kubernetes: get, update and patch of pods",
		Rights: []scenario.Right{{
			Verbs: "create", Group: "authorization.k8s.io", Resource: "subjectaccessreviews",
			ClusterWide: true,
		}},
		// Catches: a Role that is too wide, a ClusterRole, rights to read Secrets, no rights at
		// all.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			require.NotEmpty(t, pods)
			account := fmt.Sprintf("system:serviceaccount:%s:%s", env.Namespace, pods[0].Spec.ServiceAccountName)
			for _, r := range []struct {
				namespace, verb, resource string
				want                      bool
			}{
				{env.Namespace, "get", "pods", true},
				{env.Namespace, "patch", "pods", true},
				{env.Namespace, "create", "pods", false},
				{env.Namespace, "delete", "pods", false},
				{env.Namespace, "create", "pods/exec", false},
				{env.Namespace, "get", "secrets", false},
				{env.Namespace, "list", "secrets", false},
				{env.Namespace, "get", "configmaps", false},
				{env.Namespace, "create", "roles", false},
				{env.Namespace, "impersonate", "users", false},
				{"default", "get", "pods", false},
				{"kube-system", "get", "secrets", false},
				{"", "list", "secrets", false},
				{"", "list", "nodes", false},
			} {
				resource, sub, _ := strings.Cut(r.resource, "/")
				group := ""
				if resource == "roles" {
					group = "rbac.authorization.k8s.io"
				}
				review, err := env.Kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
					Spec: authorizationv1.SubjectAccessReviewSpec{
						User: account, Groups: []string{"system:serviceaccounts", "system:authenticated", "system:serviceaccounts:" +
							env.Namespace},
						ResourceAttributes: &authorizationv1.ResourceAttributes{
							Namespace: r.namespace, Verb: r.verb, Group: group,
							Resource: resource, Subresource: sub,
						},
					},
				}, metav1.CreateOptions{})
				require.NoError(t, err)
				where := r.namespace
				if where == "" {
					where = "the whole cluster"
				}
				if review.Status.Allowed != r.want {
					t.Errorf("%s may %s %s in %s: %t, want %t", account, r.verb, r.resource, where, review.Status.Allowed, r.want)
				}
			}
		},
	})
}

// hardened looks at the running process, not at what was asked for.
func hardened() scenario.Scenario {
	return looking(scenario.Scenario{
		ID:       "config/process-hardened",
		Title:    "OpenBao's process runs as an ordinary user without capabilities, cannot gain any, and cannot write to its image",
		Protects: "the node from whoever takes over an OpenBao pod",
		Source:   "Kubernetes Pod Security Standards, restricted; /proc/1/status of Linux",
		Features: []scenario.Feature{scenario.FeatureCluster, scenario.FeatureExec},
		// Catches: a security context that is missing, overridden, or on another container.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			require.NotEmpty(t, pods)
			for _, p := range pods {
				raw, err := env.Processes.Run(ctx, env.Namespace, p.Name, env.Container, "cat", "/proc/1/status")
				require.NoError(t, err)
				status := fields(string(raw))
				require.NotContains(t, strings.Fields(status["Uid"]), "0", "pod %s runs as root", p.Name)
				require.Equal(t, "0000000000000000", status["CapEff"], "pod %s has capabilities", p.Name)
				require.Equal(t, "0000000000000000", status["CapBnd"], "pod %s can gain capabilities", p.Name)
				require.Equal(t, "1", status["NoNewPrivs"], "pod %s can gain privileges", p.Name)
				require.Equal(t, "2", status["Seccomp"], "pod %s may make any system call", p.Name)
				raw, err = env.Processes.Run(ctx, env.Namespace, p.Name, env.Container, "cat", "/proc/1/mounts")
				require.NoError(t, err)
				options := root(string(raw))
				require.True(t, strings.HasPrefix(options, "ro,") || options == "ro",
					"pod %s can write to its image: / is mounted %s", p.Name, options)
			}
		},
	})
}

// fields are the lines of /proc/PID/status.
func fields(status string) map[string]string {
	out := map[string]string{}
	for _, line := range strings.Split(status, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			out[name] = strings.TrimSpace(value)
		}
	}
	return out
}

// root are the options with which / is mounted.
func root(mounts string) string {
	for _, line := range strings.Split(mounts, "\n") {
		if f := strings.Fields(line); len(f) > 3 && f[1] == "/" {
			return f[3]
		}
	}
	return "nowhere"
}

func resources() scenario.Scenario {
	return looking(scenario.Scenario{
		ID:       "config/resources-set",
		Title:    "Every OpenBao pod has requests for CPU and memory and a limit for memory",
		Protects: "OpenBao from being the first to be evicted, and its node from OpenBao",
		Source:   "GitLab's administration guide of the secrets manager, sizing; Kubernetes: quality of service classes",
		// Catches: a values file that empties the resources.
		Test: func(ctx context.Context, t scenario.T, env *scenario.Env) {
			pods, err := cluster.Pods(ctx, env)
			require.NoError(t, err)
			require.NotEmpty(t, pods)
			for _, p := range pods {
				c, err := cluster.Server(env, p)
				require.NoError(t, err)
				require.False(t, c.Resources.Requests.Cpu().IsZero(), "pod %s has no request for CPU", p.Name)
				require.False(t, c.Resources.Requests.Memory().IsZero(), "pod %s has no request for memory", p.Name)
				require.False(t, c.Resources.Limits.Memory().IsZero(), "pod %s has no limit for memory", p.Name)
				require.NotEqual(t, corev1.PodQOSBestEffort, p.Status.QOSClass)
			}
		},
	})
}
