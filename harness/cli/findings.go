package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/findings"
	"gitlab.com/steamer/steamer/harness/report/campaign"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/source"
)

const findingsLong = `Runs the experiments of ` + findings.Dir +
	`: the same load on servers that differ in one setting, OpenBao and
PostgreSQL as processes of this machine, in turns on separate databases, and the ratio of each to a base with
its interval. The page says what a chart's maintainer should change and by how much.

Some experiments name effects that are known and have to be found again. Exit code 1 when one is not; 2 when an
experiment did not reach its end. An interrupted run still writes what it measured, marked partial.`

type findingsFlags struct {
	pattern, markdown, output string
	from                      []string
	list                      bool
	rounds                    int
}

func newFindings(state *State) *cobra.Command {
	f := &findingsFlags{}
	command := &cobra.Command{
		Use: "findings", Short: "Run the experiments, and say what to change and by how much", Long: findingsLong,
		Args: cobra.NoArgs,
		Example: `  steamer findings --markdown docs/findings.md
  steamer findings --run '^pool' --rounds 12
  steamer findings --from runs/findings-20261125-151857,runs/findings-20261125-152502 --markdown docs/findings.md
  steamer findings --list`,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context(), state) },
	}
	flags := command.Flags()
	flags.StringVar(&f.pattern, "run", "", "only experiments whose ID matches this regular expression (RE2, unanchored)")
	flags.IntVar(&f.rounds, "rounds", 0, "rounds of each experiment instead of its own, 6 to 50")
	flags.StringVar(&f.markdown, "markdown", "", "file for the page")
	flags.StringVar(&f.output, "output", "runs", "directory that the run's directory is made in")
	flags.StringSliceVar(&f.from, "from", nil,
		"run nothing: judge the experiments of these run directories again, and write the page of all")
	flags.BoolVar(&f.list, "list", false, "list the experiments, and stop")
	return command
}

func (f *findingsFlags) run(ctx context.Context, state *State) error {
	root, err := source.Find(state.root)
	if err != nil {
		return err
	}
	list, err := findings.Read(root, f.pattern)
	if err != nil {
		return err
	}
	if f.rounds != 0 {
		if err := bound("rounds", f.rounds, 6, 50); err != nil {
			return err
		}
		for i := range list {
			list[i].Rounds = f.rounds
		}
	}
	if f.list {
		return listExperiments(state, list)
	}
	if len(f.from) > 0 {
		report, err := findings.Join(f.from)
		if err != nil {
			return err
		}
		return judged(ctx, report.Verdict, f.write(state, report, ""))
	}
	if f.markdown != "" { // found out now, and not after half an hour
		file, err := os.OpenFile(f.markdown, os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return exit.Invalidf("--markdown "+f.markdown, "name a file that can be written", "%w", err)
		}
		_ = file.Close()
	}
	dir, err := measureDir(f.output, "findings")
	if err != nil {
		return err
	}
	tools, err := state.labTools(ctx, dir)
	if err != nil {
		return err
	}
	report := findings.NewReport(state.commandLine(), hostLine())
	for i, e := range list {
		fmt.Fprintf(state.Stderr, "▶ %d of %d: %s (%s)\n", i+1, len(list), e.ID, e.Title)
		outcome, runErr := findings.Run(ctx, tools, e, func(text string) { fmt.Fprintln(state.Stderr, "    "+text) })
		report.Add(outcome)
		mark := "✓"
		if runErr != nil {
			mark = "✗"
			fmt.Fprintln(state.Stderr, "   ", runErr)
		}
		fmt.Fprintf(state.Stderr, "%s %s (%.0f s)\n", mark, e.ID, outcome.Seconds)
		if errors.Is(runErr, findings.ErrWrong) || ctx.Err() != nil {
			report.Partial = true
			break
		}
		if exit.CodeOf(runErr) == exit.Environment {
			err = errors.Join(err, runErr)
		}
	}
	report.Finish()
	return judged(ctx, report.Verdict, errors.Join(err, f.write(state, report, dir)))
}

// write writes the files, and prints the verdict.
func (f *findingsFlags) write(state *State, report *findings.Report, dir string) error {
	var err error
	if dir != "" {
		err = campaign.WriteFindings(dir, report)
	}
	if f.markdown != "" {
		err = errors.Join(err, secret.WriteFile(f.markdown, []byte(campaign.Findings(report)), secret.Public))
	}
	fmt.Fprintf(state.Stdout, "%s\n", report.Verdict)
	for _, reason := range report.Reasons {
		fmt.Fprintf(state.Stdout, "  %s\n", reason)
	}
	if dir != "" {
		fmt.Fprintf(state.Stdout, "Files: %s\n", dir)
	}
	return err
}

func listExperiments(state *State, list []findings.Experiment) error {
	table := tabwriter.NewWriter(state.Stdout, 0, 0, 2, ' ', 0)
	for _, e := range list {
		fmt.Fprintf(table, "%s\t%d arms\tabout %s\t%s\n", e.ID, len(e.Arms), e.Expected().Round(10*time.Second), e.Title)
	}
	return table.Flush()
}

// hostLine describes this machine in a few words.
func hostLine() string {
	text := fmt.Sprintf("%d CPUs", runtime.NumCPU())
	if memory := run.MemoryMiB(); memory > 0 {
		text += fmt.Sprintf(", %d GiB", memory>>10)
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		release, _, _ := strings.Cut(unix.ByteSliceToString(name.Release[:]),
			"-") // what follows names a distribution's or a host's own build
		text += ", " + unix.ByteSliceToString(name.Sysname[:]) + " " + release
	}
	return text
}
