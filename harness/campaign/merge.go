package campaign

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/load/merged"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/topology"
)

// Merge says what several load generators drove together, and how it is judged.
type Merge struct {
	Plan       plan.Plan // profile, tier and rate that were requested, objectives, environment latency
	RunDir     string    // run directory or result.json of the environment under test; empty for none
	Topology   string    // of that run, or of the objectives; empty for the only one, or the first
	OpenBao    string    // version, without RunDir
	Chart      string    // version, without RunDir
	Target     string    // where the load went, for the record
	Tolerance  time.Duration
	Unobserved bool   // judge although nothing observed OpenBao
	Output     string // directory that the run directory is made in
}

// Run merges logs, writes a run directory, and prints what came out. Errors are of code
// exit.Invalid where a log or a flag is wrong.
func (m *Merge) Run(sess *session.Session, logs []string) (result.Verdict, error) {
	spec, err := m.spec(sess, logs)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(m.Output, spec.Frame.Run.ID)
	sess.Note(fmt.Sprintf("merging %d logs", len(spec.Logs)))
	r, err := merged.Merge(spec, func(r *result.Result) (io.WriteCloser, error) {
		if err := session.MakeDirectory(dir); err != nil {
			return nil, err
		}
		return os.OpenFile(filepath.Join(dir, "k6-"+r.Topologies[0].Name+".ndjson"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	})
	if err != nil {
		return "", err
	}
	if err := result.WriteFile(filepath.Join(dir, "result.json"), r); err != nil {
		return "", err
	}
	if err := report.WriteAll(dir, r); err != nil {
		return "", err
	}
	if err := report.Summary(sess.Stdout, r, sess.Colour); err != nil {
		return "", err
	}
	for _, p := range r.Topologies[0].Load.Parts {
		fmt.Fprintf(sess.Stdout, "%s: share %s, %d fetches, began %.0f s after the first", p.Name, p.Segment, p.Fetches,
			p.LateSeconds)
		if p.Problem != "" {
			fmt.Fprintf(sess.Stdout, "; %s", p.Problem)
		}
		fmt.Fprintln(sess.Stdout)
	}
	_, err = fmt.Fprintf(sess.Stdout, "\nRun directory: %s\n", dir)
	return r.Verdict, err
}

// spec reads and checks everything but the logs themselves.
func (m *Merge) spec(sess *session.Session, args []string) (merged.Spec, error) {
	root, err := plan.FindRoot(sess.Root)
	if err != nil {
		return merged.Spec{}, err
	}
	profile, rate, err := m.Plan.Workload(root)
	if err := cmp.Or(err, plan.Bound("tolerance", m.Tolerance, 0, time.Minute),
		plan.Bound("environment-latency", time.Duration(m.Plan.EnvironmentLatency), 0, time.Second)); err != nil {
		return merged.Spec{}, err
	}
	logs, err := merged.Find(args)
	if err != nil {
		return merged.Spec{}, err
	}
	_, slo, err := sess.SLO(m.Plan.SLO)
	if err != nil {
		return merged.Spec{}, err
	}
	spec := merged.Spec{
		Logs: logs, Profile: profile, Rate: rate, Tolerance: m.Tolerance, Target: m.Target, SLO: slo,
		Unobserved: m.Unobserved,
	}
	if spec.Environment, err = m.environment(); err != nil {
		return merged.Spec{}, err
	}
	spec.Frame = result.Result{
		APIVersion: result.APIVersion, Kind: result.Kind, Steps: []result.Step{},
		Run: result.Run{
			ID: result.NewID(time.Now().UTC()), Profile: profile.Name, Tier: m.Plan.Tier, Steamer: session.Version(),
			Reproduce: sess.CommandLine(), Host: platform.ThisHost(),
			EnvironmentLatency: time.Duration(m.Plan.EnvironmentLatency).Seconds() * 1000,
		},
		NotMeasured: []string{"functional scenarios: this result was merged from logs of load generators"},
	}
	return spec, err
}

// environment is what the load was driven at.
func (m *Merge) environment() (result.Topology, error) {
	if m.RunDir == "" {
		name := cmp.Or(m.Topology, topology.CloudNative)
		if err := plan.CheckTopologies([]string{name}); err != nil {
			return result.Topology{}, err
		}
		t := result.Topology{
			Name: name, Versions: map[string]string{}, Images: map[string]string{},
			Chart: result.Chart{Version: m.Chart},
		}
		if m.OpenBao != "" {
			t.Versions["openbao"] = strings.TrimPrefix(m.OpenBao, "v")
		}
		return t, nil
	}
	if m.OpenBao != "" || m.Chart != "" {
		return result.Topology{}, exit.Invalidf("--run-dir "+m.RunDir, "leave --openbao-version and --chart-version out",
			"the run says which versions it had")
	}
	path := resultOf(m.RunDir)
	r, err := result.ReadFile(path)
	if err != nil {
		return result.Topology{}, err
	}
	return merged.Environment(path, r, m.Topology)
}
