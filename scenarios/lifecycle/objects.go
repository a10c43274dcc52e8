package lifecycle

import (
	"context"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/cluster"
)

// objects are what a release consists of, whole, by what messages call them.
type objects map[string]any

// rendered renders the chart with values over the environment's own. What is under the key without
// is left out wherever it stands, and so are comments.
func rendered(env *scenario.Env, values map[string]any, without string) (objects, error) {
	files, err := env.Installer.Render(values)
	if err != nil {
		return nil, err
	}
	decoded, err := chart.Objects(chart.Documents(files))
	if err != nil {
		return nil, err
	}
	found := objects{}
	for _, o := range decoded {
		found[o.GetKind()+" "+path.Join(o.GetNamespace(), o.GetName())] = strip(o.Object, without)
	}
	return found, nil
}

// strip returns a copy of a tree without a key of its maps, and without maps that held nothing
// else.
func strip(node any, key string) any {
	switch node := node.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, v := range node {
			inner, isMap := v.(map[string]any)
			_, held := inner[key]
			if k != key && !(isMap && held && len(inner) == 1) {
				out[k] = strip(v, key)
			}
		}
		return out
	case []any:
		out := make([]any, len(node))
		for i, v := range node {
			out[i] = strip(v, key)
		}
		return out
	}
	return node
}

// helmRecord begins the names of the Secrets in which Helm keeps its releases.
const helmRecord = "sh.helm.release.v1."

// live reads what the release's pods depend on from the cluster. The label without is left out.
func live(ctx context.Context, env *scenario.Env, without string) (objects, error) {
	w, err := cluster.WorkloadOf(ctx, env)
	if err != nil {
		return nil, err
	}
	template := w.Template.DeepCopy()
	delete(template.Labels, without)
	found := objects{
		w.Kind + " " + w.Name: map[string]any{"replicas": w.Replicas, "strategy": w.Strategy, "template": template},
	}
	maps, err := env.Kube.CoreV1().ConfigMaps(env.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, o := range maps.Items {
		found["ConfigMap "+o.Name] = [2]any{o.Data, o.BinaryData}
	}
	services, err := env.Kube.CoreV1().Services(env.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, o := range services.Items {
		found["Service "+o.Name] = o.Spec
	}
	secrets, err := env.Kube.CoreV1().Secrets(env.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, o := range secrets.Items {
		if !strings.HasPrefix(o.Name, helmRecord) {
			found["Secret "+o.Name] = o.Data
		}
	}
	return found, nil
}

// differences names the objects that differ, without what is in them: Secrets are among them.
func (o objects) differences(other objects) []string {
	var out []string
	for name, object := range o {
		if theirs, there := other[name]; !there {
			out = append(out, name+" is gone")
		} else if !reflect.DeepEqual(object, theirs) {
			out = append(out, name+" has changed")
		}
	}
	for name := range other {
		if _, there := o[name]; !there {
			out = append(out, name+" is new")
		}
	}
	slices.Sort(out)
	return out
}

// without drops the objects that differ between two renders of the same values: a change says
// nothing about them.
func (o objects) without(unstable []string) objects {
	out := maps.Clone(o)
	maps.DeleteFunc(out, func(name string, _ any) bool { return slices.Contains(unstable, name+" has changed") })
	return out
}
