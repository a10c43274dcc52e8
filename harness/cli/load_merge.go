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
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/load/merged"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/session"
)

const mergeLong = `Merges the interval logs of k6 processes that shared one schedule, second by second and bucket by bucket: every
quantile of the merge is that of all fetches together. Logs are what --out hdr=FILE wrote, or what kubectl logs printed of a
pod that wrote it to standard output; a directory stands for the .ndjson and .log files in it.

--profile, --tier and --rate say what load was requested, as in steamer load manifests. --run-dir takes the environment's
chart, versions and observations from a run; without it, --topology and --openbao-version choose the objectives.

FAIL: a wrong value, or an objective missed. INCONCLUSIVE: a part of the schedule is missing or was done twice, a process was
killed or began more than --tolerance after the first, or any other validity condition of docs/verdict.md is missed. One
of them is that OpenBao was not observed, unless --unobserved accepts it. A log that is truncated, missing or of another
format is refused with exit code 3, and nothing is written.

Writes a run directory below --output-dir, like a run: result.json, every report, and the merged log.`

type mergeFlags struct {
	loadFlags
	of, topology, openbao, chart, target, output string
	tolerance                                    time.Duration
	unobserved                                   bool
}

func newLoadMerge(state *State) *cobra.Command {
	f := &mergeFlags{output: "runs", tolerance: load.DefaultTolerance}
	command := &cobra.Command{
		Use: "merge LOG|DIRECTORY...", Short: "Make one judged result of the logs of several load generators",
		Args: cobra.MinimumNArgs(1), Long: mergeLong,
		Example: `  steamer load merge logs/ --profile steady --tier 150 --openbao-version 2.4.0 --unobserved
  steamer load merge runner-1.log runner-2.log runner-3.log --rate 900 --run-dir runs/20261125-151000-abcd --topology cloud-native
  kubectl logs --follow steamer-load-1-x7k2p > logs/1.log      # one file for each runner, from the beginning
  steamer report runs/20261125-160000-ef01                     # the reports again`,
		RunE: func(c *cobra.Command, args []string) error { return f.run(c.Context(), state, args) },
	}
	f.add(command)
	addFlags(command, "Environment under test", func(set *pflag.FlagSet) {
		set.StringVar(&f.of, "run-dir", "", "run directory or result.json of the environment under test")
		set.StringVar(&f.topology, "topology", "",
			"topology of the run of --run-dir (default: its only one); without --run-dir: of the objectives (default: cloud-native)")
		set.StringVar(&f.openbao, "openbao-version", "",
			"without --run-dir: version of OpenBao, which chooses the objectives")
		set.StringVar(&f.chart, "chart-version", "", "without --run-dir: version of the chart")
		set.StringVar(&f.target, "target", "", "where the load went, for the record")
	})
	addFlags(command, "Objectives", func(set *pflag.FlagSet) {
		set.DurationVar(&f.tolerance, "tolerance", f.tolerance,
			"how much later than the first process another may begin, 0s to 1m")
		set.BoolVar(&f.unobserved, "unobserved", false, "judge although nothing observed OpenBao: restarts and its CPU "+
			"stay unknown. steamer gate does not accept that")
		f.plan.SLO = ""
		bindSLO(set, &f.plan)
		bindLatency(set, &f.plan)
	})
	addOutput(command, &f.output, "directory that the run directory is made in")
	oldNames(command, map[string]string{"of": "run-dir", "openbao": "openbao-version", "output": "output-dir"})
	return command
}

func (f *mergeFlags) run(ctx context.Context, state *State, args []string) error {
	spec, err := f.spec(state, args)
	if err != nil {
		return err
	}
	dir := filepath.Join(f.output, spec.Frame.Run.ID)
	state.Note(fmt.Sprintf("merging %d logs", len(spec.Logs)))
	r, err := merged.Merge(spec, func(r *result.Result) (io.WriteCloser, error) {
		if err := session.MakeDirectory(dir); err != nil {
			return nil, err
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
	if err := report.Summary(state.Stdout, r, state.Colour); err != nil {
		return err
	}
	for _, p := range r.Topologies[0].Load.Parts {
		fmt.Fprintf(state.Stdout, "%s: share %s, %d fetches, began %.0f s after the first%s\n", p.Name, p.Segment, p.Fetches,
			p.LateSeconds, because(p.Problem))
	}
	fmt.Fprintf(state.Stdout, "\nRun directory: %s\n", dir)
	return conclude(ctx, r.Verdict, nil)
}

func because(problem string) string {
	if problem == "" {
		return ""
	}
	return "; " + problem
}

// spec reads and checks everything but the logs themselves.
func (f *mergeFlags) spec(state *State, args []string) (merged.Spec, error) {
	_, profile, rate, err := f.read(state)
	if err != nil {
		return merged.Spec{}, err
	}
	for flag, d := range map[string]struct{ value, most time.Duration }{
		"tolerance":           {f.tolerance, time.Minute},
		"environment-latency": {time.Duration(f.plan.EnvironmentLatency), time.Second},
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
	_, slo, err := state.SLO(f.plan.SLO)
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
	id, err := run.NewID(time.Now().UTC())
	spec.Frame = result.Result{
		APIVersion: result.APIVersion, Kind: result.Kind, Steps: []result.Step{},
		Run: result.Run{
			ID: id, Profile: profile.Name, Tier: f.plan.Tier, Steamer: session.Version(), Reproduce: state.CommandLine(),
			Host:               run.ThisHost(),
			EnvironmentLatency: time.Duration(f.plan.EnvironmentLatency).Seconds() * 1000,
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
		return result.Topology{}, exit.Invalidf("--run-dir "+f.of, "leave --openbao-version and --chart-version out",
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
