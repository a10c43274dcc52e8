package lint

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// budgets looks for disruption budgets that allow no disruption, and for pods with two budgets.
func budgets(_ *subject, c *Case) []Finding {
	var all []Finding
	owners := map[*Object]string{}
	for _, o := range c.Objects {
		budget, ok := o.typed.(*policyv1.PodDisruptionBudget)
		if !ok {
			continue
		}
		spec := &budget.Spec
		if spec.MinAvailable != nil && spec.MaxUnavailable != nil {
			all = append(all, at(o, "spec", "has minAvailable and maxUnavailable; the API server refuses both"))
			continue
		}
		switch {
		case spec.Selector == nil:
			all = append(all, at(o, "spec.selector", "is missing, and so selects no pods"))
			continue
		case len(spec.Selector.MatchLabels)+len(spec.Selector.MatchExpressions) == 0:
			all = append(all, at(o, "spec.selector", "is empty, and so selects every pod of the namespace"))
			continue
		}
		pods := 0
		for _, workload := range c.Objects {
			n, counted := replicas(workload, c)
			if !counted {
				continue
			}
			if matched, err := matches(spec.Selector, workload.pod().meta.Labels, false); err != nil || !matched {
				continue
			}
			pods += n
			if other := owners[workload]; other != "" {
				all = append(all, at(o, "spec.selector", "selects pods of "+workload.ID()+" as "+other+
					" does; an eviction of a pod with two budgets is an error"))
			}
			owners[workload] = o.ID()
		}
		if message := noDisruption(spec, pods); message != "" && pods > 0 {
			finding := at(o, "spec", message)
			if pods == 1 {
				finding.Severity = Warning
			}
			all = append(all, finding)
		}
	}
	return all
}

// noDisruption says why a budget of some pods never allows one to be evicted, "" where it does.
func noDisruption(spec *policyv1.PodDisruptionBudgetSpec, pods int) string {
	scaled := func(value *intstr.IntOrString) (int, bool) {
		n, err := intstr.GetScaledValueFromIntOrPercent(value, pods, true) // as the controller rounds
		return n, err == nil
	}
	switch {
	case spec.MinAvailable != nil:
		if n, ok := scaled(spec.MinAvailable); ok && n >= pods {
			return fmt.Sprintf("minAvailable is %s of %d pods: no node with one of them can be drained", spec.MinAvailable, pods)
		}
	case spec.MaxUnavailable != nil:
		if n, ok := scaled(spec.MaxUnavailable); ok && n == 0 {
			return fmt.Sprintf("maxUnavailable is %s of %d pods: no node with one of them can be drained", spec.MaxUnavailable,
				pods)
		}
	}
	return ""
}

// replicas counts the pods of a workload: the fewest where a HorizontalPodAutoscaler scales it.
// False for an object that keeps no number of pods.
func replicas(o *Object, c *Case) (int, bool) {
	var wanted *int32
	switch typed := o.typed.(type) {
	case *appsv1.Deployment:
		wanted = typed.Spec.Replicas
	case *appsv1.StatefulSet:
		wanted = typed.Spec.Replicas
	default:
		return 0, false
	}
	scaler := slices.IndexFunc(c.Objects, func(candidate *Object) bool {
		s, ok := candidate.typed.(*autoscalingv2.HorizontalPodAutoscaler)
		return ok && s.Spec.ScaleTargetRef.Kind == o.GVK.Kind && s.Spec.ScaleTargetRef.Name == o.Name
	})
	if scaler >= 0 {
		wanted = c.Objects[scaler].typed.(*autoscalingv2.HorizontalPodAutoscaler).Spec.MinReplicas
	}
	if wanted == nil {
		return 1, true
	}
	return int(*wanted), true
}

// selects says whether a selector finds the pods of an object.
func selects(selector *metav1.LabelSelector, o *Object) bool {
	p := o.pod()
	if p == nil {
		return false
	}
	matched, err := matches(selector, p.meta.Labels, false)
	return err == nil && matched
}
