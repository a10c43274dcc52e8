package campaign

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/localbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/session"
)

// localPair is what --local compares, checked and with its programs found.
type localPair struct {
	a, b      *compare.LocalArm
	generator compare.Generator
}

// localPair reads what the flags name, before anything is started. The arms still lack the
// directory for logs.
func (c *Comparison) localPair() (*localPair, error) {
	pair := &localPair{}
	for _, arm := range []struct {
		into           **compare.LocalArm
		flag           string
		config, binary string
	}{{&pair.a, "--base", c.BaseConfig, c.BaseBinary}, {&pair.b, "--head", c.HeadConfig, c.HeadBinary}} {
		l := &compare.LocalArm{
			Description: "OpenBao as a process", Binary: arm.binary, Tenants: c.Design.Tenants, Secrets: c.Design.Secrets,
			Recipe: c.Design.Recipe, BatchTokens: c.Design.BatchTokens,
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
func (p *localPair) engine(sess *session.Session, q *compare.Quarantine) *compare.Engine {
	return &compare.Engine{
		A: p.a, B: p.b, Turns: compare.LocalTurns{A: p.a, B: p.b}, Validity: judge.DefaultValidity(), Quarantine: q,
		Log: sess.Note,
	}
}

// close ends both arms, also after ctx was cancelled.
func (p *localPair) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), run.CleanupTimeout)
	defer cancel()
	return errors.Join(p.a.Close(ctx), p.b.Close(ctx))
}

// Processes compares OpenBao processes of this machine and writes and prints what came out. The
// verdict is "" where nothing was judged: a dry run, or what kept it from being driven.
func (c *Comparison) Processes(ctx context.Context, sess *session.Session) (verdict result.Verdict, err error) {
	builder, err := sess.Builder()
	if err != nil {
		return "", err
	}
	pair, err := c.localPair()
	if err != nil {
		return "", err
	}
	c.Design.Where = "local"
	if c.DryRun {
		return "", printDesign(sess.Stdout, c.Design)
	}
	doc, dir, logs, err := c.begin(sess, "compare")
	if err != nil {
		return "", err
	}
	if err := pair.programs(ctx, builder); err != nil {
		return "", err
	}
	pair.logTo(logs)
	defer func() { err = errors.Join(err, pair.close(ctx)) }()
	engine := pair.engine(sess, c.Quarantine)
	engine.Scenarios = c.Scenarios
	engine.Save = func(doc *compare.Comparison) error {
		return compare.WriteFile(filepath.Join(dir, compare.JSONFile), doc)
	}
	if err := step(sess, "start and provision A and B", func() error { return engine.Prepare(ctx, doc) }); err != nil {
		return "", err
	}
	doc.NotMeasured = []string{
		"anything of Kubernetes, of a network, and of CPU limits: both arms are plain processes on loopback",
	}
	driven := step(sess, "drive them in turns", func() error { return engine.Drive(ctx, doc) })
	return c.finish(ctx, sess, doc, dir, driven)
}

// step runs one step with its progress shown.
func step(sess *session.Session, name string, do func() error) error {
	started := time.Now()
	sess.Progress().Start("", name)
	err := do()
	sess.Progress().Done("", name, time.Since(started), err)
	return err
}
