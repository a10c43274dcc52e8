package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/local"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// localPair is what --local compares, checked and with its programs found.
type localPair struct {
	specs        [2]local.Spec
	descriptions [2]string
}

// localPair reads what the flags name, before anything is started. The targets still lack the
// directory for logs.
func (f *compareFlags) localPair() (*localPair, error) {
	if f.base != "" || f.head != "" {
		return nil, exit.Invalidf("--base, --head", "leave them out, or --local",
			"with --local no chart is installed; --base-config and --head-config change the server")
	}
	recipes, err := f.design.Recipes()
	if err != nil {
		return nil, err
	}
	pair := &localPair{}
	for i, side := range []struct{ flag, config, binary string }{
		{"--base", f.baseConfig, f.baseBinary}, {"--head", f.headConfig, f.headBinary},
	} {
		spec, what := local.Spec{Recipes: recipes, Secrets: f.design.Secrets}, "OpenBao as a process"
		if spec.Server.Binary = side.binary; side.binary != "" {
			if info, err := os.Stat(side.binary); err != nil || info.IsDir() {
				return nil, exit.Invalidf(side.flag+"-binary "+side.binary, "name an OpenBao program", "it is not a file: %v", err)
			}
			what = "OpenBao " + side.binary
		}
		if side.config != "" {
			patch, err := os.ReadFile(side.config)
			if err == nil {
				err = localbao.CheckPatch(patch)
			}
			if err != nil {
				return nil, exit.Invalidf(side.flag+"-config "+side.config,
					"name a file with a JSON Patch (RFC 6902) of OpenBao's configuration", "%w", err)
			}
			spec.Server.Patch, what = patch, what+" with "+side.config
		}
		pair.specs[i], pair.descriptions[i] = spec, what
	}
	return pair, nil
}

// programs finds or builds what runs; logs is the directory for k6's logs.
func (p *localPair) programs(ctx context.Context, state *State, logs string) error {
	bao, generator, err := state.programs(ctx, logs)
	if err != nil {
		return err
	}
	for i := range p.specs {
		spec := &p.specs[i]
		spec.Server.Binary, spec.Generator = cmp.Or(spec.Server.Binary, bao), generator
	}
	return nil
}

// engine drives the pair.
func (p *localPair) engine(state *State, q *compare.Quarantine) *compare.Engine {
	side := func(i int) compare.Side {
		return compare.Side{Description: p.descriptions[i], Open: func(ctx context.Context) (target.Target, error) {
			return local.Open(ctx, p.specs[i])
		}}
	}
	return &compare.Engine{
		A: side(0), B: side(1), Validity: judge.DefaultValidity(), Quarantine: q,
		Log: func(line string) { fmt.Fprintln(state.Stderr, "   ", line) },
	}
}

// closeEngine ends both sides, also after ctx was cancelled.
func closeEngine(ctx context.Context, engine *compare.Engine) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), steps.CleanupTimeout)
	defer cancel()
	return engine.Close(ctx)
}

func (f *compareFlags) runLocal(ctx context.Context, c *cobra.Command, state *State, q *compare.Quarantine) (
	err error,
) {
	if err := refuse(c, "with --local no chart is installed", clusterOnly()...); err != nil {
		return err
	}
	pair, err := f.localPair()
	if err != nil {
		return err
	}
	f.design.Where = "local"
	if f.dryRun {
		return printDesign(state.Stdout, f.design)
	}
	doc, dir, logs, err := f.begin(state, "compare")
	if err != nil {
		return err
	}
	if err := pair.programs(ctx, state, logs); err != nil {
		return err
	}
	engine := pair.engine(state, q)
	defer func() { err = errors.Join(err, closeEngine(ctx, engine)) }()
	engine.Scenarios = f.scenarios
	engine.Save = func(c *compare.Comparison) error { return compare.WriteFile(filepath.Join(dir, compare.JSONFile), c) }
	fmt.Fprintln(state.Stderr, "▶ starting and provisioning A and B")
	started := time.Now()
	if err := engine.Prepare(ctx, doc); err != nil {
		return err
	}
	fmt.Fprintf(state.Stderr, "✓ A and B are up (%.1f s)\n▶ driving them in turns\n", time.Since(started).Seconds())
	doc.NotMeasured = []string{"anything of Kubernetes, of a network, and of CPU limits: both arms are plain processes on loopback"}
	return f.finish(ctx, state, doc, dir, engine.Drive(ctx, doc))
}

// begin makes the comparison's frame and directory.
func (f *compareFlags) begin(state *State, kind string) (c *compare.Comparison, dir, logs string, err error) {
	id := result.NewID(time.Now().UTC())
	if dir, logs, err = f.workDirectory(kind, id); err != nil {
		return nil, "", "", err
	}
	return f.frame(state, id), dir, logs, nil
}

// frame is a comparison that has not begun.
func (f *compareFlags) frame(state *State, id string) *compare.Comparison {
	c := compare.New(id, f.design)
	c.Reproduce, c.Steamer, c.Host = state.commandLine(), buildVersion(), platform.ThisHost()
	return c
}

// write writes the reports of a comparison that was driven.
func (f *compareFlags) write(c *compare.Comparison, dir string) error {
	err := report.WriteComparison(dir, c)
	if !f.keepLogs {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, "slices")))
	}
	return err
}

// finish writes the reports of a comparison that was driven, and prints it. driven is what kept it
// from its end.
func (f *compareFlags) finish(ctx context.Context, state *State, c *compare.Comparison, dir string,
	driven error,
) error {
	if err := errors.Join(driven, f.write(c, dir)); err != nil && c.Verdict != result.Fail {
		return err
	}
	fmt.Fprintln(state.Stdout)
	if err := report.ComparisonText(state.Stdout, c); err != nil {
		return err
	}
	fmt.Fprintf(state.Stdout, "\nDirectory: %s\n", dir)
	if ctx.Err() != nil && c.Verdict != result.Fail {
		return ctx.Err()
	}
	return concludeVerdict(c.Verdict)
}
