package topology

import (
	"maps"
	"slices"

	"gitlab.com/steamer/steamer/harness/chart"
)

// Sample is how a topology would install a chart, with made-up addresses: what there is to check
// before any cluster.
type Sample struct {
	Values  map[string]any
	Secrets []string // that the topology supplies in the release's namespace
	// Existing are these Secrets as a chart's lookup finds them, in whatever namespace; what they
	// hold is made up.
	Existing []map[string]any
}

// supplied are the keys of the Secrets that a topology makes in the release's namespace, by the
// Secrets' names.
func supplied(topology string, d *Dialect, tls bool) map[string][]string {
	keys := map[string][]string{}
	if !d.Raft {
		keys[passwordSecret] = []string{"password"}
	}
	if topology == CloudNativeHybrid {
		keys[caSecret] = []string{"ca.crt"}
	}
	if tls {
		keys[listenerSecret] = []string{"ca.crt", "tls.crt", "tls.key"}
	}
	for _, extra := range d.Secrets {
		keys[extra.Name] = append(keys[extra.Name], extra.Key)
	}
	return keys
}

// existing are Secrets as a chart's lookup finds them.
func existing(secrets map[string][]string) []map[string]any {
	var all []map[string]any
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		data := map[string]any{}
		for _, key := range secrets[name] {
			data[key] = "bWFkZSB1cA==" // made up
		}
		all = append(all, map[string]any{
			"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name}, "data": data,
		})
	}
	return all
}

// Sample returns the dialect's values for a chart in a topology, as far as they do not depend on a
// cluster.
func (d *Dialect) Sample(c *chart.Chart, name string) (Sample, error) {
	return d.SampleWith(c, name, "registry.example/openbao:2.4.0")
}

// SampleWith is Sample with an image of OpenBao.
func (d *Dialect) SampleWith(c *chart.Chart, name, image string) (Sample, error) {
	repository, tag := splitRef(image)
	in := Inputs{
		Chart: factsOf(c),
		Image: ImageRef{repository, tag}, ServiceType: "ClusterIP", Issuer: "http://gitlab.example",
		Audience: "http://openbao.example",
		Database: Database{
			Host: "postgresql.example", Port: 5432, Name: "openbao", User: "openbao", SSLMode: "disable",
			PasswordSecret: passwordSecret,
		},
		Resources: Resources{CPURequest: "500m", CPULimit: "1", MemoryRequest: "1Gi", MemoryLimit: "1Gi"},
	}
	if name == CloudNativeHybrid {
		in.Database.SSLMode, in.Database.CASecret = "verify-full", caSecret
	}
	secrets := supplied(name, d, false)
	values, err := d.Render(in)
	return Sample{values, slices.Sorted(maps.Keys(secrets)), existing(secrets)}, err
}
