package lint

var serverRules = []Rule{
	{
		ID: "server/settings", Title: "OpenBao knows the settings of its configuration", Severity: Error,
		Protects: "OpenBao ignores a mistyped setting with a line in its log, and does not start with a block " +
			"too many or of an unknown type.",
		Hint: "correct the name; bao server -help and the documentation list the settings",
		Detail: "Reads configurations in ConfigMaps and Secrets, JSON or HCL, with OpenBao's own library: what " +
			"parses and has a block storage is one. Settings that OpenBao 2.4 to 2.6 do not know, at the top " +
			"and in listener and telemetry, are warnings. A second block of storage, ha_storage, " +
			"service_registration or telemetry, and a listener of an unknown type or role, are errors. " +
			"Blocks of storage and seal are not looked into: their settings depend on their type.",
		object: serverSettings,
	},
	{
		ID: "server/listeners", Title: "the API's ports have TLS all or none, and probes know it", Severity: Error,
		Protects: "A plain port beside one with TLS gives tokens away; a probe with the wrong scheme never " +
			"succeeds.",
		Hint: "set tls_disable, and the scheme of probes, from one value",
		Detail: "A listener with TLS needs a certificate and its key, or ACME. TCP listeners of the API, other " +
			"than on the loopback address, with and without TLS side by side are a warning; those with role " +
			"metrics_only do not count. The scheme of HTTP probes has to fit the listener of their port.",
		lenient: true, each: listening,
	},
	{
		ID: "server/addresses", Title: "pods advertise addresses at which they answer", Severity: Error,
		Protects: "After a takeover standbys forward to the address that the leader advertises; a wrong one " +
			"fails every request that does not meet the leader.",
		Hint: "build the address from the pod's name or address, and scheme and port from the listener's values",
		Detail: "Reads api_addr and cluster_addr of the configuration and BAO_API_ADDR, BAO_CLUSTER_ADDR (or " +
			"VAULT_...) of the pods behind a Service that mount it. They are URLs, do not name the loopback " +
			"or an unspecified address, and their scheme and port fit the listeners. cluster_addr does not " +
			"use a port of the API. A setting that every pod overrides is not read. What only a switch " +
			"causes is a warning.",
		lenient: true, each: advertised,
	},
	{
		ID: "server/database-tls", Title: "the database's certificate can be verified", Severity: Error,
		Protects: "Whoever stands between OpenBao and a database whose certificate is not verified reads and " +
			"changes what is stored.",
		Hint: "render sslmode and sslrootcert from values, and show them in a ci/*-values.yaml",
		Detail: "Looks at sslmode of the connection URL in the bases. Where a value named sslMode asks for " +
			"verify-ca or verify-full and something else is rendered, that is an error. A chart that no base " +
			"shows with verify-full gets a warning: verify-ca takes the certificate of any host. A default " +
			"without verification is the user's " +
			"choice.",
		chart: databaseTLS,
	},
	{
		ID: "server/forwarded", Title: "only proxies say who a client is", Severity: Error,
		Protects: "A client that chooses its own address is in no audit record and under no limit; one that " +
			"chooses its certificate is whoever it likes.",
		Hint: "list the addresses of the proxies",
		Detail: "Reads x_forwarded_for_authorized_addrs, proxy_protocol_authorized_addrs, " +
			"proxy_protocol_behavior and x_forwarded_for_client_cert_keep_... of listeners. Ranges wider than " +
			"10.0.0.0/8 or fc00::/7 are errors. What only a switch causes is a warning.",
		lenient: true, object: forwarded,
	},
	{
		ID: "server/requests", Title: "requests have limits that fit what is in front", Severity: Error,
		Protects: "A request without a limit holds memory and a connection to the database; a proxy that gives " +
			"up sooner has clients repeat what OpenBao still does.",
		Hint: "leave max_request_duration near 90 s and max_request_size at 1 to 32 MiB, and give the proxy as long",
		Detail: "Of listeners of the API: a duration of less than 5 s or more than 10 min, and a size that is " +
			"negative, below 16 KiB or above 256 MiB, are errors. A read timeout of ingress-nginx, or a timeout " +
			"of an HTTPRoute, that is shorter than the duration is a warning. What only a switch causes is a warning.",
		lenient: true, each: requests,
	},
	{
		ID: "server/logs", Title: "logs hold no requests and no secrets", Severity: Error,
		Protects: "Logs go to places that fewer protect than the audit log, and at these levels they grow with " +
			"every request.",
		Hint: "use info, log_requests_level off and no log_raw",
		Detail: "Levels debug and trace, in the configuration or in BAO_LOG_LEVEL of its pods, and log_raw of an " +
			"audit device are errors; log_requests_level is a warning. Levels that only a switch sets are the " +
			"user's choice.",
		lenient: true, each: logs,
	},
	{
		ID: "server/pool", Title: "the pool of database connections cannot block itself", Severity: Error,
		Protects: "Transactions that hold every connection wait for one more, and the server stands still for a " +
			"minute; connections that are not kept are made again for each read.",
		Hint: "leave two connections beside transaction_max_parallel, and keep as many idle as there may be",
		Detail: "Where storage.postgresql.max_parallel is set: fewer than 2, transaction_max_parallel (64 by default) " +
			"of as many, and from 16 on fewer than half kept idle (2 by default) are errors. More than 97 " +
			"connections of all pods are a warning: PostgreSQL grants 100 by default. docs/findings.md has the " +
			"measurements.",
		lenient: true, each: pool,
	},
	{
		ID: "server/tiers", Title: "tiers give what GitLab's sizing table names", Severity: Error,
		Protects: "A tier with less memory ends in pods that are killed when all namespaces are loaded.",
		Hint:     "take CPU and memory requests from GitLab's table",
		Detail: "Sets sizing.tier to each of GitLab's tiers and compares the requests of OpenBao's container with " +
			"the table. More is fine.",
		applies: hasKeys("sizing.tier"), chart: tiers,
	},
}
