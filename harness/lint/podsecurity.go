package lint

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// evaluator is Kubernetes' own judgement of pods; it has no state.
var evaluator = sync.OnceValues(func() (policy.Evaluator, error) {
	return policy.NewEvaluator(policy.DefaultChecks(),
		nil)
})

func podSecurity(s *subject, o *Object) []Finding {
	p := o.pod()
	if p == nil {
		return nil
	}
	judge, err := evaluator()
	if err != nil {
		return []Finding{at(o, "", "Pod Security was not checked: "+err.Error())}
	}
	var major, minor int
	if _, err := fmt.Sscanf(s.api.Version, "%d.%d", &major, &minor); err != nil {
		return []Finding{at(o, "", "Pod Security was not checked: "+err.Error())}
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.MajorMinorVersion(major, minor)}
	var all []Finding
	for _, result := range judge.EvaluatePod(level, p.meta, p.spec) {
		if !result.Allowed {
			all = append(all, at(o, strings.TrimSuffix(p.path+"spec", "."), result.ForbiddenReason+": "+result.ForbiddenDetail))
		}
	}
	return all
}

func readOnly(_ *subject, o *Object) []Finding {
	p := o.pod()
	if p == nil || slices.Contains(o.hooks(), "test") {
		return nil
	}
	var all []Finding
	p.containers(func(path string, c *corev1.Container) {
		if s := c.SecurityContext; s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
			all = append(all, at(o, path+".securityContext.readOnlyRootFilesystem",
				"container "+c.Name+" can write its root file system"))
		}
	})
	return all
}
