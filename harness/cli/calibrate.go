package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/calibrate"
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/report/campaign"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/secret"
)

const calibrateLong = `Finds out how far steamer compare can be trusted on this machine: compares a system with itself and
counts the alarms, makes one side worse on purpose and counts what is found, and prints the noise
and the minimum detectable effect of each metric. Both sides are driven through a proxy that adds
the delay of --effect, 0 unless told otherwise. The delays are shares of the median latency, so they
show fully in p50 and less in p95. With --cpu-limit the head's OpenBao gets less CPU, as from a
container's limit, which shows in the tails and in what load is carried.

Every comparison is kept as a file; --from judges a directory of them again, also together with
those of other days, or a campaign.json, which holds them all in their smallest form. --resume goes on
with a campaign that was interrupted, with the flags it began with. --write-quarantine writes the metrics that cannot show the margin, for
steamer compare --quarantine. Exit code 1: the lower bound of the false-alarm rate is above alpha.`

// calibrateFlags are the flags of steamer calibrate besides those of compare.
type calibrateFlags struct {
	compareFlags
	plan            calibrate.Plan
	effects         []float64
	fromDir, resume string
	writeQuarantine string
	quarantineFor   time.Duration
}

func newCalibrate(state *State) *cobra.Command {
	f := &calibrateFlags{compareFlags: compareFlags{design: compare.DefaultDesign()}}
	command := &cobra.Command{
		Use: "calibrate", Short: "How often is steamer compare wrong here, and what can it see?", Long: calibrateLong,
		Args: cobra.NoArgs,
		Example: `  steamer calibrate --local --same 20 --effect 10,20 --each 20 --margin 5
  steamer calibrate --local --same 5 --cpu-limit 0.5 --each 5 --gate fetch_p95_ms --slice 34s
  steamer calibrate --base charts/openbao --same 5
  steamer calibrate --local --same 20 --resume runs/calibrate-20261125-160000-9f3a
  steamer calibrate --from runs/calibrate-20261125-160000-9f3a --write-quarantine quarantine.yaml`,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), c, state) },
	}
	f.designFlags(command)
	flags := command.Flags()
	flags.BoolVar(&f.local, "local", false,
		"calibrate for OpenBao processes on this machine instead of a chart on a cluster")
	flags.StringVar(&f.base, "base", "", "chart to install twice, as CHART or CHART@VALUES[,VALUES]")
	flags.StringVar(&f.baseConfig, "base-config", "", "with --local: JSON Patch of both servers' configuration")
	flags.StringVar(&f.baseBinary, "base-binary", "", "with --local: OpenBao program of both")
	flags.IntVar(&f.plan.Same, "same", 10, "comparisons of the system with itself")
	flags.Float64SliceVar(&f.effects, "effect", nil, "regressions to inject, in % of the median latency, e.g. 5,10,20")
	flags.Float64SliceVar(&f.plan.Limits, "cpu-limit", nil,
		"with --local: cores to limit the head's OpenBao to, e.g. 0.5,0.25")
	flags.IntVar(&f.plan.Each, "each", 10, "comparisons for each effect and each limit")
	flags.StringVar(&f.fromDir, "from", "",
		"directory of comparisons, or campaign.json, to judge again; nothing is driven")
	flags.StringVar(&f.resume, "resume", "", "directory of an interrupted campaign to go on with")
	flags.StringVar(&f.writeQuarantine, "write-quarantine", "", "file for the metrics that cannot show the margin")
	flags.DurationVar(&f.quarantineFor, "quarantine-for", compare.LongestQuarantine,
		"how long they stay there, 720h (30 days) at most")
	f.cluster.add(command)
	return command
}

// measured are the flags that say how a campaign is to be made, and so mean nothing for one that
// is.
func measured() []string {
	return append(measuring(), "margin", "gate", "alpha", "look-every", "same", "effect", "cpu-limit", "each", "resume")
}

