package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"
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

const checkLong = `Renders a chart in many ways, without a cluster, and for a local chart without network, and has rules judge what comes out:
the topologies' values in the chart's dialect, every ci/*-values.yaml, the defaults, each switch of the
values in its other position, other release names. steamer charts rules lists the rules.

Exit codes: 0 clean (warnings allowed, unless --strict), 1 findings, 3 invalid input: a broken archive, a
missing dependency, values that the schema refuses, a dialect that does not fit.`

// checkFlags are the flags of charts check as they are typed.
type checkFlags struct {
	values, sets, skips []string
	format, output      string
	repo, version       string
	baseline, write     string
	acceptance          lint.Acceptance
}

func newChartsCheck(state *State) *cobra.Command {
	var flags checkFlags
	options := lint.Options{}
	command := &cobra.Command{
		Use: "check CHART", Short: "Check a chart: schema, API, security, wiring, upgrades, values", Long: checkLong,
		Args: cobra.ExactArgs(1),
		Example: "  steamer charts check charts/openbao\n" +
			"  steamer charts check oci://registry.example/charts/openbao --version 1.2.3\n" +
			"  steamer charts check ./openbao-0.12.3.tgz --values mine.yaml --format junit --output junit.xml\n" +
			"  steamer charts check my-chart --dialect none --skip 'security/pod-security=runs in a privileged namespace'\n" +
			"  steamer charts check ./openbao-0.12.3.tgz --write-baseline accepted.yaml --owner team-secrets --reason 'known upstream' --expires 2027-01-31\n" +
			"  steamer charts check ./openbao-0.12.4.tgz --baseline accepted.yaml",
		RunE: func(c *cobra.Command, args []string) error {
			return runCheck(c, state, args[0], flags, options)
		},
	}
	f := command.Flags()
	f.StringArrayVarP(&flags.values, "values", "f", nil, "values file over every case's values, several in order")
	f.StringArrayVar(&flags.sets, "set", nil, "value in the form key.path=value, over the files'")
	f.StringVar(&flags.repo, "repo", "", "URL of the Helm repository that CHART is in")
	f.StringVar(&flags.version, "version", "", "exact version of a chart in --repo or at an oci:// reference")
	f.StringVar(&options.Dialect, "dialect", lint.Auto,
		"values dialect that the chart follows: gitlab, community, auto (the first that fits) or none")
	f.StringVar(&options.KubeVersion, "kube-version", "", "Kubernetes version to check against: "+
		strings.Join(kubeapi.Versions(),
			", ")+" (default the newest)")
	f.StringVar(&options.AllowRBAC, "allow-rbac", "",
		"YAML file with the rights that the chart may have beyond the usual ones")
	f.StringArrayVar(&flags.skips, "skip", nil, "rule to leave out, in the form RULE=REASON")
	f.StringVar(&flags.baseline, "baseline", "",
		"file of findings that are accepted for a while; only others fail the check")
	f.StringVar(&flags.write, "write-baseline", "",
		"accept all errors and warnings, and write them to this file; the file of --baseline is brought up to date, any other that exists is refused")
	f.StringVar(&flags.acceptance.Owner, "owner", "", "of --write-baseline: whom to ask about the findings")
	f.StringVar(&flags.acceptance.Reason, "reason", "", "of --write-baseline: why they are accepted")
	f.StringVar(&flags.acceptance.Expires, "expires", "",
		"of --write-baseline: the last day on which they are accepted, such as 2027-01-31, a year from now at most")
	f.BoolVar(&options.Strict, "strict", false, "let warnings fail the check too")
	f.StringVar(&flags.format, "format", "table", "table, json or junit")
	f.StringVar(&flags.output, "output", "", "file to write to instead of the standard output")
	return command
}

