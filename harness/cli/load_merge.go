package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/merged"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
)

const mergeLong = `Merges the interval logs of k6 processes that shared one schedule, second by second and bucket by bucket: every
quantile of the merge is that of all fetches together. Logs are what --out hdr=FILE wrote, or what kubectl logs printed of a
pod that wrote it to standard output; a directory stands for the .ndjson and .log files in it.

Say with --profile, --tier and --rate what was asked for, as it was said to steamer load manifests. --of takes the
environment's chart, versions and observations from a run; without it, --topology and --openbao choose the objectives.

FAIL: a wrong value, or an objective missed. INCONCLUSIVE: a part of the schedule is missing or was done twice, a process was
killed or began more than --tolerance after the first, or any other validity condition of docs/verdict.md is missed. That
nobody watched OpenBao is one of them, unless --unobserved accepts it. What is truncated, no such log, or another format
is refused with exit code 3, and nothing is written.

Writes a run directory below --output, like a run: result.json, every report, and the merged log.`

type mergeFlags struct {
	loadFlags
	of, topology, openbao, chart, target, slo, output string
	tolerance, latency                                time.Duration
	unobserved                                        bool
}

func newLoadMerge(state *State) *cobra.Command {
	f := &mergeFlags{}
	command := &cobra.Command{
		Use: "merge LOG|DIR...", Short: "Merge the logs of several load generators into one result and judge it",
		Args: cobra.MinimumNArgs(1), Long: mergeLong,
		Example: `  steamer load merge logs/ --profile steady --tier 150 --openbao 2.4.0 --unobserved
  steamer load merge runner-1.log runner-2.log runner-3.log --rate 900 --of runs/20261125-151000-abcd --topology cloud-native
  kubectl logs --follow steamer-load-1-x7k2p > logs/1.log      # one file for each runner, from the beginning
  steamer report runs/20261125-160000-ef01                     # the reports again`,
	}
	f.bind(command)
	flags := command.Flags()
	flags.StringVar(&f.of, "of", "", "run directory or result.json of the environment that the load was driven at")
	flags.StringVar(&f.topology, "topology", "",
		"topology of that run (default: its only one); without --of: of the objectives (default: cloud-native)")
	flags.StringVar(&f.openbao, "openbao", "", "without --of: version of OpenBao, which chooses the objectives")
	flags.StringVar(&f.chart, "chart-version", "", "without --of: version of the chart")
	flags.StringVar(&f.target, "target", "", "where the load went, for the record")
	flags.DurationVar(&f.tolerance, "tolerance", load.DefaultTolerance,
		"how much later than the first a process may begin, 0s to 1m")
	flags.BoolVar(&f.unobserved, "unobserved", false,
		"judge although nobody watched OpenBao: restarts and its CPU stay unknown. steamer gate does not accept that")
	flags.StringVar(&f.slo, "slo", "", "file of objectives (default: perf/slo.yaml)")
	flags.DurationVar(&f.latency, "environment-latency", 0,
		"added to every latency limit: what the way between client and OpenBao costs, 0 to 1s")
	flags.StringVar(&f.output, "output", "runs", "directory that the run directory is made in")
	command.RunE = func(c *cobra.Command, args []string) error { return f.run(c.Context(), state, args) }
	return command
}

func (f *mergeFlags) run(ctx context.Context, state *State, args []string) error {
	spec, err := f.spec(state, args)
	if err != nil {
		return err
	}
	dir := filepath.Join(f.output, spec.Frame.Run.ID)
	fmt.Fprintf(state.Stderr, "merging %d logs\n", len(spec.Logs))
	r, err := merged.Merge(spec, func(r *result.Result) (io.WriteCloser, error) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, exit.Invalidf("--output "+f.output, "name a directory that can be written", "%w", err)
		}
		return os.OpenFile(filepath.Join(dir, "k6-"+r.Topologies[0].Name+".ndjson"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	})
	if err != nil {
		return err
	}
	if err := result.WriteFile(filepath.Join(dir, "result.json"), r); err != nil {
		return err
	}
	if err := report.WriteAll(dir, r); err != nil {
		return err
	}
	if err := report.Summary(state.Stdout, r, colourful(state.Stdout)); err != nil {
		return err
	}
	for _, p := range r.Topologies[0].Load.Parts {
		fmt.Fprintf(state.Stdout, "%s: share %s, %d fetches, began %.0f s after the first%s\n", p.Name, p.Segment, p.Fetches,
			p.LateSeconds, because(p.Problem))
	}
	fmt.Fprintf(state.Stdout, "\nRun directory: %s\n", dir)
	return judged(ctx, r.Verdict, nil)
}

func because(problem string) string {
	if problem == "" {
		return ""
	}
	return "; " + problem
}

// spec reads and checks everything but the logs themselves.
func (f *mergeFlags) spec(state *State, args []string) (merged.Spec, error) {
	root, profile, rate, err := f.read(state)
	if err != nil {
		return merged.Spec{}, err
	}
	for flag, d := range map[string]struct{ value, most time.Duration }{
		"tolerance":           {f.tolerance, time.Minute},
		"environment-latency": {f.latency, time.Second},
	} {
		if d.value < 0 || d.value > d.most {
			return merged.Spec{}, exit.Invalidf(fmt.Sprintf("--%s %s", flag, d.value), "use 0s to "+d.most.String(),
				"it is out of range")
		}
	}
	logs, err := merged.Find(args)
	if err != nil {
		return merged.Spec{}, err
	}
	path := f.slo
	if path == "" {
		path = filepath.Join(root, "perf/slo.yaml")
	}
	slo, err := judge.ReadSLO(path)
	if err != nil {
		return merged.Spec{}, err
	}
	spec := merged.Spec{
		Logs: logs, Profile: profile, Rate: rate, Tolerance: f.tolerance, Target: f.target, SLO: slo,
		Unobserved: f.unobserved,
	}
	if spec.Environment, err = f.environment(); err != nil {
		return merged.Spec{}, err
	}
	spec.Frame = result.Result{
		APIVersion: result.APIVersion, Kind: result.Kind, Steps: []result.Step{},
		Run: result.Run{
			ID: result.NewID(time.Now().UTC()), Profile: profile.Name, Tier: f.tier, Steamer: buildVersion(), Reproduce: state.commandLine(),
			Host:               platform.ThisHost(),
			EnvironmentLatency: f.latency.Seconds() * 1000,
		},
		NotMeasured: []string{"functional scenarios: this result was merged from logs of load generators"},
	}
	return spec, err
}

// environment is what the load was driven at.
func (f *mergeFlags) environment() (result.Topology, error) {
	if f.of == "" {
		name := f.topology
		if name == "" {
			name = judge.Topologies()[0]
		}
		if !slices.Contains(judge.Topologies(), name) {
			return result.Topology{}, exit.Invalidf("--topology "+name, "choose from "+strings.Join(judge.Topologies(), ", "),
				"there is no such topology")
		}
		t := result.Topology{
			Name: name, Versions: map[string]string{}, Images: map[string]string{},
			Chart: result.Chart{Version: f.chart},
		}
		if f.openbao != "" {
			t.Versions["openbao"] = strings.TrimPrefix(f.openbao, "v")
		}
		return t, nil
	}
	if f.openbao != "" || f.chart != "" {
		return result.Topology{}, exit.Invalidf("--of "+f.of, "leave --openbao and --chart-version out",
			"the run says which versions it had")
	}
	path := f.of
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "result.json")
	}
	r, err := result.ReadFile(path)
	if err != nil {
		return result.Topology{}, err
	}
	return merged.Environment(path, r, f.topology)
}
