package scenario

// Right is what the user of a cluster has to be allowed to do there. Without ClusterWide it is in
// the namespaces of the environment.
type Right struct {
	Verbs       string // with spaces between, e.g. "get list"
	Group       string // of the API; "" is the core's
	Resource    string // in the plural, with its subresource after a slash, e.g. "pods/exec"
	ClusterWide bool
}

// Rights are what a scenario that needs the feature does on a cluster. An environment grants a
// feature without looking at rights, so they are asked for before a run.
func (f Feature) Rights() []Right {
	switch f {
	case FeatureCluster: // scenarios look at what is installed, and let pods go
		return []Right{
			{Verbs: "get list watch delete", Resource: "pods"},
			{Verbs: "get", Resource: "pods/log"},
			{Verbs: "get", Resource: "pods/proxy"},
			{Verbs: "list", Resource: "services"},
			{Verbs: "list", Group: "discovery.k8s.io", Resource: "endpointslices"},
			{Verbs: "get list", Resource: "configmaps"},
			{Verbs: "get list", Resource: "secrets"},
			{Verbs: "list", Group: "apps", Resource: "deployments"},
			{Verbs: "list", Group: "apps", Resource: "statefulsets"},
		}
	case FeatureDatabase, FeatureExec:
		return []Right{{Verbs: "create", Resource: "pods/exec"}}
	case FeatureSignals:
		return []Right{{Verbs: "get create delete", Resource: "pods"}}
	case FeatureMetrics:
		return []Right{{Verbs: "get", Resource: "pods/proxy"}}
	case FeatureAudit:
		return []Right{{Verbs: "get", Resource: "pods/log"}}
	case FeatureGitLab:
		return []Right{{Verbs: "get create update delete", Resource: "services/proxy"}}
	case FeatureUnsealKey:
		return []Right{{Verbs: "get create update delete", Resource: "secrets"}}
	}
	return nil // the others are of the chart or of OpenBao, or say what the objects of the chart say already
}

// Needs are the rights of a scenario: those of its features, and its own.
func (s Scenario) Needs() []Right {
	all := s.Rights
	for _, f := range s.Features {
		all = append(all[:len(all):len(all)], f.Rights()...)
	}
	return all
}