func (f *calibrateFlags) run(ctx context.Context, c *cobra.Command, state *State) error {
	if f.quarantineFor <= 0 || f.quarantineFor > compare.LongestQuarantine {
		return exit.Invalidf("--quarantine-for "+f.quarantineFor.String(), "use at most 720h, and calibrate again",
			"a quarantine holds for 30 days at most")
	}
	if f.fromDir != "" {
		if err := refuse(c, "--from judges by the design that was measured; steamer compare --from tries another margin on one comparison", measured()...); err != nil {
			return err
		}
		return f.report(state, f.fromDir)
	}
	for _, e := range f.effects {
		f.plan.Effects = append(f.plan.Effects, e/100)
	}
	if err := errors.Join(f.complete(), f.plan.Check()); err != nil {
		return err
	}
	if f.local {
		return f.onProcesses(ctx, state)
	}
	return f.onCluster(ctx, state)
}

// onProcesses calibrates with two processes of one configuration.
func (f *calibrateFlags) onProcesses(ctx context.Context, state *State) (err error) {
	f.headConfig, f.headBinary = f.baseConfig, f.baseBinary
	builder, err := state.builder()
	if err != nil {
		return err
	}
	pair, err := f.localPair(state)
	if err != nil {
		return err
	}
	pair.a.Proxied, pair.b.Proxied = true, true
	pair.a.Grouped, pair.b.Grouped = len(f.plan.Limits) > 0, len(f.plan.Limits) > 0
	f.design.Where = "local"
	if f.dryRun {
		return printDesign(state.Stdout, f.design)
	}
	frame, dir, logs, err := f.beginOrResume(state)
	if err != nil {
		return err
	}
	builder.Progress = progressLines(state.Stderr)
	if err := pair.programs(ctx, builder); err != nil {
		return err
	}
	pair.logTo(logs)
	defer func() { err = errors.Join(err, pair.close(ctx)) }()
	engine := pair.engine(state, nil)
	fmt.Fprintln(state.Stderr, "▶ starting and provisioning both")
	if err := engine.Prepare(ctx, frame); err != nil {
		return err
	}
	return f.compareAll(ctx, state, engine, pair.b, frame, dir)
}

// onCluster calibrates with one chart installed twice.
func (f *calibrateFlags) onCluster(ctx context.Context, state *State) error {
	if len(f.plan.Limits) > 0 {
		return exit.Invalidf("--cpu-limit", "add --local, or leave it out",
			"only processes of this machine can be limited from one comparison to the next")
	}
	r, sides, err := f.cluster.resolve(ctx, state, f.base, f.base, &f.design)
	if err != nil {
		return err
	}
	if f.dryRun {
		return printDesign(state.Stdout, f.design)
	}
	if r.Elsewhere {
		return state.enter(ctx, r)
	}
	frame, dir, logs, err := f.beginOrResume(state)
	if err != nil {
		return err
	}
	return r.Use(ctx, frame.ID, func(ctx context.Context, site *run.Site) error {
		arms := f.cluster.arms(site, sides, compare.Generator{
			K6: site.K6, Scripts: filepath.Join(r.Root, "perf/scripts"),
			Dir: logs,
		}, &f.design, r.UI.Note)
		for i, name := range []string{"A", "B"} {
			arms[i].Proxied = true
			site.UndoLater("arm "+name, arms[i].Close)
		}
		engine := &compare.Engine{A: arms[0], B: arms[1], Validity: judge.DefaultValidity(), Log: r.UI.Note}
		if err := site.Step(ctx, "install and provision both", func(ctx context.Context) error {
			return engine.Prepare(ctx,
				frame)
		}); err != nil {
			return err
		}
		return f.compareAll(ctx, state, engine, arms[1], frame, dir)
	})
}

