package cli

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Groups of commands.
const (
	forCharts   = "charts"
	forRuns     = "runs"
	forMeasures = "measures"
	forReleases = "releases"
	forMachines = "machines"
	forSteamer  = "steamer"
	forOthers   = "others"
)

// addCommands adds all commands in their groups. Those of people who work on Steamer itself are
// left out of the first page of help, which steamer help --all shows whole.
func addCommands(root *cobra.Command, state *State) {
	all := false
	for _, g := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{forCharts, "Check a chart without a cluster", []*cobra.Command{newCharts(state)}},
		{forRuns, "Run", []*cobra.Command{newRun(state), newTest(state)}},
		{forMeasures, "Measure and compare", []*cobra.Command{
			newCompare(state), newCapacity(state), newSizing(state), newTrend(state), newLoad(state), newSLO(state),
			newUpgrade(state), newFaults(state),
		}},
		{forReleases, "Decide and report", []*cobra.Command{newGate(state), newReport(state)}},
		{forMachines, "Clusters, images and this machine", []*cobra.Command{
			newCluster(state), newImages(state), newDoctor(state), newSetup(state),
		}},
		{forSteamer, "Work on Steamer", []*cobra.Command{
			newMutants(state), newCalibrate(state), newFindings(state), newEngine(state),
		}},
		{forOthers, "Other", []*cobra.Command{newVersion(state)}},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.id
		}
		root.AddCommand(g.commands...)
	}
	root.SetCompletionCommandGroupID(forOthers)
	root.SetHelpCommand(newHelp(&all))
	root.SetUsageFunc(func(c *cobra.Command) error { return usage(c.OutOrStdout(), c, all) })
}

// texts are what help says of commands at length: below "== steamer run" its text, and below
// "Examples:" its examples.
//
//go:embed help.txt
var texts string

// finish gives a command and those below it what is written elsewhere: texts, lists of values for
// shells, and names of flags of an earlier release.
func finish(c *cobra.Command, lists map[string]func(*cobra.Command) []string) {
	_, text, _ := strings.Cut("\n"+texts, "\n== "+c.CommandPath()+"\n")
	text, _, _ = strings.Cut("\n"+text, "\n== ")
	long, examples, _ := strings.Cut(text, "\nExamples:\n")
	c.Long, c.Example = c.Long+strings.TrimSpace(long), strings.TrimRight(examples, "\n")
	if c.Args == nil && c.Runnable() && !strings.Contains(c.Use, " ") {
		c.Args = cobra.NoArgs
	}
	names := map[string]string{}
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		list := lists[f.Name]
		if few := f.Annotations[oneOf]; few != nil {
			list = func(*cobra.Command) []string { return few }
		}
		if list != nil {
			_ = c.RegisterFlagCompletionFunc(f.Name, values(list)) // it fails only for a flag that is not there
		}
		for old := range strings.FieldsSeq(oldNames[""][f.Name] + " " + oldNames[c.CommandPath()][f.Name]) {
			if c.Flags().Lookup(old) == nil {
				names[old] = f.Name
			}
		}
	})
	c.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(cmp.Or(names[name], name))
	})
	for _, child := range c.Commands() {
		finish(child, lists)
	}
}

// oldNames are the names that flags of a command, or of all commands that have them, had in an
// earlier release.
var oldNames = map[string]map[string]string{
	"":                      {"chart-version": "version", "output-dir": "output", "context": "kube-context"},
	"steamer calibrate":     {"interim-every": "look-every"},
	"steamer compare":       {"interim-every": "look-every"},
	"steamer cluster down":  {"name": "cluster"},
	"steamer cluster exec":  {"name": "cluster"},
	"steamer cluster list":  {"format": "output"},
	"steamer cluster proxy": {"name": "cluster"},
	"steamer cluster up":    {"name": "cluster"},
	"steamer load fixture":  {"token-ttl": "valid"},
	"steamer load merge":    {"run-dir": "of", "openbao-version": "openbao"},
	"steamer slo explain":   {"chart-version": "chart", "openbao-version": "openbao"},
	"steamer test":          {"scenarios": "run"},
}

// newHelp is the help command, with all that the first page leaves out.
func newHelp(all *bool) *cobra.Command {
	command := &cobra.Command{
		Use: "help [COMMAND...]", Short: "Show the help of a command, or with --all of every group of commands",
		GroupID: forOthers, Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			found, rest, err := c.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = fmt.Errorf("%s has no command %s", found.CommandPath(), rest[0])
			}
			if err != nil {
				return exit.Invalidf("help "+strings.Join(args, " "), "steamer help --all lists the commands", "%w", err)
			}
			found.InitDefaultHelpFlag()
			found.InitDefaultVersionFlag()
			return found.Help()
		},
	}
	command.Flags().BoolVar(all, "all", false, "list the commands for people who work on Steamer, too")
	return command
}

// Section is a titled part of a command's flags.
type Section struct {
	Title string
	Flags *pflag.FlagSet
}

// Sections are the flags of a command that are not those of all commands, in the order in which
// its help shows them.
func Sections(c *cobra.Command) []Section {
	var list []Section
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || c.HasParent() && c.InheritedFlags().Lookup(f.Name) != nil {
			return
		}
		title := "Flags"
		if set := f.Annotations[titled]; len(set) > 0 {
			title = set[0]
		}
		for _, s := range list {
			if s.Title == title {
				s.Flags.AddFlag(f)
				return
			}
		}
		set := pflag.NewFlagSet(title, pflag.ContinueOnError)
		set.SortFlags = false
		set.AddFlag(f)
		list = append(list, Section{title, set})
	})
	return list
}

// columns is the width at which help breaks the texts of flags.
const columns = 110

// usage prints how a command is used.
func usage(w io.Writer, c *cobra.Command, all bool) error {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND\n", c.CommandPath())
	} else {
		fmt.Fprintf(&b, "  %s\n", c.UseLine())
	}
	if len(c.Aliases) > 0 {
		fmt.Fprintf(&b, "\nAliases:\n  %s\n", c.NameAndAliases())
	}
	if c.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", c.Example)
	}
	commands(&b, c, all)
	for _, s := range Sections(c) {
		fmt.Fprintf(&b, "\n%s:\n%s", s.Title, s.Flags.FlagUsagesWrapped(columns))
	}
	switch {
	case !c.HasParent():
		b.WriteString("\nsteamer COMMAND --help shows the arguments of a command")
		if !all {
			b.WriteString(", steamer help --all also the commands for work on Steamer itself")
		}
		b.WriteString(".\n")
	case c.HasAvailableInheritedFlags():
		fmt.Fprintf(&b, "\nFlags of all commands:\n%s", c.InheritedFlags().FlagUsagesWrapped(columns))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// commands lists the commands below c by their groups.
func commands(b *strings.Builder, c *cobra.Command, all bool) {
	groups := c.Groups()
	if len(groups) == 0 {
		groups = []*cobra.Group{{Title: "Commands"}}
	}
	for _, g := range groups {
		if g.ID == forSteamer && !all {
			continue
		}
		var lines strings.Builder
		for _, child := range c.Commands() {
			if child.GroupID == g.ID && (child.IsAvailableCommand() || child.Name() == "help") {
				fmt.Fprintf(&lines, "  %-*s %s\n", child.NamePadding(), child.Name(), child.Short)
			}
		}
		if lines.Len() > 0 {
			fmt.Fprintf(b, "\n%s:\n%s", g.Title, lines.String())
		}
	}
}

// Reference returns the command tree to describe, not to run: it takes nothing from the process.
func Reference() *cobra.Command {
	root, _ := newRoot(&State{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }})
	return root
}
