package result

// Jobs is what the jobs of a load did, as far as it decides whether their latency is that of CI
// jobs.
type Jobs struct {
	// connections were kept open between fetches; GitLab Runner opens one for each
	Reuse bool `json:"reuse"`
	// failed requests were repeated, so that a fetch may count as good though a request failed
	Retries bool   `json:"retries"`
	Choice  string `json:"choice"`            // how each fetch chose its tenant: uniform, zipf, hot or cold
	Signing string `json:"signing"`           // algorithm of the jobs' tokens, e.g. RS256
	Tenants int    `json:"tenants,omitempty"` // that were fetched from; 0: not known, as of logs that others left behind
	Secrets int    `json:"secrets,omitempty"` // of the tenant that has the fewest; 0: not known
	// Profile is "sha256:" and the SHA-256 of the profile as it was driven, flags included, as
	// JSON without its name and description.
	Profile string `json:"profile"`
}
