package scenario

import "context"

// Release is what a scenario installs.
type Release struct {
	Chart  string         // directory or archive; "" is the chart under test
	Values map[string]any // over the environment's own values, nested like a values file
}

// Installer changes the installation under test. Its calls return when Helm is done, hooks
// included, and not when the pods are ready. The environment's own values are restored before load
// starts, whatever a scenario leaves installed.
type Installer interface {
	// Upgrade upgrades the release. Values of earlier upgrades are dropped.
	Upgrade(ctx context.Context, r Release) error
	// Install installs the release again, after Uninstall.
	Install(ctx context.Context, r Release) error
	// Rollback restores the previous revision.
	Rollback(ctx context.Context) error
	// Uninstall removes the release with its hooks, and waits until its pods are gone.
	Uninstall(ctx context.Context) error
	// Adopt adds values to the environment's own: later calls and load use them.
	Adopt(values map[string]any)
	// Knows reports whether the chart's dialect knows a change, see Change.
	Knows(change string) bool
	// Change returns the values that make a change in the chart's dialect, with the parameters
	// that the change needs.
	Change(change string, with map[string]any) (map[string]any, error)
	// Render returns what the chart under test would install with these values over the
	// environment's own, by template file.
	Render(values map[string]any) (map[string]string, error)
}

// The changes that scenarios ask a dialect for, and the parameters that each needs.
const (
	ChangeAlerts    = "alerts"            // alert rules for the Prometheus Operator
	ChangeCacheSize = "cache-size"        // entries of OpenBao's physical cache: size
	ChangeBudget    = "disruption-budget" // a PodDisruptionBudget, which the chart also has by default
	// An audit device of type http beside the others: url, and the secret and key of its token.
	ChangeAuditHTTP = "audit-http"
	// The certificate of OpenBao's own listener, from a Secret of type kubernetes.io/tls: secret.
	ChangeListenerTLS = "listener-tls"
	// A NetworkPolicy that lets nobody but pods with a label use the API: name, value.
	ChangeNetworkPolicy = "network-policy"
	ChangePodLabel      = "pod-label" // one more label on the pods: name, value
	// Pods are replaced one by one instead of all at once: stamp, which differs each time.
	ChangeRolling = "rolling"
	// Static unseal keys: id, secret, key, and those of the previous one: previousId (or ""),
	// previousSecret, previousKey.
	ChangeUnsealKey = "unseal-key"
)

// Database is PostgreSQL behind OpenBao as its administrator sees it.
type Database interface {
	// Dump returns a backup of OpenBao's database. It holds ciphertext only.
	Dump(ctx context.Context) ([]byte, error)
	// Restore replaces OpenBao's database by a backup; nil leaves it empty. Clients are
	// disconnected.
	Restore(ctx context.Context, dump []byte) error
	// Query runs one SQL statement and returns its rows as psql prints them, unaligned and without
	// headings.
	Query(ctx context.Context, sql string) (string, error)
	// Restart ends PostgreSQL's processes and connections and returns when it accepts connections
	// to the same data again.
	Restart(ctx context.Context) error
	// Pause stops PostgreSQL's processes with open connections until Resume. Pods of
	// PostgreSQL need FeatureSignals for it.
	Pause(ctx context.Context) error
	// Resume lets PostgreSQL continue. It does nothing where nothing is paused.
	Resume(ctx context.Context) error
}
