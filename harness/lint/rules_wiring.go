package lint

var wiringRules = []Rule{
	{
		ID: "wiring/selectors", Title: "selectors match the pods that they are meant for", Severity: Error,
		Protects: "A Service, a disruption budget or a network policy that selects nothing fails without an " +
			"error; one that selects too much catches other pods.",
		Hint: "write the selector and the pods' labels from one template",
		Detail: "Workloads select their own template's labels. Services, PodDisruptionBudgets, NetworkPolicies, " +
			"pod affinities and spread constraints, PodMonitors and ServiceMonitors select at least one pod " +
			"(or Service) of the release; labels that OpenBao's service registration sets at run time " +
			"(openbao-active, -initialized, -sealed, -perf-standby, -version) are not asked for. Whatever " +
			"also selects pods of a test hook or of another workload is a warning. A " +
			"HorizontalPodAutoscaler's target is rendered. Also under other names.",
		each: selectors,
	},
	{
		ID: "wiring/releases", Title: "two releases in a cluster do not touch each other", Severity: Error,
		Protects: "A second release takes over objects, is refused because of them, or its pods answer for the first one's " +
			"Service.",
		Hint: "put the release's name into names and selectors, and its namespace into the names of cluster-wide objects",
		Detail: "Compares the first base, and each case that renders other objects, with a release of another name in the " +
			"namespace (no object has the same name, no selector matches the other's pods) and with one of the same name in " +
			"another namespace: no cluster-wide object, and none in a fixed namespace, has the same name. Of a custom " +
			"resource its definition in the chart tells whether it is cluster-wide, else a kind that begins with Cluster. " +
			"Rendered definitions of custom resources, whose names cannot vary, are warnings.",
		chart: releases,
	},
	{
		ID: "wiring/ports", Title: "probes, Services and routes name ports that exist", Severity: Error,
		Protects: "A probe of a port that nothing names kills the pod; a Service or a route to it leads nowhere.",
		Hint:     "name a port of the container, or of the Service",
		Detail: "Named ports of probes, lifecycle hooks and Service targets have to be declared by the container " +
			"or pod, a numeric target that is not declared is a warning; Ingress and Gateway API backends " +
			"have to be rendered Services with that port.",
		each: ports,
	},
	{
		ID: "wiring/references", Title: "what pods refer to exists", Severity: Error,
		Protects: "A pod whose Secret, ConfigMap, ServiceAccount or volume does not exist never starts.",
		Hint:     "render it, or let a value name it so that its owner is known",
		Detail: "Volumes, environment, image pull secrets and service accounts have to be rendered, optional, " +
			"supplied by the topology, or named by a value (whose key says secret, configMap, serviceAccount " +
			"or claim). Keys are checked in what is rendered. Mounts need their volume. Switches that are " +
			"turned off are left out: turning off what makes an object promises to supply it.",
		each: references,
	},
	{
		ID: "wiring/hook-order", Title: "hooks need only what is there before them", Severity: Error,
		Protects: "A pre-install hook runs before the release's objects exist; its pod waits for a ConfigMap " +
			"until the installation times out.",
		Hint: "make what the hook needs a hook too, with a smaller helm.sh/hook-weight",
		Detail: "Whatever a pre-install hook's pods refer to and the chart renders has to be a pre-install hook " +
			"of a smaller weight, or of the same weight and a kind that Helm creates first.",
		each: hookOrder,
	},
	{
		ID: "wiring/environment", Title: "variables refer to variables before them", Severity: Error,
		Protects: "Kubernetes leaves $(NAME) as it stands where NAME is defined later or nowhere; the server " +
			"then starts with that text, as its database's password for example.",
		Hint: "define the variable earlier in env, or write $$(NAME) where the text is meant",
		Detail: "Reads $(NAME) in the values of env. NAME has to stand earlier in env, in an envFrom, or be a variable " +
			"that the kubelet makes from a Service. An envFrom of what the chart does not render may hold any. In command " +
			"and args, names of capitals are looked for only: a shell takes the others for its commands.",
		each: environmentOrder,
	},
	{
		ID: "wiring/addresses", Title: "addresses of pods stand in brackets in URLs", Severity: Warning,
		Protects: "On an IPv6 or dual-stack cluster a URL with a bare address does not parse, and the server " +
			"does not start.",
		Hint: "write ://[$(NAME)]: on IPv6 clusters, or use the pod's DNS name",
		Detail: "Reads env, commands, args and ConfigMaps for URLs, and for hosts with a port, whose host is a " +
			"variable that holds status.podIP or status.hostIP. A template that has the brackets in another case, " +
			"such as by a value for " +
			"IPv6, is left out.",
		each: bareAddresses,
	},
	{
		ID: "wiring/unready-leader", Title: "the leader's Service publishes only ready pods", Severity: Error,
		Protects: "A leader that is frozen or gone keeps its label; a Service that publishes pods that are not " +
			"ready sends requests to it until the label changes.",
		Hint: "leave out publishNotReadyAddresses in the Service that selects the leader",
		Detail: "Finds Services with publishNotReadyAddresses whose selector has the label openbao-active or " +
			"vault-active.",
		object: unreadyLeader,
	},
	{
		ID: "wiring/budgets", Title: "disruption budgets allow a disruption", Severity: Error,
		Protects: "With a budget that never allows an eviction, draining a node waits for ever, and the " +
			"cluster's upgrade with it.",
		Hint: "use maxUnavailable: 1, or minAvailable below the number of replicas",
		Detail: "Counts the replicas of the Deployments and StatefulSets that a budget selects (the least of a " +
			"HorizontalPodAutoscaler). minAvailable of all of them, maxUnavailable of none, both fields at " +
			"once, an empty selector and two budgets for a pod are errors. What only a switch causes is a " +
			"warning. Of a single replica it is a warning: every budget that protects it has this effect.",
		lenient: true, each: budgets,
	},
	{
		ID: "wiring/policies", Title: "network policies allow what the release needs", Severity: Error,
		Protects: "A policy that forgets DNS, the database or the port of a Service cuts the pods off, only in " +
			"clusters that enforce policies.",
		Hint: "add the port to a rule of the policy",
		Detail: "Named ports exist in the pods that a policy is about. Ports of Services that select a pod with " +
			"policies for ingress stand in a rule of one. A pod with policies for egress may reach UDP port " +
			"53 and, if it mounts OpenBao's configuration, the port of its connection URL. Peers are not " +
			"compared: who may come is the user's to say.",
		each: policies,
	},
	{
		ID: "wiring/probes", Title: "probes ask whether the pod can answer", Severity: Error,
		Protects: "A probe that cannot fail, or that takes a sealed pod for ready, sends requests to pods that " +
			"do not answer; one that fails in standbys kills them.",
		Hint: "ask for /v1/sys/health?standbyok=true",
		Detail: "Looks at the probes of pods behind a Service. Commands that always succeed, a readinessProbe " +
			"whose sealedcode is a success and a livenessProbe of /v1/sys/health without standbyok are " +
			"errors. A missing readinessProbe, and one of OpenBao that asks for an open port only, are " +
			"warnings.",
		lenient: true, each: probing,
	},
	{
		ID: "wiring/monitors", Title: "monitors and alerts ask for what exists", Severity: Error,
		Protects: "A PodMonitor of a port that no pod has collects nothing, and an alert on a metric that does " +
			"not exist never fires.",
		Hint: "name a port of the pods, and build the metrics' names from the configured prefix",
		Detail: "Ports of PodMonitors and ServiceMonitors are declared by what they select. Names of metrics in " +
			"PrometheusRules and dashboards that begin with openbao_, vault_ or bao_ begin with " +
			"telemetry.metrics_prefix of OpenBao's configuration; what a scrape of 2.4.0 and the sources of " +
			"2.6.2 do not have is a warning. Monitors of OpenBao's pods ask " +
			"for /v1/sys/metrics, with the scheme of the port's listener, and with a token where that wants one.",
		each: monitors,
	},
	{
		ID: "wiring/shutdown", Title: "pods have the time that their end takes", Severity: Error,
		Protects: "A leader that is killed keeps its lock, and fetches fail until the lock expires.",
		Hint:     "raise terminationGracePeriodSeconds, or sleep less in preStop",
		Detail: "Takes what preStop sleeps from the grace period. OpenBao's pods need 5 s of the rest, others " +
			"something. What only a switch causes is a warning.",
		lenient: true, each: shutdown,
	},
	{
		ID: "wiring/tests", Title: "helm test can fail", Severity: Error,
		Protects: "A test that always passes tells everyone that a broken release works.",
		Hint:     "let the last command fail, such as curl --fail or bao status",
		Detail: "Looks at the pods of test hooks. Where the last command of every container succeeds whatever it " +
			"finds, or is curl without --fail, that is an error, as is a restartPolicy other than Never of a " +
			"Pod. Commands of images are not known.",
		object: tests,
	},
}
