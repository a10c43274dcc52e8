package config

import (
	"context"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

func serviceAccountRights() scenario.Scenario {
	return scenario.Scenario{
		ID:       "config/service-account-rights",
		Subject:  scenario.SubjectChart,
		Title:    "The pods' ServiceAccount can label pods in its namespace and do nothing else",
		Protects: "the cluster from anyone who takes over an OpenBao pod",
		Source:   "OpenBao service registration for Kubernetes: get, update and patch of pods",
		Features: []scenario.Feature{scenario.FeatureCluster},
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
	}
}
