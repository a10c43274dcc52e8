package lint

var upgradeRules = []Rule{
	{
		ID: "upgrade/deterministic", Title: "two renders of the same values are equal", Severity: Error,
		Protects: "A random or dated value restarts pods at every upgrade, and makes helm diff useless.",
		Hint:     "derive the value from the others, or keep it in a Secret that lookup finds again",
		Detail: "Renders each base, and each case that switches objects or parts of them on, twice and compares " +
			"object by object. Secrets are left to upgrade/secrets.",
		chart: deterministic,
	},
	{
		ID: "upgrade/secrets", Title: "generated Secrets survive an upgrade", Severity: Error,
		Protects: "A key or a token that is generated again at an upgrade locks out whoever holds the old one; a " +
			"new unseal key makes the database unreadable.",
		Hint: "take the old value from lookup, or render the Secret only where lookup does not find it, as a " +
			"hook or with helm.sh/resource-policy: keep",
		Detail: "Where a Secret differs between two renders, an upgrade is rendered with a lookup that finds what the " +
			"first render made. A Secret that is then the same, or not rendered and kept, is reported as information; helm " +
			"template and what builds on it (Argo CD) have no lookup and would still generate it again. That is a warning for " +
			"a key of the seal, and an error where helm uninstall deletes " +
			"it: where the seal stanza or a variable named like one leads, or a Secret named unseal. A chart " +
			"that does not render it without a cluster has none.",
		chart: secretsKept,
	},
	{
		ID: "upgrade/stable", Title: "an upgrade to the same chart changes nothing", Severity: Error,
		Protects: "An upgrade that changes what nobody changed restarts pods, or deletes objects that the " +
			"installation made.",
		Hint: "render the same for .Release.IsInstall and .Release.IsUpgrade, or make the difference a hook",
		Detail: "Compares an installation's render with an upgrade's in which lookup finds the installed " +
			"objects. Hooks may differ.",
		chart: stable,
	},
	{
		ID: "upgrade/immutable", Title: "fields that cannot change do not hold the chart's version", Severity: Error,
		Protects: "The chart installs, and the API server refuses every upgrade to another version of it.",
		Hint: "keep version and appVersion out of selectors, claim templates and the templates of Jobs; make a " +
			"Job a hook, or put the version into its name",
		Detail: "Renders each base, and each case that switches objects on, once more with another version and " +
			"appVersion in Chart.yaml, and compares the fields that Kubernetes never changes: selectors of " +
			"workloads, serviceName and volumeClaimTemplates of StatefulSets, templates of Jobs, roleRef of " +
			"bindings, types of Secrets, and the data of what is immutable; also the names of StatefulSets and " +
			"claims. Hooks, which Helm creates and never changes, are left out.",
		chart: immutable,
	},
}
