package load

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"gitlab.com/steamer/steamer/harness/result"
)

// Digest is "sha256:" and the SHA-256 of what the profile does: its JSON without name and
// description, which change nothing.
func (p Profile) Digest() string {
	p.Name, p.Description = "", ""
	data, err := json.Marshal(p)
	if err != nil {
		return "" // numbers that JSON does not have; a validated profile has none
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// jobs is what the job's jobs do. Tenants and secrets are counted in the fixture, from which the
// generator draws.
func (j Job) jobs() *result.Jobs {
	out := &result.Jobs{
		Reuse: j.Profile.Connections.Reuse, Retries: j.Profile.Retries, Choice: Uniform,
		Signing: string(j.Profile.Algorithm()), Profile: j.Profile.Digest(),
	}
	if t := j.Profile.Tenants; t != nil {
		out.Choice = t.Choice
	}
	var fixture struct {
		Tenants []struct {
			Secrets []struct{} `json:"secrets"`
		} `json:"tenants"`
	}
	if json.Unmarshal(j.Fixture, &fixture) != nil || len(fixture.Tenants) == 0 {
		return out // nothing is known of it
	}
	out.Tenants, out.Secrets = len(fixture.Tenants), len(fixture.Tenants[0].Secrets)
	for _, t := range fixture.Tenants {
		out.Secrets = min(out.Secrets, len(t.Secrets))
	}
	return out
}
