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
			"shows with a verified certificate gets a warning. A default without verification is the user's " +
			"choice.",
		chart: databaseTLS,
	},
}
