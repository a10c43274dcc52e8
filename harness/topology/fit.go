package topology

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
)

// object is what a fit is judged by, of a rendered Kubernetes object.
type object struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Ports []struct {
			NodePort int `json:"nodePort"`
		} `json:"ports"`
		Template struct {
			Metadata struct {
				Labels map[string]string `json:"labels"`
			} `json:"metadata"`
			Spec struct {
				Containers []struct {
					Name string `json:"name"`
				} `json:"containers"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
}

// rendering is how the chart is rendered before the cluster is touched: lookup finds the Secrets
// that Steamer makes before it installs the chart.
func (e *Environment) rendering() chart.Rendering {
	return chart.Rendering{
		Release: e.Spec.Dialect.Release, Namespace: e.Namespace,
		Existing: existing(supplied(e.Spec.Topology, e.Spec.Dialect, e.Spec.TLS)),
	}
}

// fit renders the chart with values and checks that what the dialect says about its objects is
// true, and that what Steamer makes for the chart arrives in it. It returns the active Service.
// The error is of code exit.Invalid.
func (e *Environment) fit(values map[string]any) (object, error) {
	d := e.Spec.Dialect
	files, err := e.Spec.Chart.Render(e.rendering(), values)
	if err != nil {
		return object{}, err
	}
	learnRendered(files)
	objects, err := parseObjects(files)
	if err == nil {
		err = e.checkWorkload(objects)
	}
	if err == nil {
		err = e.checkSecrets(files)
	}
	i := slices.IndexFunc(objects, func(o object) bool {
		return o.Kind == "Service" &&
			o.Metadata.Name == d.ActiveService
	})
	if err == nil && i < 0 {
		err = fmt.Errorf("it has no Service %s; there are %s", d.ActiveService, names(objects, "Service"))
	}
	if err != nil {
		info := e.Spec.Chart.Info()
		return object{}, exit.Invalidf(fmt.Sprintf("--dialect %s with chart %s %s in topology %s", d.Name, info.Name,
			info.Version, e.Spec.Topology),
			"choose the chart's dialect from "+strings.Join(Dialects(), ", ")+", or write one: docs/dialects.md",
			"they do not fit: %w", err)
	}
	return objects[i], nil
}

// ClusterWide are the kinds of the chart's objects that stand in no namespace, so that two
// installations would share them. The error is of code exit.Invalid.
func (e *Environment) ClusterWide(scoped func(kind string) bool) ([]string, error) {
	files, err := e.Spec.Chart.Render(e.rendering(), e.values)
	if err != nil {
		return nil, err
	}
	objects, err := parseObjects(files)
	var kinds []string
	for _, o := range objects {
		if scoped(o.Kind) {
			kinds = append(kinds, o.Kind)
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds), err
}

// checkWorkload looks for a workload that makes the pods, and for the container in it.
func (e *Environment) checkWorkload(objects []object) error {
	d := e.Spec.Dialect
	found := false
	for _, o := range objects {
		if (o.Kind != "Deployment" && o.Kind != "StatefulSet") || !selects(d.Selector, o.Spec.Template.Metadata.Labels) {
			continue
		}
		found = true
		var containers []string
		for _, container := range o.Spec.Template.Spec.Containers {
			containers = append(containers, container.Name)
		}
		if !slices.Contains(containers, d.Container) {
			return fmt.Errorf("%s %s has no container %s; there are %s", o.Kind, o.Metadata.Name, d.Container,
				strings.Join(containers, ", "))
		}
	}
	if !found {
		return fmt.Errorf("no workload makes pods that match %s; there are %s", d.Selector,
			names(objects, "Deployment", "StatefulSet"))
	}
	return nil
}

// checkSecrets looks for the names of the Secrets that Steamer makes: values that a chart does not
// know are dropped in silence, and OpenBao would come up without its password, its CA or its key.
func (e *Environment) checkSecrets(files map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(supplied(e.Spec.Topology, e.Spec.Dialect, e.Spec.TLS))) {
		mention := regexp.MustCompile(`(^|[^-.\w])` + regexp.QuoteMeta(name) + `($|[^-.\w])`)
		if !slices.ContainsFunc(slices.Collect(maps.Values(files)), mention.MatchString) {
			return fmt.Errorf("nothing in it refers to Secret %s", name)
		}
	}
	return nil
}

func names(objects []object, kinds ...string) string {
	var found []string
	for _, o := range objects {
		if slices.Contains(kinds, o.Kind) {
			found = append(found, o.Kind+" "+o.Metadata.Name)
		}
	}
	if len(found) == 0 {
		return "none"
	}
	return strings.Join(found, ", ")
}

// parseObjects reads rendered templates in the order of their names.
func parseObjects(files map[string]string) ([]object, error) {
	decoded, err := chart.Objects(chart.Documents(files))
	if err != nil {
		return nil, err
	}
	objects := make([]object, len(decoded))
	for i, o := range decoded {
		if err := chart.As(o, &objects[i]); err != nil {
			return nil, fmt.Errorf("%s %s is not as its kind says: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return objects, nil
}
