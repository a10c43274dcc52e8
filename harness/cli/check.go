package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/lint/kubeapi"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/secret"
)

func newCharts(state *State) *cobra.Command {
	return group(&cobra.Command{
		Use: "charts", Short: "Check charts without a cluster; package and release this repository's",
	}, newChartsCheck(state), newChartsRules(state), newChartsPackage(state), newChartsRelease(state))
}

// checkFlags are the flags of charts check as they are typed.
type checkFlags struct {
	values, sets, skips []string
	format, output      string
	source              chart.Source
	baseline, write     string
	acceptance          lint.Acceptance
	options             lint.Options
}

func newChartsCheck(state *State) *cobra.Command {
	f := &checkFlags{format: "table", options: lint.Options{Dialect: lint.Auto}}
	command := &cobra.Command{
		Use: "check CHART", Short: "Check a chart: schema, API, security, wiring, upgrades, values",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f.source.Name = args[0]
			return f.run(c.Context(), state)
		},
	}
	set := command.Flags()
	set.StringVar(&f.source.Repo, "repo", "", "URL of the Helm repository that CHART is in")
	set.StringVar(&f.source.Version, "chart-version", "", "exact version of a chart in --repo or at an oci:// reference")
	set.StringVar(&f.options.Dialect, "dialect", f.options.Dialect,
		"values dialect that the chart follows: gitlab, community, auto (the first that fits) or none")
	set.StringArrayVarP(&f.values, "values", "f", nil, "values file over every case's values; repeatable")
	set.StringArrayVar(&f.sets, "set", nil, "value in the form key.path=value, over the values files; repeatable")
	under(command, "Chart")
	set.StringVar(&f.options.KubeVersion, "kube-version", "", "Kubernetes version to check against: "+
		strings.Join(kubeapi.Versions(), ", ")+" (default: the newest)")
	set.StringVar(&f.options.AllowRBAC, "allow-rbac", "",
		"YAML file with the rights that the chart may have beyond the usual ones")
	set.StringArrayVar(&f.skips, "skip", nil, "rule to leave out, in the form RULE=REASON; repeatable")
	set.BoolVar(&f.options.Strict, "strict", false, "let warnings fail the check, too")
	under(command, "Rules")
	set.StringVar(&f.baseline, "baseline", "",
		"file of findings that are accepted for a while; only others fail the check")
	set.StringVar(&f.write, "write-baseline", "", "accept all errors and warnings, and write them to this file; "+
		"the file of --baseline is brought up to date, any other that exists is refused")
	set.StringVar(&f.acceptance.Owner, "owner", "", "with --write-baseline: whom to ask about the findings")
	set.StringVar(&f.acceptance.Reason, "reason", "", "with --write-baseline: why they are accepted")
	set.StringVar(&f.acceptance.Expires, "expires", "", "with --write-baseline: "+
		"the last day on which they are accepted, such as 2027-01-31, a year from now at most")
	under(command, "Accepted findings")
	choose(set, &f.format, "format", "o",
		"table (or text), json, junit, sarif (2.1.0) or codequality (GitLab's Code Quality)",
		"table", "text", "json", "junit", "sarif", "codequality")
	set.StringVar(&f.output, "output", "", "file to write to instead of the standard output")
	under(command, "Output")
	return command
}

