package lint

var openbaoRules = []Rule{
	{
		ID: "openbao/previous-key", Title: "a key rotation can be configured", Severity: Error,
		Protects: "With the previous unseal key impossible to configure, the key can never be rotated.",
		Hint:     "render seal.static.previous_key_id and previous_key when config.unseal.static.previousKeyId is set",
		Detail: "Sets config.unseal.static.previousKeyId and looks for it in OpenBao's configuration. Known defect of " +
			"GitLab's chart 0.12.3.",
		applies: hasKeys("config.unseal.static.previousKeyId"), chart: previousKey,
	},
	{
		ID: "openbao/metric-filters", Title: "metric filters fit the metrics' prefix", Severity: Warning,
		Protects: "A filter with another prefix never matches, and metrics that grow with the number of tenants stay on.",
		Hint:     "begin each filter with the metrics' prefix, from one value",
		Detail: "Compares telemetry.prefix_filter with telemetry.metrics_prefix in OpenBao's configuration, also with " +
			"another prefix. Known defect of GitLab's chart 0.12.3.",
		applies: hasKeys("config.telemetry.prefixFilter", "config.telemetry.metricsPrefix"), chart: metricFilters,
	},
	{
		ID: "openbao/audit-token", Title: "the audit token survives an upgrade", Severity: Error,
		Protects: "GitLab refuses the audit events that come with a token that it does not know, and OpenBao answers no " +
			"request that it cannot audit.",
		Hint: "look up the key under which the Secret stores the token",
		Detail: "Turns on the http audit device, then upgrades with a lookup that finds the Secret. Known defect of " +
			"GitLab's chart 0.12.3.",
		applies: hasKeys("config.audit.http.enabled"), chart: auditToken,
	},
	{
		ID: "openbao/connect-timeout", Title: "time limits towards the database are rendered", Severity: Warning,
		Protects: "Without a limit a pod waits for ever for a database whose host drops packets.",
		Hint:     "render connect_timeout into the connection URL; remove values that the driver does not know",
		Detail: "Sets config.storage.postgresql.connection.connectTimeout and tcpUserTimeout, where the chart has them, " +
			"and looks for any effect. Known defect of GitLab's chart 0.12.3.",
		applies: hasKeys("config.storage.postgresql.connection"), chart: timeouts,
	},
	{
		ID: "openbao/url-parameters", Title: "the connection URL holds what the driver knows", Severity: Error,
		Protects: "OpenBao's driver, pgx, sends what it does not know to PostgreSQL, which refuses the connection: " +
			"unrecognized configuration parameter.",
		Hint: "leave libpq's own parameters out of the URL",
		Detail: "Sets every keepalives value that the chart has, and has pgx parse the rendered connection URL. Known " +
			"defect of GitLab's chart 0.12.3.",
		applies: hasKeys("config.storage.postgresql.connection"), chart: urlParameters,
	},
	{
		ID: "openbao/table-name", Title: "table names can be chosen", Severity: Warning,
		Protects: "A database whose tables have other names cannot be used.",
		Hint:     "let the schema take a string for table and haTable",
		Detail: "Sets config.storage.postgresql.table and haTable and looks for them in OpenBao's configuration. Known " +
			"defect of GitLab's chart 0.12.3.",
		applies: hasKeys("config.storage.postgresql.table"), chart: tableNames,
	},
	{
		ID: "openbao/url-escaping", Title: "user and database are escaped in the connection URL", Severity: Error,
		Protects: "A user name with an @ or a / leads to another host or database.",
		Hint:     "escape both, such as with urlquery and a space as %20",
		Detail: "Sets config.storage.postgresql.connection.username and database to names with reserved characters, and " +
			"has pgx parse the rendered URL. Known defect of GitLab's chart 0.12.3.",
		applies: hasKeys("config.storage.postgresql.connection.username", "config.storage.postgresql.connection.database"),
		chart:   urlEscaping,
	},
	{
		ID: "openbao/extra-volumes", Title: "extra volumes add to what the chart mounts", Severity: Error,
		Protects: "A user's own volume silently takes away the unseal key's or the CA's.",
		Hint:     "keep the chart's own volumes out of the value that users set",
		Detail: "Sets extraVolumes and extraVolumeMounts, and looks whether all volumes and mounts of the base are still " +
			"there. Known defect where a parent chart puts its own volumes into the value (gitlab-org/gitlab#594357).",
		applies: hasKeys("extraVolumes"), chart: extraVolumes,
	},
}
