package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/lab"
	"gitlab.com/steamer/steamer/harness/result"
)

// labTools builds the programs that a lab runs; dir keeps k6's logs.
func (s *State) labTools(ctx context.Context, dir string) (lab.Tools, error) {
	builder, err := s.builder()
	if err != nil {
		return lab.Tools{}, err
	}
	builder.Progress = progressLines(s.Stderr)
	tools := lab.Tools{Scripts: filepath.Join(builder.Root, "perf/scripts"), Dir: dir}
	if tools.OpenBao, err = builder.OpenBaoBinary(ctx); err != nil {
		return tools, exit.Environmentf("program bao", "steamer doctor", "%w", err)
	}
	if tools.K6, err = builder.K6Binary(ctx); err != nil {
		return tools, exit.Environmentf("k6", "steamer images build k6 shows the build", "%w", err)
	}
	return tools, nil
}

// measureDir makes the directory of a measurement's files.
func measureDir(output, kind string) (string, error) {
	dir, err := filepath.Abs(filepath.Join(output, kind+"-"+time.Now().UTC().Format("20060102-150405")))
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return "", exit.Invalidf("--output "+output, "name a directory that can be written", "%w", err)
	}
	return dir, nil
}

// refuse says of each flag given that it means nothing here.
func refuse(c *cobra.Command, why string, flags ...string) error {
	for _, name := range flags {
		if c.Flags().Changed(name) {
			return exit.Invalidf("--"+name, "leave it out", "%s", why)
		}
	}
	return nil
}

// hide leaves flags out of the help that the command inherits and refuses.
func hide(c *cobra.Command, names ...string) {
	for _, name := range names {
		c.Flags().Lookup(name).Hidden = true
	}
}

// labFlags are run's flags that mean nothing for processes.
func labFlags() []string {
	return []string{
		"plan", "topology", "chart", "repo", "version", "dialect", "values", "set", "image", "context", "kubeconfig", "keep",
		"reuse", "cluster", "port",
		"previous", "scenarios", "ready-timeout",
	}
}

// judged turns a measurement's verdict into the process's outcome.
func judged(ctx context.Context, verdict result.Verdict, err error) error {
	return conclude(ctx, &result.Result{Verdict: verdict}, err)
}

// bound checks a number that a flag gives.
func bound(flag string, value, least, most int) error {
	if value < least || value > most {
		return exit.Invalidf(fmt.Sprintf("--%s %d", flag, value), fmt.Sprintf("use %d to %d", least, most),
			"it is out of range")
	}
	return nil
}
