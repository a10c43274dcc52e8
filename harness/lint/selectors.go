package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// runtimeLabels are set on OpenBao's pods by OpenBao itself when they run (Vault's names are what
// older versions set).
func runtimeLabel(key string) bool {
	for _, product := range []string{"openbao-", "vault-"} {
		switch strings.TrimPrefix(key, product) {
		case "active", "initialized", "sealed", "perf-standby", "version":
			return strings.HasPrefix(key, product)
		}
	}
	return false
}

// selection is one selector of an object and what it is meant to find.
type selection struct {
	path     string
	selector *metav1.LabelSelector
	services bool // selects Services, not pods
	own      bool // has to match the pods of the same object
	loose    bool // may match other pods without harm
}

// selections lists the selectors of an object. Those that are empty, and so match everything or
// nothing on purpose, are left out.
func selections(o *Object) []selection {
	var all []selection
	switch typed := o.typed.(type) {
	case *corev1.Service:
		all = append(all, selection{path: "spec.selector", selector: &metav1.LabelSelector{MatchLabels: typed.Spec.Selector}})
	case *policyv1.PodDisruptionBudget:
		all = append(all, selection{path: "spec.selector", selector: typed.Spec.Selector})
	case *networkingv1.NetworkPolicy:
		all = append(all, selection{path: "spec.podSelector", selector: &typed.Spec.PodSelector, loose: true})
	}
	if group := o.GVK.Group; group == "monitoring.coreos.com" && (o.GVK.Kind == "PodMonitor" ||
		o.GVK.Kind == "ServiceMonitor") {
		spec, _ := o.Tree["spec"].(map[string]any)
		all = append(all, selection{
			path: "spec.selector", selector: labelSelector(spec["selector"]), services: o.GVK.Kind == "ServiceMonitor",
			loose: true,
		})
	}
	if p := o.pod(); p != nil {
		if p.selector != nil {
			all = append(all, selection{path: "spec.selector", selector: p.selector, own: true})
		}
		all = append(all, placement(p)...)
	}
	return slices.DeleteFunc(all, func(s selection) bool {
		return s.selector == nil || len(s.selector.MatchLabels)+len(s.selector.MatchExpressions) == 0
	})
}

// labelSelector reads a selector of a custom resource.
func labelSelector(node any) *metav1.LabelSelector {
	data, err := yaml.Marshal(node)
	if err != nil {
		return nil
	}
	selector := &metav1.LabelSelector{}
	if err := yaml.Unmarshal(data, selector); err != nil {
		return nil
	}
	return selector
}

// placement lists the selectors by which pods are scheduled beside or away from each other.
func placement(p *pod) []selection {
	var all []selection
	add := func(path string, selector *metav1.LabelSelector) {
		all = append(all, selection{path: p.path + "spec." + path, selector: selector, loose: true})
	}
	for i, constraint := range p.spec.TopologySpreadConstraints {
		add(fmt.Sprintf("topologySpreadConstraints[%d].labelSelector", i), constraint.LabelSelector)
	}
	p.affinities(func(path, place string, term *corev1.PodAffinityTerm) {
		add(path+place+".labelSelector", term.LabelSelector)
	})
	return all
}

