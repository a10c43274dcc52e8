package topology

import (
	"cmp"
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// with is the environment with another Spec, before any of it is installed.
func (e *Environment) with(spec Spec) (*Environment, error) {
	other := *e
	other.Spec = spec
	return &other, other.resolve()
}

// Become upgrades the release to another chart, other values or another image of OpenBao, and
// waits until its pods are replaced and OpenBao is ready. The rest of the Spec has to be the same.
// Before anything is touched, an error of code exit.Invalid says that chart and values do not fit.
func (e *Environment) Become(ctx context.Context, spec Spec) error {
	if e.ownPort { // the Service that has the node port stays
		spec.NodePort = 0
	}
	other, err := e.with(spec)
	if err != nil {
		return err
	}
	e.Log("upgrading to chart " + spec.Chart.Info().Name + " " + spec.Chart.Info().Version)
	if err := other.upgrade(ctx, spec.Chart, other.values); err != nil {
		return err
	}
	if other.ownPort {
		if err := other.exposeActive(ctx); err != nil {
			return err
		}
	}
	other.ownPort = other.ownPort || e.ownPort
	*e = *other
	return e.settle(ctx)
}

// Back rolls the release back to the revision before its current one, which spec describes, and
// waits as Become does.
func (e *Environment) Back(ctx context.Context, spec Spec) error {
	other, err := e.with(spec)
	if err != nil {
		return err
	}
	e.Log("rolling back to chart " + spec.Chart.Info().Name + " " + spec.Chart.Info().Version)
	if err := e.helm.Rollback(ctx, spec.Dialect.Release); err != nil {
		return err
	}
	other.ownPort = e.ownPort
	*e = *other
	if err := e.replaceOutdated(ctx); err != nil {
		return err
	}
	return e.settle(ctx)
}

// settle waits until every pod is of the release's last revision, and OpenBao is ready.
func (e *Environment) settle(ctx context.Context) error {
	if err := await(ctx, cmp.Or(e.Spec.ReadyTimeout, InstallTimeout), "the rollout", e.rolledOut); err != nil {
		return err
	}
	return e.AwaitReady(ctx)
}

// rolledOut returns what is left of a rollout: pods of an earlier revision, or ones that are
// missing.
func (e *Environment) rolledOut(ctx context.Context) error {
	deployments, err := e.Cluster.Client.AppsV1().Deployments(e.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, d := range deployments.Items {
		if s := d.Status; e.selects(d.Spec.Template.Labels) && (s.ObservedGeneration < d.Generation ||
			s.UpdatedReplicas != s.Replicas || int(s.UpdatedReplicas) < desired(d.Spec.Replicas)) {
			return fmt.Errorf("deployment %s has %d of %d pods of its last revision, and %d in all", d.Name, s.UpdatedReplicas,
				desired(d.Spec.Replicas), s.Replicas)
		}
	}
	sets, err := e.statefulSets(ctx)
	if err != nil {
		return err
	}
	for _, set := range sets {
		if s := set.Status; s.ObservedGeneration < set.Generation ||
			s.CurrentRevision != s.UpdateRevision && int(s.UpdatedReplicas) < desired(set.Spec.Replicas) {
			return fmt.Errorf("stateful set %s has %d of %d pods of its last revision", set.Name, s.UpdatedReplicas,
				desired(set.Spec.Replicas))
		}
	}
	return nil
}

// Strategy is the way in which the release's workload replaces its pods; "" where that is not
// known.
func (e *Environment) Strategy(ctx context.Context) string {
	deployments, err := e.Cluster.Client.AppsV1().Deployments(e.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return ""
	}
	for _, d := range deployments.Items {
		if e.selects(d.Spec.Template.Labels) {
			return string(d.Spec.Strategy.Type)
		}
	}
	sets, err := e.statefulSets(ctx)
	if err != nil || len(sets) == 0 {
		return ""
	}
	return string(sets[0].Spec.UpdateStrategy.Type)
}
