package cluster

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// TestRemains: only what is marked as this user's on this host, by a process that is gone, is
// ours; a run's ID names further ones with its label.
func TestRemains(t *testing.T) {
	t.Parallel()
	here, err := ownMark()
	require.NoError(t, err)
	dead := here
	dead.Boot, dead.Start = "an earlier boot", "1"
	text := func(change func(*mark)) map[string]string {
		m := dead
		change(&m)
		raw, err := json.Marshal(m)
		require.NoError(t, err)
		return map[string]string{markAnnotation: string(raw)}
	}
	namespace := func(name, run string, annotations map[string]string) *corev1.Namespace {
		n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}}
		if run != "" {
			n.Labels = map[string]string{RunLabel: run}
		}
		return n
	}
	client := fake.NewClientset(
		namespace("mine", "r1", text(func(*mark) {})),
		namespace("mine-load", "r1", text(func(*mark) {})),
		namespace("live", "r2", OwnMark()),
		namespace("other-user", "r3", text(func(m *mark) { m.UID++ })),
		namespace("other-host", "r4", text(func(m *mark) { m.Machine = "moon" })),
		namespace("unmarked", "r5", nil),
		namespace("garbled", "r6", map[string]string{markAnnotation: "{"}),
		namespace("foreign", "", text(func(*mark) {})),
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{
			Name:        "of-mine",
			Annotations: map[string]string{helmNamespace: "mine"},
		}},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{
			Name:        "of-another",
			Annotations: map[string]string{helmNamespace: "foreign"},
		}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{
			Name:        "of-mine",
			Annotations: map[string]string{helmNamespace: "mine"},
		}},
	)
	c := &Cluster{Name: "c", Client: client}
	ours := func(run string) (names []string) {
		all, err := c.Remains(t.Context(), run)
		require.NoError(t, err)
		require.Len(t, all, 7, "what carries no run's label is not even listed")
		for _, r := range all {
			require.Equal(t, r.Ours, r.Why == "")
			if r.Ours {
				names = append(names, r.Namespace)
			}
		}
		return names
	}
	require.ElementsMatch(t, []string{"mine", "mine-load"}, ours(""))
	require.ElementsMatch(t, []string{"other-host"}, ours("r4"))
	require.ElementsMatch(t, []string{"unmarked"}, ours("r5"))
	require.ElementsMatch(t, []string{"garbled"}, ours("r6"))
	require.Empty(t, ours("r2"), "a live run is nobody's to remove")
	require.Empty(t, ours("r9"))

	require.NoError(t, c.RemoveRemains(t.Context(), Remains{Namespace: "mine", Run: "another by now"}))
	require.NoError(t, c.RemoveRemains(t.Context(), Remains{Namespace: "gone", Run: "r1"}))
	require.Len(t, ours(""), 2)
	require.NoError(t, c.RemoveRemains(t.Context(), Remains{Namespace: "mine", Run: "r1"}))
	left, err := client.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, left.Items, 7)
	roles, err := client.RbacV1().ClusterRoles().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, roles.Items, 1)
	require.Equal(t, "of-another", roles.Items[0].Name)
	bindings, err := client.RbacV1().ClusterRoleBindings().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, bindings.Items)
}
