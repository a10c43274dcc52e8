package charts_test

import "strings"

// change is another value than the default, in YAML. With a refusal the chart has to refuse it in
// these words.
type change struct{ to, refusal string }

// trial is what it takes to try each value of a chart alone.
type trial struct {
	base string // values file that the chart needs in any case; empty: none
	// needed are values without which the keys under a prefix can have no effect. A prefix that
	// ends in a dot is a feature that is off by default; its own switch, "enabled", is tried
	// without them.
	needed map[string]string
	// changes are for keys where flipping, counting or renaming would not be valid.
	changes map[string]change
	// freeForm are objects that Kubernetes checks, not the chart's schema.
	freeForm []string
}

var trials = map[string]trial{
	"openbao": {
		base:     cloudNative,
		needed:   openbaoNeeded,
		changes:  openbaoChanges,
		freeForm: []string{"podSecurityContext", "securityContext", "bootstrap.resources"},
	},
	"postgresql": {
		needed: map[string]string{
			"service.nodePort": `service: {type: NodePort}`,
			"persistence.":     `persistence: {enabled: true}`,
			"pgbouncer.":       `pgbouncer: {enabled: true}`,
		},
		changes: map[string]change{
			"image.pullPolicy":    {to: "Always"},
			"imagePullSecrets":    {to: "[{name: p}]"},
			"service.type":        {to: "LoadBalancer"},
			"persistence.size":    {to: "2Gi"},
			"pgbouncer.poolMode":  {to: "transaction"},
			"resources":           {to: "{requests: {cpu: 1}}"},
			"pgbouncer.resources": {to: "{requests: {cpu: 1}}"},
		},
	},
	"gitlab-stub": {
		needed: map[string]string{
			"service.nodePort": `service: {type: NodePort}`,
			"auditToken.key":   `auditToken: {secret: s}`,
		},
		changes: map[string]change{
			"image.pullPolicy": {to: "Always"},
			"imagePullSecrets": {to: "[{name: p}]"},
			"service.type":     {to: "LoadBalancer"},
			"issuer":           {to: "http://other"},
			"jwks":             {to: `'{"keys":[{"kty":"RSA"}]}'`},
			"faults":           {to: "{audit: {status: 500}}"},
			"resources":        {to: "{requests: {cpu: 1}}"},
		},
	},
}

// Values that several keys need.
const (
	tlsOn       = `tlsSecretName: t, config: {tlsDisable: false}`
	httpAuditOn = `openbaoVersion: 2.5.0, config: {audit: {http: {enabled: true, streamingUri: "http://w/a"}}}`
)

var openbaoNeeded = map[string]string{
	"serviceActive.nodePort":                   `serviceActive: {type: NodePort}`,
	"serviceInactive.nodePort":                 `serviceInactive: {type: NodePort}`,
	"strategy.rollingUpdate":                   `{replicaCount: 3, strategy: {type: RollingUpdate}}`,
	"minReadySeconds":                          `strategy: {type: RollingUpdate}`,
	"autoscaling.":                             `autoscaling: {enabled: true}`,
	"ingress.":                                 `ingress: {enabled: true}`,
	"ingress.sslPassthroughNginx":              "{" + tlsOn + "}",
	"global.ingress.":                          `{ingress: {enabled: true}, ` + tlsOn + "}",
	"gatewayRoute.":                            `gatewayRoute: {enabled: true}`,
	"networkPolicy.":                           `networkPolicy: {enabled: true, egress: {enabled: true}}`,
	"tlsSecretName":                            "{" + tlsOn + "}",
	"resources":                                `{sizing: {tier: 0}, resources: {}}`,
	"sizing.tier":                              `resources: null`,
	"sizing.cpuLimit":                          `resources: null`,
	"config.tlsServerName":                     "{" + tlsOn + "}",
	"serviceAccount.create":                    `serviceAccount: {name: a}`,
	"replicaCount":                             ``,
	"config.metricsListener.":                  `{openbaoVersion: 2.5.0, tlsSecretName: t}`,
	"config.maxRequestJsonMemory":              `openbaoVersion: 2.4.1`,
	"config.tlsDisable":                        `tlsSecretName: t`,
	"config.unseal.static.currentKeySecretKey": `config: {unseal: {static: {currentKeySecret: s}}}`,
	"config.unseal.static.previous":            `config: {unseal: {static: {previousKeyId: old, previousKeySecret: s}}}`,
	"config.audit.http.":                       "{" + httpAuditOn + "}",
	"config.audit.http.enabled":                `{openbaoVersion: 2.5.0, config: {audit: {http: {streamingUri: "http://w/a"}}}}`,
	"httpAuditSecret":                          "{" + httpAuditOn + ", extraVolumeMounts: [{name: v, mountPath: /v}]}",
	"staticUnsealSecret":                       `extraVolumeMounts: [{name: v, mountPath: /v}]`,
	"config.storage.postgresql.connection.sslRootCert.key": `config: {storage: {postgresql: {connection: {sslRootCert: {secret: ca}}}}}`,
	"podMonitor.":       `podMonitor: {enabled: true}`,
	"prometheusRule.":   `prometheusRule: {enabled: true}`,
	"grafanaDashboard.": `grafanaDashboard: {enabled: true}`,
}

