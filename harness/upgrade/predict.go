package upgrade

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/lint/kubeapi"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/topology"
)

// namespace is where charts are rendered to. No rule depends on it.
const namespace = "steamer-upgrade"

// builtImage stands for the image that Steamer builds.
const builtImage = "steamer.local/openbao:2.4.0"

// Predict renders both ends of an edge, the second as an upgrade that finds what the first made,
// and compares them as Helm and Kubernetes do. An end that does not render, such as one whose
// values the chart's schema refuses, is an error of code exit.Invalid.
func Predict(e Edge, s Setting) (Prediction, error) {
	from, err := s.render(e.From, nil)
	if err != nil {
		return Prediction{}, fmt.Errorf("upgrade %s: %w", e, err)
	}
	to, err := s.render(e.To, from)
	if err != nil {
		return Prediction{}, fmt.Errorf("upgrade %s: %w", e, err)
	}
	again, err := s.render(e.To, from)
	if err != nil {
		return Prediction{}, fmt.Errorf("upgrade %s: %w", e, err)
	}
	sample, err := s.Dialect.Sample(e.To.Chart, s.Topology)
	if err != nil {
		return Prediction{}, err
	}
	c := comparison{
		dialect: s.Dialect, from: byKey(from), to: byKey(to), again: byKey(again), supplied: sample.Secrets,
	}
	return c.compare(), nil
}

// render renders one end; existing is what lookup finds, and makes it an upgrade.
func (s Setting) render(stop Stop, existing []object) ([]object, error) {
	sample, err := s.Dialect.SampleWith(stop.Chart, s.Topology, cmp.Or(stop.Image, builtImage))
	if err != nil {
		return nil, err
	}
	renderer, err := stop.Chart.Renderer()
	if err != nil {
		return nil, err
	}
	as := chart.Rendering{
		Release: s.Dialect.Release, Namespace: namespace, Existing: sample.Existing,
	}
	if existing != nil {
		made := make([]map[string]any, len(existing))
		for i, o := range existing {
			made[i] = o
		}
		as = as.Upgrading(made)
	}
	documents, err := renderer.RenderDocuments(as,
		chart.Merge(chart.Merge(stop.Base, sample.Values), stop.Values))
	if err == nil {
		var objects []object
		if objects, err = parse(documents); err == nil {
			return slices.DeleteFunc(objects, object.test), nil
		}
		err = exit.Invalidf("chart "+stop.Chart.Info().Source, "helm template shows the same", "%w", err)
	}
	return nil, fmt.Errorf("%s: %w", stop.Name, err)
}

// comparison compares the objects of before, of after, and of a second render of after.
type comparison struct {
	dialect         *topology.Dialect
	from, to, again map[string]object
	supplied        []string // Secrets that Steamer makes
	out             Prediction
}

func byKey(objects []object) map[string]object {
	out := map[string]object{}
	for _, o := range objects {
		out[o.key()] = o
	}
	return out
}

func (c *comparison) compare() Prediction {
	c.out.Findings = []Finding{}
	for _, key := range slices.Sorted(maps.Keys(c.from)) {
		before := c.from[key]
		after, stays := c.to[key]
		c.out.Objects++
		switch {
		case !stays && !before.kept():
			c.lost(before)
		case stays && after.kind() == "Secret":
			c.secret(before, after, c.again[key])
		}
		if stays && !after.hook() {
			c.immutable(before, after)
		}
		if stays {
			c.restarts(before, after)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.to)) {
		if template := c.to[key].template(); template != nil {
			c.needs(c.from[key], c.to[key])
		}
	}
	return c.out
}

// lost reports what Helm deletes because the new release does not have it.
func (c *comparison) lost(before object) {
	switch before.kind() {
	case "Secret":
		c.out.add(ruleSecretLost, Error, before.id(), "the upgrade deletes it: the new release does not have it, and it has "+
			"no annotation helm.sh/resource-policy: keep")
	case "PersistentVolumeClaim":
		c.out.add(ruleClaimLost, Error, before.id(), "the upgrade deletes the claim, and its volume with it")
	case "StatefulSet", "Deployment":
		c.out.add(ruleRestart, Note, before.id(), "the upgrade deletes it with its pods")
	}
}

// secret compares a Secret that both releases have. A value that differs between two renders of
// the new release, each with the old Secret in reach of lookup, is generated at every upgrade.
func (c *comparison) secret(before, after, again object) {
	old, now, twice := before.data(), after.data(), again.data()
	for _, key := range slices.Sorted(maps.Keys(old)) {
		value, there := now[key]
		switch {
		case !there:
			c.out.add(ruleSecretKey, Error, before.id(), "the upgrade removes its key %s", key)
		case value != twice[key]:
			c.out.add(ruleSecretValue, Error, before.id(), "the upgrade generates its key %s again, although the cluster has it",
				key)
		case value != old[key]:
			c.out.add(ruleSecretValue, Note, before.id(), "the upgrade sets another value for its key %s", key)
		}
	}
}

