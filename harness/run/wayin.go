package run

import (
	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/engine"
)

// WayIn tells a person how to reach a cluster that stays.
func WayIn(e *engine.Engine, c *cluster.Cluster) string {
	if e != nil && e.Private { // its addresses mean nothing outside the engine's network namespace
		return "steamer cluster exec --name " + c.Name + " -- kubectl get pods --all-namespaces"
	}
	return "export KUBECONFIG=" + c.Kubeconfig
}