func (f *checkFlags) run(ctx context.Context, state *State) (err error) {
	if f.options.Values, err = chart.ReadOverrides(f.values, f.sets); err != nil {
		return err
	}
	f.options.Skip = map[string]string{}
	for _, skip := range f.skips { // whether the rule is one, and the reason not empty, is the check's to say
		rule, reason, _ := strings.Cut(skip, "=")
		f.options.Skip[rule] = strings.TrimSpace(reason)
	}
	baseline, err := f.baselines()
	if err != nil {
		return err
	}
	loaded, err := state.Fetcher().Load(ctx, f.source)
	if err != nil {
		return err
	}
	// Hundreds of renders make garbage that is gone with the process a few seconds later:
	// collecting less of it saves a third of the CPU.
	debug.SetGCPercent(checkGCPercent)
	f.options.Log, f.options.Budget = state.Note, checkBudget
	outcome, err := lint.Run(ctx, loaded, f.options)
	if err == nil && baseline != nil {
		err = outcome.Accept(baseline)
	}
	if err == nil && f.write != "" {
		made := lint.NewBaseline(outcome, f.acceptance)
		if baseline != nil {
			made.Scenarios = baseline.Scenarios
		}
		err = cmp.Or(made.Write(f.write, f.write == f.baseline), outcome.Accept(made))
	}
	if err == nil {
		err = f.report(state, outcome)
	}
	if err == nil && !outcome.Passed {
		err = exit.Judged(exit.Fail)
	}
	return err
}

// baselines reads --baseline, and refuses what --write-baseline lacks, before anything is
// rendered.
func (f *checkFlags) baselines() (*lint.Baseline, error) {
	if f.write == "" {
		if f.acceptance != (lint.Acceptance{}) {
			return nil, exit.Invalidf("--owner, --reason, --expires", "add --write-baseline FILE, or leave them out",
				"there is no baseline to write")
		}
		return lint.ReadBaseline(f.baseline)
	}
	if err := f.acceptance.Check(time.Now()); err != nil {
		return nil, exit.Invalidf("--write-baseline "+f.write, "add --owner, --reason and --expires",
			"what is accepted needs all three: %w", err)
	}
	if err := lint.Writable(f.write, f.write == f.baseline); err != nil {
		return nil, err
	}
	return lint.ReadBaseline(f.baseline)
}

// checkBudget is the CPU time of a check, that of a minute on two CPUs and less: charts of
// hundreds of templates take more for every key that is tried.
const checkBudget = 80 * time.Second

// checkGCPercent is GOGC of charts check: live data stay below 50 MiB.
const checkGCPercent = 600

// report writes what was found.
func (f *checkFlags) report(state *State, r *lint.Report) error {
	write := map[string]func(io.Writer, *lint.Report) error{
		"json": lint.JSON, "junit": report.FindingsJUnit, "sarif": report.FindingsSARIF,
		"codequality": report.FindingsCodeQuality,
	}[f.format]
	if write == nil {
		write = func(w io.Writer, r *lint.Report) error {
			return report.FindingsTable(w, r, f.output == "" && state.Colour)
		}
	}
	var out bytes.Buffer
	if err := write(&out, secret.Scrub(r)); err != nil {
		return err
	}
	if f.output == "" {
		_, err := state.Stdout.Write(out.Bytes())
		return err
	}
	if err := secret.WriteFile(f.output, out.Bytes(), secret.Public); err != nil {
		return exit.Environmentf("--output "+f.output, "name a file in a directory that can be written to", "%w", err)
	}
	return nil
}

func newChartsRules(state *State) *cobra.Command {
	var explain string
	command := newTable(state, "rules", "List the rules of charts check and what each protects", lint.Rules,
		func(r lint.Rule) string {
			return fmt.Sprintf("%-24s %-8s %s\n%-33s protects: %s", r.ID, r.Severity, r.Title, "", r.Protects)
		})
	list := command.RunE
	command.RunE = func(c *cobra.Command, args []string) error {
		if explain == "" {
			return list(c, args)
		}
		rule, known := lint.RuleNamed(explain)
		if !known {
			return exit.Invalidf("--explain "+explain, "steamer charts rules lists the rules", "there is no such rule")
		}
		return printed(state, rule, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s (%s)\n  holds:    %s\n  protects: %s\n  decides:  %s\n  hint:     %s\n",
				rule.ID, rule.Severity, rule.Title, rule.Protects, rule.Detail, rule.Hint)
			return err
		})
	}
	command.Flags().StringVar(&explain, "explain", "", "explain how one rule decides and how to fix its findings")
	_ = command.RegisterFlagCompletionFunc("explain", values(ruleIDs("")))
	return command
}