// needs compares the Secrets that the pods of a workload need with those that there will be.
func (c *comparison) needs(before, after object) {
	old := before.template().references()
	for _, ref := range after.template().references() {
		if ref.kind != "Secret" || slices.Contains(c.supplied, ref.name) ||
			slices.ContainsFunc(old, func(o reference) bool { return o.name == ref.name }) {
			continue // it is there, or was missing before
		}
		made := c.find(c.to, "Secret", ref.name)
		kept := c.find(c.from, "Secret", ref.name)
		switch {
		case made == nil && (kept == nil || !kept.kept()):
			c.out.add(ruleSecretMissing, Note, after.id(), "the new pods need Secret %s, which neither release makes: it has "+
				"to exist before the upgrade", ref.name)
		case made != nil && kept == nil:
			c.renamed(old, made, after)
		}
	}
}

// renamed looks for a Secret of before that a new one stands for: no pod reads it any more, and
// the new one has its keys with other values.
func (c *comparison) renamed(old []reference, made, workload object) {
	now := workload.template().references()
	for _, ref := range old {
		before := c.find(c.from, "Secret", ref.name)
		if before == nil || slices.ContainsFunc(now, func(n reference) bool { return n.name == ref.name }) {
			continue
		}
		was, is := before.data(), made.data()
		for key, value := range was {
			if other, same := is[key]; same && other != value && !c.out.has(ruleSecretRenamed, made.id()) {
				c.out.add(ruleSecretRenamed, Error, made.id(), "the new pods read it in place of Secret %s, and its key %s has "+
					"another value", ref.name, key)
			}
		}
	}
}

func (c *comparison) find(in map[string]object, kind, name string) object {
	for _, o := range in {
		if o.kind() == kind && o.name() == name {
			return o
		}
	}
	return nil
}

// restarts notes whether an upgrade replaces the pods of a workload.
func (c *comparison) restarts(before, after object) {
	if template := after.template(); template != nil && !reflect.DeepEqual(before.template(), template) {
		strategy := after.strategy()
		c.out.add(ruleRestart, Note, after.id(), "its pods are replaced, by strategy %s", strategy)
		if c.serves(after) {
			c.unready(after)
		} else if c.out.Strategy != "" {
			return // that of the server counts
		}
		c.out.Strategy = strategy
	}
}

// immutable reports fields that Kubernetes refuses to change.
func (c *comparison) immutable(before, after object) {
	for _, path := range kubeapi.Immutable(after.kind()) {
		was, is := before.at(path...), after.at(path...)
		if reflect.DeepEqual(was, is) || kubeapi.FilledIn(path) && (was == nil || is == nil) {
			continue
		}
		rule := ruleImmutable
		switch path[len(path)-1] {
		case "selector":
			rule = ruleSelector
		case "volumeClaimTemplates":
			rule = ruleClaimLost
		}
		c.out.add(rule, Error, after.id(), "%s changes, which Kubernetes refuses: the upgrade fails", strings.Join(path, "."))
	}
	if (after.kind() == "Secret" || after.kind() == "ConfigMap") && before.at("immutable") == true &&
		(!reflect.DeepEqual(before.at("data"), after.at("data")) || after.at("immutable") != true) {
		c.out.add(ruleImmutable, Error, after.id(), "it is marked immutable and changes: the upgrade fails")
	}
}

// Outcomes predicts each edge. The first that cannot be rendered is the error. progress, which may
// be nil, is called after each with their number.
func Outcomes(edges []Edge, s Setting, progress func(done int)) ([]Outcome, error) {
	var out []Outcome
	for _, e := range edges {
		predicted, err := Predict(e, s)
		if err != nil {
			return nil, err
		}
		s.judge(e, &predicted)
		o := Outcome{
			From: e.From.Name, To: e.To.Name, FromChart: e.From.Chart.Info(), ToChart: e.To.Chart.Info(), Predicted: predicted,
			Verdict: result.Pass,
		}
		for _, f := range predicted.Findings {
			if f.Severity == Error {
				o.fail("predicted %s: %s: %s", f.Rule, f.Object, f.Text)
			}
		}
		out = append(out, o)
		if progress != nil {
			progress(len(out))
		}
	}
	return out, nil
}

// Unfit returns why a file of the chart's ci directory cannot be installed on a test cluster, or
// "": it needs kinds that not every cluster has, objects that someone else makes, or several
// nodes.
func (s Setting) Unfit(stop Stop) (string, error) {
	objects, err := s.render(stop, nil)
	if err != nil {
		return "", err
	}
	sample, err := s.Dialect.Sample(stop.Chart, s.Topology)
	if err != nil {
		return "", err
	}
	for _, o := range objects {
		if !o.known() {
			return fmt.Sprintf("it needs an API that not every cluster has: %s %s", o.text("apiVersion"), o.kind()), nil
		}
		template := o.template()
		if template == nil {
			continue
		}
		for _, ref := range template.references() {
			made := slices.ContainsFunc(objects, func(m object) bool { return m.kind() == ref.kind && m.name() == ref.name })
			if !made && !(ref.kind == "Secret" && slices.Contains(sample.Secrets, ref.name)) {
				return fmt.Sprintf("it needs %s %s, which someone else makes", ref.kind, ref.name), nil
			}
		}
		required := template.at("spec", "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
		spread, _ := template.at("spec", "topologySpreadConstraints").([]any)
		hard := slices.ContainsFunc(spread, func(c any) bool {
			constraint, _ := c.(map[string]any)
			return object(constraint).text("whenUnsatisfiable") == "DoNotSchedule"
		})
		if required != nil || hard {
			return "it wants each pod on a node of its own", nil
		}
	}
	return "", nil
}
