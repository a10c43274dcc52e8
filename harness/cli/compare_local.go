package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/localbao"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
)

// localPair is what --local compares, checked and with its programs found.
type localPair struct {
	a, b      *compare.LocalArm
	generator compare.Generator
}

// localPair reads what the flags name, before anything is started. The arms still lack the
// directory for logs.
func (f *compareFlags) localPair(state *State) (*localPair, error) {
	if f.base != "" || f.head != "" {
		return nil, exit.Invalidf("--base, --head", "leave them out, or --local",
			"with --local no chart is installed; --base-config and --head-config change the server")
	}
	pair := &localPair{}
	for _, arm := range []struct {
		into           **compare.LocalArm
		flag           string
		config, binary string
	}{{&pair.a, "--base", f.baseConfig, f.baseBinary}, {&pair.b, "--head", f.headConfig, f.headBinary}} {
		l := &compare.LocalArm{
			Description: "OpenBao as a process", Binary: arm.binary, Tenants: f.design.Tenants, Secrets: f.design.Secrets,
			Recipe: f.design.Recipe, BatchTokens: f.design.BatchTokens,
		}
		if arm.binary != "" {
			if info, err := os.Stat(arm.binary); err != nil || info.IsDir() {
				return nil, exit.Invalidf(arm.flag+"-binary "+arm.binary, "name an OpenBao program", "it is not a file: %v", err)
			}
			l.Description = "OpenBao " + arm.binary
		}
		if arm.config != "" {
			patch, err := os.ReadFile(arm.config)
			if err == nil {
				err = localbao.CheckPatch(patch)
			}
			if err != nil {
				return nil, exit.Invalidf(arm.flag+"-config "+arm.config,
					"name a file with a JSON Patch (RFC 6902) of OpenBao's configuration", "%w", err)
			}
			l.Patch, l.Description = patch, l.Description+" with "+arm.config
		}
		*arm.into = l
	}
	return pair, nil
}

// programs finds or builds what runs.
func (p *localPair) programs(ctx context.Context, builder *images.Builder) error {
	bao, err := builder.OpenBaoBinary(ctx)
	if err != nil {
		return exit.Environmentf("program bao", "steamer doctor", "%w", err)
	}
	k6, err := builder.K6Binary(ctx)
	if err != nil {
		return exit.Environmentf("program k6", "steamer doctor", "%w", err)
	}
	for _, l := range []*compare.LocalArm{p.a, p.b} {
		if l.Binary == "" {
			l.Binary = bao
		}
	}
	p.generator = compare.Generator{K6: k6, Scripts: filepath.Join(builder.Root, "perf/scripts")}
	return nil
}

// logTo sets the directory for k6's logs.
func (p *localPair) logTo(dir string) {
	p.generator.Dir = dir
	p.a.Generator, p.b.Generator = p.generator, p.generator
}

// engine drives the pair.
func (p *localPair) engine(state *State, q *compare.Quarantine) *compare.Engine {
	return &compare.Engine{
		A: p.a, B: p.b, Turns: compare.LocalTurns{A: p.a, B: p.b}, Validity: judge.DefaultValidity(), Quarantine: q,
		Log: func(line string) { fmt.Fprintln(state.Stderr, "   ", line) },
	}
}

// close ends both arms, also after ctx was cancelled.
func (p *localPair) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), run.CleanupTimeout)
	defer cancel()
	return errors.Join(p.a.Close(ctx), p.b.Close(ctx))
}

func (f *compareFlags) runLocal(ctx context.Context, c *cobra.Command, state *State, q *compare.Quarantine) (
	err error,
) {
	if err := refuse(c, "with --local no chart is installed", clusterOnly()...); err != nil {
		return err
	}
	builder, err := state.builder()
	if err != nil {
		return err
	}
	pair, err := f.localPair(state)
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
	builder.Progress = progressLines(state.Stderr)
	if err := pair.programs(ctx, builder); err != nil {
		return err
	}
	pair.logTo(logs)
	defer func() { err = errors.Join(err, pair.close(ctx)) }()
	engine := pair.engine(state, q)
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
	id, err := run.NewID(time.Now().UTC())
	if err != nil {
		return nil, "", "", err
	}
	if dir, logs, err = f.workDirectory(kind, id); err != nil {
		return nil, "", "", err
	}
	return f.frame(state, id), dir, logs, nil
}

// frame is a comparison that has not begun.
func (f *compareFlags) frame(state *State, id string) *compare.Comparison {
	c := compare.New(id, f.design)
	c.Reproduce, c.Steamer, c.Host = state.commandLine(), buildVersion(), run.ThisHost()
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
