package topology

import "gitlab.com/steamer/steamer/harness/chart"

// Sample is how a topology would install a chart, with made-up addresses: what there is to check
// before any cluster.
type Sample struct {
	Values  map[string]any
	Secrets []string // that the topology supplies in the release's namespace
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
	supplied := []string{passwordSecret}
	if name == CloudNativeHybrid {
		in.Database.SSLMode, in.Database.CASecret = "verify-full", caSecret
		supplied = append(supplied, caSecret)
	}
	for _, extra := range d.Secrets {
		supplied = append(supplied, extra.Name)
	}
	values, err := d.Render(in)
	return Sample{values, supplied}, err
}