func runCheck(c *cobra.Command, state *State, source string, flags checkFlags, options lint.Options) error {
	formats := []string{"table", "json", "junit"}
	if !slices.Contains(formats, flags.format) {
		return exit.Invalidf("--format "+flags.format, "choose from "+strings.Join(formats, ", "), "there is no such format")
	}
	var err error
	if options.Values, err = userValues(flags.values, flags.sets); err != nil {
		return err
	}
	options.Skip = parseSkips(flags.skips)
	baseline, err := flags.baselines()
	if err != nil {
		return err
	}
	fetch := chart.Fetcher{Log: func(line string) { fmt.Fprintln(state.Stderr, line) }}
	loaded, err := fetch.Load(c.Context(), chart.Source{Name: source, Repo: flags.repo, Version: flags.version})
	if err != nil {
		return err
	}
	// Hundreds of renders make garbage that is gone with the process a few seconds later:
	// collecting less of it saves a third of the CPU.
	debug.SetGCPercent(checkGCPercent)
	outcome, err := lint.Run(c.Context(), loaded, options)
	if err == nil && baseline != nil {
		err = outcome.Accept(baseline)
	}
	if err == nil && flags.write != "" {
		made := lint.NewBaseline(outcome, flags.acceptance)
		err = cmp.Or(made.Write(flags.write, flags.write == flags.baseline), outcome.Accept(made))
	}
	if err != nil {
		return err
	}
	if err := writeReport(state, outcome, flags); err != nil {
		return err
	}
	if !outcome.Passed {
		return verdictError(exit.Fail)
	}
	return nil
}

// baselines reads --baseline, and refuses what --write-baseline lacks, before anything is rendered.
func (f checkFlags) baselines() (*lint.Baseline, error) {
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

// checkGCPercent is GOGC of charts check: live data stay below 50 MiB.
const checkGCPercent = 600

// userValues merges values files and assignments in their order.
func userValues(files, assignments []string) (map[string]any, error) {
	values := map[string]any{}
	for _, file := range files {
		more, err := chart.ReadValues(file)
		if err != nil {
			return nil, err
		}
		values = chart.Merge(values, more)
	}
	for _, assignment := range assignments {
		more, err := chart.ParseSet(assignment)
		if err != nil {
			return nil, err
		}
		values = chart.Merge(values, more)
	}
	return values, nil
}

// parseSkips reads RULE=REASON; whether the rule is one, and the reason not empty, is the check's
// to say.
func parseSkips(skips []string) map[string]string {
	reasons := map[string]string{}
	for _, skip := range skips {
		rule, reason, _ := strings.Cut(skip, "=")
		reasons[rule] = strings.TrimSpace(reason)
	}
	return reasons
}

func writeReport(state *State, r *lint.Report, flags checkFlags) error {
	r = secret.Scrub(r)
	var out bytes.Buffer
	var err error
	switch flags.format {
	case "json":
		err = lint.JSON(&out, r)
	case "junit":
		err = report.FindingsJUnit(&out, r)
	default:
		err = report.FindingsTable(&out, r, flags.output == "" && colourful(state.Stdout))
	}
	if err != nil {
		return err
	}
	if flags.output == "" {
		_, err = state.Stdout.Write(out.Bytes())
		return err
	}
	if err := secret.WriteFile(flags.output, out.Bytes(), secret.Public); err != nil {
		return exit.Environmentf("--output "+flags.output, "name a file in a directory that can be written to", "%w", err)
	}
	return nil
}

func newChartsRules(state *State) *cobra.Command {
	var explain string
	command := &cobra.Command{
		Use: "rules", Short: "List the rules of charts check and what each protects", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if explain == "" {
				for _, rule := range lint.Rules() {
					fmt.Fprintf(state.Stdout, "%-24s %-8s %s\n%-33s protects: %s\n", rule.ID, rule.Severity, rule.Title, "",
						rule.Protects)
				}
				return nil
			}
			rule, known := lint.RuleNamed(explain)
			if !known {
				return exit.Invalidf("--explain "+explain, "steamer charts rules lists the rules", "there is no such rule")
			}
			fmt.Fprintf(state.Stdout, "%s (%s)\n  holds:    %s\n  protects: %s\n  decides:  %s\n  hint:     %s\n",
				rule.ID, rule.Severity, rule.Title, rule.Protects, rule.Detail, rule.Hint)
			return nil
		},
	}
	command.Flags().StringVar(&explain, "explain", "", "say of one rule how it decides and how to fix its findings")
	return command
}
