package pages

import (
	"fmt"
	"slices"

	"gitlab.com/steamer/steamer/harness/report/internal/render"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/sizing"
)

// Sizing is the report in Markdown, in the shape of GitLab's sizing tables.
func Sizing(r *sizing.Report) string { return sizingDocument(secret.Scrub(r)).Markdown() }

func sizingDocument(r *sizing.Report) *render.Document {
	d := &render.Document{}
	d.Title(1, "Sizing of %s: %s", r.Target, r.Verdict)
	reasons(d, r.Record)
	claims := render.Table{Head: []string{"claim", "published", "measured", "at", "verdict", "source"}}
	for _, c := range r.Claims {
		verdict := string(c.Verdict)
		if c.Reason != "" {
			verdict += ": " + c.Reason
		}
		claims.Add(c.Title, c.Published, c.Measured, c.At, verdict, c.Source)
	}
	d.Title(2, "Against what is published")
	d.Table(claims)
	steps := render.Table{Head: []string{
		"tenants", "namespaces", "secrets", "memory", "memory while provisioning", "start", "failover in order",
		"failover after a crash", "database", "tenants/s provisioned", "fetch mean / p95 / p99",
	}}
	for _, s := range slices.Concat(r.Steps, r.Beyond) {
		steps.Add(sizingRow(s)...)
	}
	d.Title(2, "By number of tenants")
	d.Say("In brackets: what the published formulas give for that number of namespaces.")
	d.Table(steps)
	for _, s := range slices.Backward(r.Steps) {
		if s.SeedLimit != "" {
			d.Say("Provisioning took %.1f API calls a tenant. What limited it at %d tenants: %s.", s.SeedCalls, s.Tenants,
				s.SeedLimit)
			break
		}
	}
	ending(d, r.NotMeasured, r.Reproduce)
	return d
}

// WriteSizing writes sizing.json and sizing.md into dir, which must exist.
func WriteSizing(dir string, r *sizing.Report) error {
	r = secret.Scrub(r)
	return writeMeasurement(dir, "sizing", r, sizingDocument(r))
}

func sizingRow(s sizing.Step) []string {
	measured := func(format string, v float64, published string) string {
		if v <= 0 {
			return "–"
		}
		return fmt.Sprintf(format, v) + published
	}
	seconds := func(v, published float64) string { return fmt.Sprintf("%.1f s (%.1f s)", v, published) }
	start := sizing.DocumentedStartup(s.Namespaces)
	tenants, rate, fetch := fmt.Sprint(s.Tenants), fmt.Sprintf("%.1f", s.SeedRate),
		fmt.Sprintf("%.1f / %.1f / %.1f ms at %.0f/s",
			s.Fetch.Mean, s.Fetch.P95, s.Fetch.P99, s.Fetch.Achieved)
	if s.Extrapolated {
		tenants, rate, fetch = tenants+" (extrapolated)", "–", "–"
	}
	return []string{
		tenants, fmt.Sprint(s.Namespaces), fmt.Sprint(s.Secrets),
		measured("%.0f MiB", s.MemoryMiB, fmt.Sprintf(" (%.0f MiB)", sizing.DocumentedMiB(s.Namespaces))),
		measured("%.0f MiB", s.SeedMemory, ""), seconds(s.Startup, start), seconds(s.Graceful, start),
		seconds(s.Crash, sizing.DocumentedCrash(s.Namespaces)), measured("%.1f MiB", s.DatabaseMiB, ""), rate, fetch,
	}
}