var openbaoChanges = map[string]change{
	"image.pullPolicy": {to: "Always"},
	"imagePullSecrets": {to: "[{name: p}]"},
	"openbaoVersion":   {to: "2.5.0"},
	"config.storage.postgresql.transactionMaxParallel": {to: "3"},
	"strategy.type":                                              {to: "RollingUpdate"},
	"serviceActive.type":                                         {to: "LoadBalancer"},
	"serviceInactive.type":                                       {to: "LoadBalancer"},
	"global.ingress.provider":                                    {to: "traefik"},
	"ingress.configureCertmanager":                               {to: "false"},
	"networkPolicy.egress.enabled":                               {to: "false"},
	"networkPolicy.egress.extra":                                 {to: "[{ports: [{port: 1}]}]"},
	"sizing.tier":                                                {to: "150"},
	"sizing.expectedNamespaces":                                  {to: "20000"},
	"image.digest":                                               {to: "sha256:" + strings.Repeat("a", 64)},
	"config.podIPFamily":                                         {to: "IPv6"},
	"podAntiAffinityPreset":                                      {to: "hard"},
	"topologySpreadPreset":                                       {to: "hard"},
	"extraContainers":                                            {to: "[{name: c, image: i}]"},
	"extraInitContainers":                                        {to: "[{name: c, image: i}]"},
	"initializeTpl":                                              {to: "'- own: {request: []}'"},
	"auditTpl":                                                   {to: "'- file: {own: {options: {file_path: stdout}}}'"},
	"config.logLevel":                                            {to: "debug"},
	"config.logFormat":                                           {to: "standard"},
	"config.logRequestsLevel":                                    {to: "info"},
	"config.metricsListener.metricsOnly":                         {to: "false"},
	"config.metricsListener.tlsDisable":                          {to: "false"},
	"config.telemetry.prometheusRetentionTime":                   {to: "1h"},
	"config.telemetry.prefixFilter":                              {to: "[-a]"},
	"config.initialize.boundAudiences":                           {to: "[http://other]"},
	"config.storage.postgresql.connection.sslMode":               {to: "require"},
	"config.storage.postgresql.connection.parameters":            {to: "{application_name: a}"},
	"config.storage.postgresql.connection.keepalives":            {"0", "always sends TCP keepalives"},
	"config.storage.postgresql.connection.keepalivesIdle":        {"60", "parameters.tcp_keepalives_idle"},
	"config.storage.postgresql.connection.keepalivesInterval":    {"60", "parameters.tcp_keepalives_interval"},
	"config.storage.postgresql.connection.keepalivesCount":       {"3", "parameters.tcp_keepalives_count"},
	"config.storage.postgresql.connection.tcpUserTimeout":        {"1000", "parameters.tcp_user_timeout"},
	"prometheusRule.disabled":                                    {to: "[OpenBaoSealed]"},
	"prometheusRule.thresholds.throttled":                        {to: "0.5"},
	"prometheusRule.thresholds.memory":                           {to: "0.5"},
	"podSecurityContext.seccompProfile.type":                     {to: "Unconfined"},
	"config.unseal.static.previousKey":                           {to: "/k/previous"},
	"lifecycle":                                                  {to: "{preStop: {sleep: {seconds: 1}}}"},
	"gatewayRoute.timeouts":                                      {to: "{request: 5s}"},
	"resources":                                                  {to: "{requests: {cpu: 1}}"},
	"topologySpreadConstraints":                                  {to: "[{maxSkew: 2}]"},
	"prometheusRule.extraRules":                                  {to: "[{alert: A}]"},
	"config.initialize.policy":                                   {to: "scoped"},
	"config.initialize.extra":                                    {to: "[{more: {request: []}}]"},
	"config.unseal.static.enabled":                               {to: "false"},
	"securityContext.capabilities.drop":                          {to: "[NET_RAW]"},
	"config.serviceRegistration.enabled":                         {to: "false"},
	"config.storage.postgresql.connection.sslRootCert.configMap": {to: "ca"},
	"config.storage.postgresql.connection.sslClientCert.secret":  {to: "c"},
	"config.audit.http.secret":                                   {to: "s"},
	"config.extra":                                               {to: "{plugin_directory: /p}"},
	"podMonitor.endpointConfig":                                  {to: "{interval: 5s}"},
	"config.clusterAddr":                                         {to: "https://a:1"},
	"config.apiAddr":                                             {to: "http://a:1"},
	"config.initialize.oidcDiscoveryUrl":                         {to: "http://other"},
	"config.audit.http.streamingUri":                             {to: "http://other"},
	"staticUnsealSecret.generate":                                {to: "false"},
}
