package cli

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/campaign"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/result"
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
		RunE: judged(func(c *cobra.Command, _ []string) (result.Verdict, error) { return f.run(c, state) }),
	}
	set := command.Flags()
	set.StringSliceVar(&f.From, "from", nil, "releases to upgrade from: versions, paths, or head")
	set.StringSliceVar(&f.To, "to", f.To, "releases to upgrade to: versions, paths, or head")
	set.StringVar(&f.Releases, "releases", "", "where versions are: a directory of archives NAME-VERSION.tgz, its "+
		"index.yaml, the URL of a Helm repository, or oci://REGISTRY/PATH without the chart's name (default: --repo, "+
		"or what is known of charts/openbao)")
	set.StringVar(&f.FromImage, "from-image", "",
		"image of OpenBao before the upgrade (default: that of --image openbao=)")
	set.StringVar(&f.ToImage, "to-image", "", "image of OpenBao after the upgrade (default: that of --image openbao=)")
	set.StringArrayVar(&f.FromValues, "from-values", nil, "values file before the upgrade alone; repeatable")
	set.StringArrayVar(&f.ToValues, "to-values", nil, "values file after the upgrade alone; repeatable")
	set.BoolVar(&f.Pairs, "values-pairs", false,
		"upgrade from each of the chart's ci/*-values.yaml to each other, too, in one walk over all pairs")
	set.BoolVar(&f.Predict, "predict", false, "predict by rendering only, without a cluster")
	set.BoolVar(&f.Predict, "dry-run", false, "the same as --predict")
	set.BoolVar(&f.Rollback, "rollback", false,
		"roll each upgrade back on the same database, also where no annotation "+upgrade.RollbackAnnotation+" says so")
	set.IntVar(&f.Most, "edges", 0, "confirm this many upgrades at most; 0: all")
	under(command, "Upgrade")
	f.add(command, "Chart", chartFlags)
	f.all.Lookup("topology").Usage = strings.Join(topology.Names(), " or ")
	f.add(command, "Where", "topology tenants secrets")
	f.add(command, "Objectives", "tier slo")
	f.add(command, "Cluster", clusterFlags)
	choose(set, &f.Format, "format", "o", "text, markdown or json",
		campaign.FormatText, campaign.FormatMarkdown, campaign.FormatJSON)
	set.BoolVar(&f.markdown, "markdown", false, "the same as --format markdown")
	f.add(command, "Output", "output-dir")
	return command
}

func (f *upgradeFlags) run(c *cobra.Command, state *State) (result.Verdict, error) {
	if f.markdown {
		f.Format = campaign.FormatMarkdown
	}
	root, p, err := f.read(c, state)
	switch {
	case err != nil:
	case len(f.From) == 0 && !f.Pairs:
		err = exit.Invalidf("--from", "name a release such as --from 0.1.0, or add --values-pairs", "it is missing")
	case len(p.Topologies) != 1:
		err = exit.Invalidf("--topology", "name one topology", "upgrades are tried in one")
	case f.Most < 0:
		err = exit.Invalidf("--edges", "use 0 for all, or a number", "it is negative")
	}
	for flag, image := range map[string]string{"--from-image ": f.FromImage, "--to-image ": f.ToImage} {
		if err == nil && image != "" {
			err = plan.CheckReference(flag+image, image)
		}
	}
	if err != nil {
		return "", err
	}
	if defaults := plan.Default(root); f.Releases == "" && p.Chart == defaults.Chart {
		f.Releases = filepath.Dir(defaults.Previous)
	}
	return f.Run(c.Context(), state, root, p)
}
