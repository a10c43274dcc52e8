package cluster_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// pod is a pod of a workload in a state: letters a (active), r (ready), e (asked to end).
func pod(uid, state string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		UID: types.UID(uid), Labels: map[string]string{openbao.LabelActive: "false"},
		OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet"}},
	}}
	for _, letter := range state {
		switch letter {
		case 'a':
			p.Labels[openbao.LabelActive] = "true"
		case 'r':
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		case 'e':
			p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
		}
	}
	return p
}

func TestRollout(t *testing.T) {
	t.Parallel()
	type seen struct{ uid, state string }
	for name, tc := range map[string]struct {
		events  []seen
		ended   []types.UID
		leaders []types.UID
		least   int
	}{
		"standby first": {
			[]seen{{"b", "re"}, {"c", ""}, {"b", "gone"}, {"c", "r"}, {"a", "are"}, {"c", "ar"}, {"a", "gone"}, {"d", "r"}},
			[]types.UID{"b", "a"},
			[]types.UID{"c"},
			1,
		},
		"active first": {
			[]seen{{"a", "are"}, {"b", "ar"}, {"c", "r"}, {"b", "are"}, {"c", "ar"}, {"d", "r"}},
			[]types.UID{"a", "b"},
			[]types.UID{"b", "c"},
			1,
		},
		"all at once": {
			[]seen{{"b", "re"}, {"a", "are"}, {"c", "r"}, {"c", "ar"}, {"d", "r"}},
			[]types.UID{"b", "a"},
			[]types.UID{"c"},
			0,
		},
		"a blip of readiness, and a label that is written late": {
			[]seen{{"b", ""}, {"b", "r"}, {"a", "ar"}, {"a", "r"}, {"a", "ar"}}, nil, []types.UID{"a"}, 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test := pod("test", "r")
			test.OwnerReferences = nil // no pod of the workload
			r := cluster.NewRollout([]corev1.Pod{*pod("a", "ar"), *pod("b", "r"), *test})
			for _, e := range tc.events {
				r.See(pod(e.uid, e.state), e.state == "gone")
			}
			require.Equal(t, tc.ended, r.Ended)
			require.Equal(t, tc.leaders, r.Leaders)
			require.Equal(t, tc.least, r.Least)
		})
	}
}
