package scenario

import (
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/openbao"
)

// Feature is something an environment has or lacks.
type Feature string

// The features that a scenario can need; see also Change.
const (
	FeatureCluster   Feature = "cluster"     // OpenBao runs as pods of a Kubernetes API we can reach
	FeatureInstaller Feature = "installer"   // the release may be upgraded
	FeatureDatabase  Feature = "database"    // there is administrator access to PostgreSQL
	FeaturePrevious  Feature = "previous"    // the chart's previous release is known
	FeatureUnsealKey Feature = "unseal-key"  // the dialect names the Secret with the static unseal key
	FeatureExec      Feature = "exec"        // commands can be run in the pods
	FeatureSignals   Feature = "signals"     // the pods' processes can be signalled
	FeatureGitLab    Feature = "gitlab-stub" // the issuer is the stub, which can be disturbed
	FeatureMetrics   Feature = "metrics"     // the pods serve metrics without a token
	FeatureAudit     Feature = "audit"       // the audit log can be read
	FeatureAuditHTTP Feature = "audit-http"  // OpenBao has an audit device of type http
	FeatureStack     Feature = "gitlab-api"  // secrets can be managed by GitLab's API

	// What OpenBao has and Vault's Community Edition lacks.
	FeatureNamespaces    Feature = "namespaces"     // tenants are namespaces
	FeatureInlineAuth    Feature = "inline-auth"    // a request carries its own login
	FeatureClaimPolicies Feature = "claim-policies" // a token's policies follow its claims
	FeatureSelfInit      Feature = "self-init"      // the server initialises and unseals itself
	FeatureScan          Feature = "kv-scan"        // KV lists recursively, and with details
)

// changePrefix marks the features that Change makes.
const changePrefix = "change:"

// Change is the feature that the chart's dialect knows a change of values.
func Change(name string) Feature { return Feature(changePrefix + name) }

// Right is what the user of a cluster must be allowed to do. Without ClusterWide it is in the
// environment's namespaces.
type Right struct {
	Verbs       string // separated by spaces, e.g. "get list"
	Group       string // of the API; "" is the core's
	Resource    string // in the plural, with its subresource after a slash, e.g. "pods/exec"
	ClusterWide bool
}

// feature describes one.
type feature struct {
	lack   string              // why a scenario that needs it is skipped without it
	has    func(env *Env) bool // nil: Env.Features has it
	rights []Right             // what a scenario that needs it does on a cluster
}

// features describes all but those of Change. An environment grants a feature without looking at
// rights, so they are asked for before a run. A feature without rights is of the chart or of
// OpenBao, or its rights are those for the chart's objects.
func features() map[Feature]feature {
	return map[Feature]feature{
		FeatureCluster: {
			lack: "OpenBao does not run on a Kubernetes cluster",
			has:  func(e *Env) bool { return e.Kube != nil },
			rights: []Right{ // scenarios read what is installed, and delete pods
				{Verbs: "get list watch delete", Resource: "pods"},
				{Verbs: "get", Resource: "pods/log"},
				{Verbs: "get", Resource: "pods/proxy"},
				{Verbs: "list", Resource: "services"},
				{Verbs: "list", Group: "discovery.k8s.io", Resource: "endpointslices"},
				{Verbs: "get list", Resource: "configmaps"},
				{Verbs: "get list", Resource: "secrets"},
				{Verbs: "list", Group: "apps", Resource: "deployments"},
				{Verbs: "list", Group: "apps", Resource: "statefulsets"},
			},
		},
		FeatureInstaller: {
			lack: "the release must not be upgraded in this environment",
			has:  func(e *Env) bool { return e.Kube != nil && e.Installer != nil },
		},
		FeatureDatabase: {
			lack:   "there is no administrator access to PostgreSQL",
			has:    func(e *Env) bool { return e.Database != nil },
			rights: []Right{{Verbs: "create", Resource: "pods/exec"}},
		},
		FeaturePrevious: {
			lack: "the chart's previous release is unknown; name it with --previous",
			has:  func(e *Env) bool { return e.Previous != "" },
		},
		FeatureUnsealKey: {
			lack:   "the chart's dialect names no Secret with a static unseal key",
			has:    func(e *Env) bool { return e.Unseal.Secret != "" },
			rights: []Right{{Verbs: "get create update delete", Resource: "secrets"}},
		},
		FeatureExec: {
			lack:   "commands cannot be run in the pods",
			has:    func(e *Env) bool { return e.Kube != nil && e.Processes != nil },
			rights: []Right{{Verbs: "create", Resource: "pods/exec"}},
		},
		FeatureSignals: {
			lack:   "the pods' processes cannot be signalled: the cluster admits no pod that sees its node's processes",
			rights: []Right{{Verbs: "get create delete", Resource: "pods"}},
		},
		FeatureGitLab: {
			lack:   "the issuer is not a stub that can be disturbed",
			has:    func(e *Env) bool { return e.GitLab != nil },
			rights: []Right{{Verbs: "get create update delete", Resource: "services/proxy"}},
		},
		FeatureMetrics: {
			lack:   "the chart's dialect names no port that serves metrics without a token",
			has:    func(e *Env) bool { return e.Kube != nil && e.Metrics != 0 },
			rights: []Right{{Verbs: "get", Resource: "pods/proxy"}},
		},
		FeatureAudit: {
			lack:   "the audit log cannot be read",
			has:    func(e *Env) bool { return e.Kube != nil || e.AuditFile != "" },
			rights: []Right{{Verbs: "get", Resource: "pods/log"}},
		},
		FeatureAuditHTTP: {lack: "this OpenBao has no HTTP audit device; 2.5 and later have one"},
		FeatureNamespaces: {
			lack: "Vault's Community Edition has no namespaces: its tenants are mounts and policies", has: (*Env).openBao,
		},
		FeatureInlineAuth: {lack: "Vault has no inline authentication: jobs log in first", has: (*Env).openBao},
		FeatureClaimPolicies: {
			lack: "Vault has no policies that follow a token's claims: jobs of a project read all its secrets",
			has:  (*Env).openBao,
		},
		FeatureSelfInit: {lack: "Vault neither initialises nor unseals itself: Steamer does", has: (*Env).openBao},
		FeatureScan:     {lack: "Vault's KV has neither SCAN nor detailed metadata", has: (*Env).openBao},
		FeatureStack: {
			lack: "there is no GitLab to manage secrets through; name one with --gitlab-url",
			has:  func(e *Env) bool { return len(e.Stacks) > 0 },
		},
	}
}

// openBao reports whether the server is driven as OpenBao is.
func (e *Env) openBao() bool { return e.Kind != openbao.KindVault }

// Has reports whether the environment has a feature.
func (e *Env) Has(f Feature) bool {
	if change, ok := strings.CutPrefix(string(f), changePrefix); ok {
		return e.Installer != nil && e.Installer.Knows(change)
	}
	if has := features()[f].has; has != nil {
		return has(e)
	}
	return slices.Contains(e.Features, f)
}

// Lack returns why a scenario that needs a feature is skipped without it.
func (f Feature) Lack() string {
	if change, ok := strings.CutPrefix(string(f), changePrefix); ok {
		return "the chart's dialect does not define the change " + change
	}
	return features()[f].lack
}

// Needs are the rights of a scenario: those of its features, and its own.
func (s Scenario) Needs() []Right {
	all := slices.Clone(s.Rights)
	for _, f := range s.Features {
		all = append(all, features()[f].rights...)
	}
	return all
}