// compareAll makes the comparisons, keeps each, and reports. frame is what all of them begin with.
func (f *calibrateFlags) compareAll(ctx context.Context, state *State, engine *compare.Engine, b calibrate.Delayer,
	frame *compare.Comparison, dir string,
) (err error) {
	if why := frame.A.Unfit + frame.B.Unfit; why != "" {
		return exit.Environmentf("the system to calibrate with", "see what steamer compare says about it",
			"it does not come up: %s", why)
	}
	logs := filepath.Join(dir, "slices")
	runner := calibrate.Runner{
		Engine: engine, B: b, Log: func(line string) { fmt.Fprintln(state.Stderr, "▶", line) },
		Begin: func(number int) (*compare.Comparison, error) {
			doc := compare.New(fmt.Sprintf("%s-%03d", frame.ID, number), frame.Design)
			doc.Reproduce, doc.Steamer, doc.Host = frame.Reproduce, frame.Steamer, frame.Host
			return doc, nil
		},
		Finish: func(doc *compare.Comparison) error {
			return compare.WriteFile(filepath.Join(dir, doc.ID+".json"), doc)
		},
	}
	if f.resume != "" {
		if runner.Done, err = f.done(frame.ID); err != nil {
			return err
		}
		runner.Log(fmt.Sprintf("%d comparisons are done", len(runner.Done)))
	}
	err = runner.Run(ctx, f.plan)
	if !f.keepLogs {
		err = errors.Join(err, os.RemoveAll(logs))
	}
	if err != nil {
		return err
	}
	return f.report(state, dir)
}

// beginOrResume makes the frame and directory of a campaign, or takes those of an interrupted one.
func (f *calibrateFlags) beginOrResume(state *State) (frame *compare.Comparison, dir, logs string, err error) {
	if f.writeQuarantine != "" { // found out now, and not after hours
		if err := writable(f.writeQuarantine); err != nil {
			return nil, "", "", exit.Invalidf("--write-quarantine "+f.writeQuarantine, "name a file that can be written", "%w",
				err)
		}
	}
	if f.resume == "" {
		return f.begin(state, "calibrate")
	}
	id, found := strings.CutPrefix(filepath.Base(f.resume), "calibrate-")
	if !found {
		return nil, "", "", exit.Invalidf("--resume "+f.resume, "name the directory that the campaign made, calibrate-…",
			"it is none")
	}
	if _, err := f.done(id); err != nil { // found out now, and not with both up
		return nil, "", "", err
	}
	logs = filepath.Join(f.resume, "slices")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return nil, "", "", exit.Invalidf("--resume "+f.resume, "name a directory that can be written", "%w", err)
	}
	return f.frame(state, id), f.resume, logs, nil
}

// writable reports whether a file can be written, and leaves none behind that was not there.
func writable(path string) error {
	_, statErr := os.Stat(path)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	err = file.Close()
	if errors.Is(statErr, fs.ErrNotExist) {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// done are the comparisons that an interrupted campaign has finished, by number.
func (f *calibrateFlags) done(id string) (map[int]*compare.Comparison, error) {
	list, err := calibrate.Read(f.resume)
	if err != nil {
		return nil, err
	}
	return f.plan.Resume(list, f.design, func(one string) (int, bool) {
		digits, ours := strings.CutPrefix(one, id+"-")
		n, err := strconv.Atoi(digits)
		return n, ours && err == nil
	})
}

// report judges what is in the directory.
func (f *calibrateFlags) report(state *State, dir string) error {
	list, err := calibrate.Read(dir)
	if err != nil {
		return err
	}
	outcome := calibrate.Judge(list)
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		if err := campaign.WriteCalibration(dir, outcome, list); err != nil {
			return err
		}
	}
	if f.writeQuarantine != "" {
		data, err := outcome.Quarantine(time.Now(), f.quarantineFor)
		if err != nil {
			return err
		}
		if err := secret.WriteFile(f.writeQuarantine, data, secret.Public); err != nil {
			return exit.Environmentf("--write-quarantine "+f.writeQuarantine, "", "%w", err)
		}
	}
	if err := campaign.Calibration(state.Stdout, outcome); err != nil {
		return err
	}
	fmt.Fprintf(state.Stdout, "\nFrom: %s\n", dir)
	switch {
	case outcome.Same.Of == 0:
		return concludeVerdict(result.Inconclusive)
	case outcome.Same.Lower > outcome.Design.Alpha:
		return concludeVerdict(result.Fail)
	}
	return nil
}
