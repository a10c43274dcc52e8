package lint

var securityRules = []Rule{
	{
		ID: "security/pod-security", Title: `pods fit Pod Security level "restricted"`, Severity: Error,
		Protects: "A namespace that enforces the level refuses the pods, and the release hangs without any.",
		Hint:     "set what the message asks for in the pod's and the containers' securityContext",
		Detail: "Kubernetes' own admission library judges every pod template, hooks included, at the level " +
			"restricted of the chosen version. What only a switch causes, such as hostNetwork, is a warning.",
		lenient: true, object: podSecurity,
	},
	{
		ID: "security/images", Title: "images have a tag or digest that stays what it is", Severity: Error,
		Protects: "A floating tag makes two installations of one chart version run different programs.",
		Hint:     "name a version or a digest",
		Detail: "An image without tag and digest, or with the tag latest, is an error, as is a malformed " +
			"reference.",
		object: pinned,
	},
	{
		ID: "security/plaintext", Title: "no secret outside Secrets", Severity: Error,
		Protects: "ConfigMaps, arguments and environment literals are readable to whoever may look at pods, and " +
			"end in logs and backups.",
		Hint: "put it into a Secret and refer to that",
		Detail: "Looks in ConfigMaps, annotations, commands, arguments, environment literals, probes and custom " +
			"resources for private keys, JWTs, the tokens of well-known services and passwords: in URLs, as " +
			"password=, with blanks and quotes, in JSON and in YAML. What is a reference or a template " +
			"throughout, such as $(NAME), is none. Environment variables named like a password must not have " +
			"a literal value. What is found is never printed.",
		object: plaintext,
	},
	{
		ID: "security/read-only", Title: "containers cannot write their root file system", Severity: Warning,
		Protects: "Whoever gets into a container that can write to its image's files can leave programs there.",
		Hint:     "set securityContext.readOnlyRootFilesystem, and mount an emptyDir where the program writes",
		Detail: "A warning only: Pod Security does not ask for it, and some images write where no volume can be " +
			"mounted. The pods of test hooks, which live for seconds, are left out.",
		object: readOnly,
	},
	{
		ID: "security/canary", Title: "password-like values stay inside Secrets", Severity: Error,
		Protects: "A value that holds a password must not travel to a ConfigMap, an argument or an environment " +
			"literal.",
		Hint: "render the value into a Secret, or take the name of a Secret instead of the password",
		Detail: "Gives every value whose key ends like a password, token, secret or credential a unique text, " +
			"one at a time where the chart accepts it, and looks for the text in everything but Secrets and " +
			"fields that only name an object.",
		chart: canaries,
	},
	{
		ID: "security/rbac", Title: "no more rights than allowed", Severity: Error,
		Protects: "Whoever takes over a pod has its service account's rights.",
		Hint:     "narrow the rule, or declare it with --allow-rbac FILE",
		Detail: "Compares each rule of Roles and ClusterRoles, verb by verb, with the allowance: in the " +
			"namespace get, list, watch, update and patch of pods, in the cluster nothing. A binding of a " +
			"ClusterRole that the chart does not render has to be allowed by name; bindings to all users or " +
			"all service accounts are errors. A dialect's own allowance is built in, --allow-rbac adds to " +
			"it. What only a switch causes is a warning.",
		lenient: true, object: rbac,
	},
	{
		ID: "security/key-files", Title: "only the server's user reads key files", Severity: Error,
		Protects: "A process of another user in the pod, such as a sidecar, reads the key; or OpenBao cannot.",
		Hint:     "set defaultMode: 0440, and an fsGroup in the pod's securityContext",
		Detail: "Looks at the modes of Secrets in volumes. Files with the seal's key that others may read are " +
			"errors, of other keys, passwords and tokens that are listed as items warnings. Files that the " +
			"pod's own user cannot read are errors: root's, and the pod has no fsGroup.",
		lenient: true, each: keyFiles,
	},
}
