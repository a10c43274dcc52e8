package cli

import (
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/harness/upgrade"
)

// upgradeFlags are the flags of steamer upgrade.
type upgradeFlags struct {
	*planFlags
	campaign.Upgrade
	markdown bool
}

func newUpgrade(state *State) *cobra.Command {
	f := &upgradeFlags{Upgrade: campaign.Upgrade{To: []string{upgrade.Head}, Format: campaign.FormatText}}
	f.planFlags = newPlanFlags(scenario.None, func(p *plan.Plan) { p.Topologies = []string{topology.CloudNative} })
	command := &cobra.Command{
		Use: "upgrade", Short: "Try upgrades between releases, values and images: outage, lost secrets, refused changes",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c, state) },
	}
	addFlags(command, "Upgrade", func(set *pflag.FlagSet) {
		set.StringSliceVar(&f.From, "from", nil, "releases to upgrade from: versions, paths, or head")
		set.StringSliceVar(&f.To, "to", f.To, "releases to upgrade to: versions, paths, or head")
		set.StringVar(&f.Releases, "releases", "", "where versions are: a directory of archives NAME-VERSION.tgz, its "+
			"index.yaml, the URL of a Helm repository, or oci://REGISTRY/PATH without the chart's name (default: --repo, "+
			"or what is known of charts/openbao)")
		set.StringVar(&f.FromImage, "from-image", "",
			"image of OpenBao before the upgrade (default: that of --image openbao=)")
		set.StringVar(&f.ToImage, "to-image", "",
			"image of OpenBao after the upgrade (default: that of --image openbao=)")
		set.StringArrayVar(&f.FromValues, "from-values", nil, "values file before the upgrade alone; repeatable")
		set.StringArrayVar(&f.ToValues, "to-values", nil, "values file after the upgrade alone; repeatable")
		set.BoolVar(&f.Pairs, "values-pairs", false,
			"upgrade from each of the chart's ci/*-values.yaml to each other, too, in one walk over all pairs")
		set.BoolVar(&f.Predict, "predict", false, "predict by rendering only, without a cluster")
		set.BoolVar(&f.Predict, "dry-run", false, "the same as --predict")
		set.BoolVar(&f.Rollback, "rollback", false,
			"roll each upgrade back on the same database, also where no annotation "+upgrade.RollbackAnnotation+" says so")
		set.IntVar(&f.Most, "edges", 0, "confirm this many upgrades at most; 0: all")
	})
	f.add(command, "Chart", bindChart)
	f.add(command, "Where", func(set *pflag.FlagSet, p *plan.Plan) {
		set.StringSliceVar(&p.Topologies, "topology", p.Topologies, "cloud-native or cloud-native-hybrid")
	})
	f.add(command, "Where", bindTenants)
	f.add(command, "Objectives", bindTier)
	f.add(command, "Objectives", bindSLO)
	f.add(command, "Cluster", bindCluster)
	addFlags(command, "Output", func(set *pflag.FlagSet) {
		set.StringVarP(&f.Format, "format", "o", f.Format, "text, markdown or json")
		set.BoolVar(&f.markdown, "markdown", false, "the same as --format markdown")
	})
	f.add(command, "Output", bindOutput)
	return command
}

func (f *upgradeFlags) run(c *cobra.Command, state *State) error {
	if f.markdown {
		f.Format = campaign.FormatMarkdown
	}
	if err := choice("--format", f.Format, campaign.FormatText, campaign.FormatMarkdown, campaign.FormatJSON); err != nil {
		return err
	}
	root, p, err := f.read(c, state)
	if err != nil {
		return err
	}
	switch {
	case len(f.From) == 0 && !f.Pairs:
		return exit.Invalidf("--from", "name a release such as --from 0.1.0, or add --values-pairs", "it is missing")
	case len(p.Topologies) != 1:
		return exit.Invalidf("--topology", "name one topology", "upgrades are tried in one")
	case f.Most < 0:
		return exit.Invalidf("--edges", "use 0 for all, or a number", "it is negative")
	}
	for _, image := range [][2]string{{"--from-image ", f.FromImage}, {"--to-image ", f.ToImage}} {
		if image[1] == "" {
			continue
		}
		if err := plan.CheckReference(image[0]+image[1], image[1]); err != nil {
			return err
		}
	}
	if f.Releases == "" && slices.Contains([]string{p.Chart}, plan.Default(root).Chart) {
		f.Releases = filepath.Dir(plan.Default(root).Previous)
	}
	verdict, err := f.Run(c.Context(), state, root, p)
	return conclude(c.Context(), verdict, err)
}
