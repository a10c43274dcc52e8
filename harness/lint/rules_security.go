package lint

var securityRules = []Rule{
	{
		ID: "security/pod-security", Title: `pods fit Pod Security level "restricted"`, Severity: Error,
		Protects: "A namespace that enforces the level refuses the pods, and the release hangs without any.",
		Hint:     "set what the message asks for in the pod's and the containers' securityContext",
		Detail: "Kubernetes' own admission library judges every pod template, hooks included, at the level restricted of " +
			"the chosen version. What only a switch causes, such as hostNetwork, is a warning.",
		lenient: true, object: podSecurity,
	},
	{
		ID: "security/images", Title: "images have a tag or digest that stays what it is", Severity: Error,
		Protects: "A floating tag makes two installations of one chart version run different programs.",
		Hint:     "name a version or a digest",
		Detail:   "An image without tag and digest, or with the tag latest, is an error, as is a malformed reference.",
		object:   pinned,
	},
	{
		ID: "security/plaintext", Title: "no secret outside Secrets", Severity: Error,
		Protects: "ConfigMaps, arguments and environment literals are readable to whoever may look at pods, and end in " +
			"logs and backups.",
		Hint: "put it into a Secret and refer to that",
		Detail: "Looks in ConfigMaps, annotations, commands, arguments and environment literals for private keys, " +
			"passwords in URLs, JWTs and the tokens of well-known services, and for environment variables named like a " +
			"password that have a literal value. What is found is never printed.",
		object: plaintext,
	},
	{
		ID: "security/canary", Title: "password-like values stay inside Secrets", Severity: Error,
		Protects: "A value that holds a password must not travel to a ConfigMap, an argument or an environment literal.",
		Hint:     "render the value into a Secret, or take the name of a Secret instead of the password",
		Detail: "Gives every value whose key ends like a password, token, secret or credential a unique text, one at a " +
			"time where the chart accepts it, and looks for the text in everything but Secrets and fields that only name an " +
			"object.",
		chart: canaries,
	},
	{
		ID: "security/rbac", Title: "no more rights than allowed", Severity: Error,
		Protects: "Whoever takes over a pod has its service account's rights.",
		Hint:     "narrow the rule, or declare it with --allow-rbac FILE",
		Detail: "Compares each rule of Roles and ClusterRoles, verb by verb, with the allowance: in the namespace get, " +
			"list, watch, update and patch of pods, in the cluster nothing. A binding of a ClusterRole that the chart does " +
			"not render has to be allowed by name; bindings to all users or all service accounts are errors. A dialect's " +
			"own allowance is built in, --allow-rbac adds to it. What only a switch causes is a warning.",
		lenient: true, object: rbac,
	},
}