// affinities visits the terms by which a pod is placed near others, or far from them: path is that
// of their list's owner below the pod's spec, and place that of the term below it.
func (p *pod) affinities(visit func(path, place string, term *corev1.PodAffinityTerm)) {
	terms := func(path string, required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm) {
		for i := range required {
			visit(path, fmt.Sprintf(".requiredDuringSchedulingIgnoredDuringExecution[%d]", i), &required[i])
		}
		for i := range preferred {
			visit(path, fmt.Sprintf(".preferredDuringSchedulingIgnoredDuringExecution[%d].podAffinityTerm", i),
				&preferred[i].PodAffinityTerm)
		}
	}
	affinity := p.spec.Affinity
	if affinity == nil {
		return
	}
	if a := affinity.PodAffinity; a != nil {
		terms("affinity.podAffinity", a.RequiredDuringSchedulingIgnoredDuringExecution,
			a.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if a := affinity.PodAntiAffinity; a != nil {
		terms("affinity.podAntiAffinity", a.RequiredDuringSchedulingIgnoredDuringExecution,
			a.PreferredDuringSchedulingIgnoredDuringExecution)
	}
}

// matches says whether a selector finds labels. Not strict, it does not ask for labels of the run
// time.
func matches(selector *metav1.LabelSelector, set map[string]string, strict bool) (bool, error) {
	wanted := selector.DeepCopy()
	if !strict {
		maps.DeleteFunc(wanted.MatchLabels, func(key, _ string) bool { return runtimeLabel(key) })
		wanted.MatchExpressions = slices.DeleteFunc(wanted.MatchExpressions,
			func(r metav1.LabelSelectorRequirement) bool { return runtimeLabel(r.Key) })
	}
	parsed, err := metav1.LabelSelectorAsSelector(wanted)
	if err != nil {
		return false, err
	}
	return parsed.Matches(labels.Set(set)), nil
}

func selectors(_ *subject, c *Case) []Finding {
	var all []Finding
	for _, o := range c.Objects {
		for _, s := range selections(o) {
			all = append(all, s.judge(o, c)...)
		}
		if scaler, ok := o.typed.(*autoscalingv2.HorizontalPodAutoscaler); ok {
			target := scaler.Spec.ScaleTargetRef
			if !slices.ContainsFunc(c.Objects, func(o *Object) bool {
				return o.GVK.Kind == target.Kind &&
					o.Name == target.Name
			}) {
				all = append(all, at(o, "spec.scaleTargetRef", "scales "+target.Kind+"/"+target.Name+", which is not rendered"))
			}
		}
	}
	return all
}

// judge compares one selector with what the case renders.
func (s selection) judge(o *Object, c *Case) []Finding {
	found, err := 0, error(nil)
	var others []Finding
	for _, candidate := range c.Objects {
		set, isTarget := candidate.labels, candidate.GVK.Kind == "Service"
		if !s.services {
			p := candidate.pod()
			isTarget = p != nil
			if p != nil {
				set = p.meta.Labels
			}
		}
		if !isTarget || s.own && candidate != o && len(candidate.hooks()) == 0 {
			continue // overlap looks at the others
		}
		matched := false
		if matched, err = matches(s.selector, set, false); err != nil {
			return []Finding{at(o, s.path, "is no valid selector: "+oneLine(err.Error()))}
		}
		if !matched {
			continue
		}
		strict, _ := matches(s.selector, set, true) // it parsed above
		switch {
		case candidate == o || s.loose || len(candidate.hooks()) == 0:
			found++
		case strict && !s.loose && len(o.hooks()) == 0:
			finding := at(o, s.path, "also selects the pods of hook "+candidate.ID())
			finding.Severity, finding.Hint = Warning, "give the hook's pods other labels"
			others = append(others, finding)
		}
	}
	what := "pods of the release"
	if s.services {
		what = "Service of the release"
	}
	switch {
	case found > 0:
		return append(others, s.overlap(o, c)...)
	case s.own:
		return []Finding{at(o, s.path, "does not match the labels of its own pods: "+metav1.FormatLabelSelector(s.selector))}
	}
	return []Finding{at(o, s.path, "selects no "+what+": "+metav1.FormatLabelSelector(s.selector))}
}

// overlap looks for pods of other workloads that a selector finds beside its own.
func (s selection) overlap(o *Object, c *Case) []Finding {
	if s.loose || s.services || len(o.hooks()) > 0 {
		return nil
	}
	var owners []string
	for _, candidate := range c.Objects {
		p := candidate.pod()
		if p == nil || len(candidate.hooks()) > 0 {
			continue
		}
		if strict, err := matches(s.selector, p.meta.Labels, true); err == nil && strict && (!s.own || candidate != o) {
			owners = append(owners, candidate.ID())
		}
	}
	if !s.own && len(owners) < 2 || len(owners) == 0 {
		return nil
	}
	slices.Sort(owners)
	return []Finding{warnAt(o, s.path, "selects pods of more than one workload: "+strings.Join(owners, ", "))}
}
