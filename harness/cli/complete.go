package cli

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/lint/kubeapi"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/harness/topology"
	"gitlab.com/steamer/steamer/scenarios"
)

// completions are lists of values, by the names of the flags that have them, beside those of
// choose.
func completions(state *State) map[string]func(*cobra.Command) []string {
	fixed := func(values ...string) func(*cobra.Command) []string {
		return func(*cobra.Command) []string { return values }
	}
	return map[string]func(*cobra.Command) []string{
		"topology":     fixed(append(topology.Names(), "all")...),
		"tier":         fixed("3", "6", "12", "30", "60", "150"),
		"size":         fixed("1k", "2k", "3k", "5k", "10k", "25k", "50k"),
		"dialect":      fixed(append(topology.Dialects(), lint.Auto, "none")...),
		"mode":         fixed(load.ProfileModes()...),
		"require":      fixed(gate.Criteria()...),
		"kube-version": fixed(kubeapi.Versions()...),
		"image-source": fixed(string(images.FromAuto), "build", "pull"),
		"profile":      func(*cobra.Command) []string { return profiles(state) },
		"scenarios": func(c *cobra.Command) []string {
			return append(scenarioIDs(c), scenario.Core, scenario.All, scenario.None)
		},
		"skip":    ruleIDs("="),
		"context": contexts,
	}
}

// values completes from a list, with files beside it where nothing of the list fits.
func values(list func(*cobra.Command) []string) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
		fitting := slices.DeleteFunc(slices.Clone(list(c)), func(v string) bool { return !strings.HasPrefix(v, begin) })
		if len(fitting) == 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return fitting, cobra.ShellCompDirectiveNoFileComp
	}
}

// ids are those of a list.
func ids[T any](list []T, id func(T) string) (out []string) {
	for _, one := range list {
		out = append(out, id(one))
	}
	return out
}

func scenarioIDs(*cobra.Command) []string {
	return ids(scenarios.All(), func(s scenario.Scenario) string { return s.ID })
}

// ruleIDs completes rules of charts check, with a text behind each.
func ruleIDs(suffix string) func(*cobra.Command) []string {
	return func(*cobra.Command) []string {
		return ids(lint.Rules(), func(r lint.Rule) string { return r.ID + suffix })
	}
}

// profiles are those of the source tree.
func profiles(state *State) []string {
	root, err := plan.FindRoot(state.Root)
	if err != nil {
		return nil
	}
	paths, _ := filepath.Glob(filepath.Join(root, "perf/profiles/*.yaml"))
	for i, path := range paths {
		paths[i] = strings.TrimSuffix(filepath.Base(path), ".yaml")
	}
	return paths
}

// contexts are those of the kubeconfig.
func contexts(c *cobra.Command) []string {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if f := c.Flag("kubeconfig"); f != nil {
		rules.ExplicitPath = f.Value.String()
	}
	config, err := rules.Load()
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(config.Contexts))
}
