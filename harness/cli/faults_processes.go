package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults/deadlines"
	"gitlab.com/steamer/steamer/harness/faults/protocol"
	"gitlab.com/steamer/steamer/harness/result"
)

func newFaultsDeadlines(state *State) *cobra.Command {
	d := &campaign.Deadlines{}
	local := false
	command := &cobra.Command{
		Use: "deadlines", Short: "Measure how long revoked access is granted",
		RunE: judged(func(c *cobra.Command, _ []string) (result.Verdict, error) {
			if !local {
				return "", exit.Invalidf("steamer faults deadlines", "add --local", "deadlines on a cluster are not supported yet")
			}
			if err := d.Validate(); err != nil {
				return "", err
			}
			return d.Run(c.Context(), state)
		}),
	}
	set := command.Flags()
	set.BoolVar(&local, "local", false, "on processes of this machine; clusters are not supported yet")
	set.IntVar(&d.Trials, "trials", 200, "trials of each kind")
	set.StringSliceVar(&d.Kinds, "kinds", nil, "what is revoked: "+strings.Join(deadlines.Kinds(), ", ")+" (default: all)")
	set.BoolVar(&d.Awake, "awake", true, "with a server that is well")
	set.BoolVar(&d.Sleep, "sleep", true, "with a leader that slept")
	under(command, "Deadlines")
	addRecord(command, &d.Output, ownDirectory)
	return command
}

func newFaultsProtocol(state *State) *cobra.Command {
	f := &campaign.Protocol{}
	var files []string
	command := &cobra.Command{
		Use: "protocol", Short: "Let each request of Rails' sequences fail, and tell who can read what",
		RunE: judged(func(c *cobra.Command, _ []string) (verdict result.Verdict, err error) {
			if f.Protocols, err = protocol.Read(files...); err != nil {
				return "", err
			}
			if err := f.Validate(); err != nil {
				return "", err
			}
			return f.Run(c.Context(), state)
		}),
	}
	set := command.Flags()
	set.StringSliceVar(&f.Only, "only", nil, "patterns PROTOCOL/CASE/REQUEST/FAULT, a shorter one for all below it; "+
		"-PATTERN leaves out (default: all)")
	set.StringSliceVar(&files, "protocol", nil, "further protocols, files")
	seedVar(set, &f.Seed, "seed of values and of the moments of kills (default: a new one)")
	set.IntVar(&f.Parallel, "parallel", 3, "rows at a time, each on two OpenBao and a PostgreSQL of its own")
	under(command, "Rows")
	addRecord(command, &f.Output, ownDirectory)
	return command
}

func newFaultsRecord(state *State) *cobra.Command {
	t := &campaign.TrackRecord{}
	command := &cobra.Command{
		Use: "record", Short: "Look for known bugs of OpenBao again",
		RunE: judged(func(c *cobra.Command, _ []string) (result.Verdict, error) {
			if len(t.From) > 0 && t.Markdown == "" {
				return "", exit.Invalidf("--from", "add --markdown FILE", "there is nothing to write")
			}
			if err := t.Validate(); err != nil {
				return "", err
			}
			return t.Run(c.Context(), state)
		}),
	}
	set := command.Flags()
	set.StringVar(&t.Server.Binary, "bao", "", "program of OpenBao to try (default: the one that Steamer builds)")
	set.StringSliceVar(&t.Only, "only", nil, "IDs of bugs; -ID leaves one out (default: all)")
	set.IntVar(&t.Times, "times", 0, "tries of each bug (default: each bug's own number)")
	set.IntVar(&t.Parallel, "parallel", 2, "bugs at a time, each try on two OpenBao and a PostgreSQL of its own")
	seedVar(set, &t.Seed, "seed of schedules (default: a new one)")
	under(command, "Bugs")
	set.StringVar(&t.Output, "output-dir", "runs", ownDirectory)
	set.StringSliceVar(&t.From, "from", nil, "record.json of earlier runs, to write the page of; nothing is run")
	set.StringVar(&t.Markdown, "markdown", "", "file for the page, as docs/track-record.md")
	addRecord(command, nil, "")
	return command
}
