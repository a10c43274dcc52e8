package campaign

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/session"
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
func (c *Comparison) localPair() (*localPair, error) {
	recipes, err := c.Design.Recipes()
	if err != nil {
		return nil, err
	}
	pair := &localPair{}
	for i, side := range []struct{ flag, config, binary string }{
		{"--base", c.BaseConfig, c.BaseBinary}, {"--head", c.HeadConfig, c.HeadBinary},
	} {
		spec, what := local.Spec{Recipes: recipes, Secrets: c.Design.Secrets}, "OpenBao as a process"
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
func (p *localPair) programs(ctx context.Context, sess *session.Session, logs string) error {
	bao, generator, err := sess.Programs(ctx, logs)
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
func (p *localPair) engine(sess *session.Session, q *compare.Quarantine) *compare.Engine {
	side := func(i int) compare.Side {
		return compare.Side{Description: p.descriptions[i], Open: func(ctx context.Context) (target.Target, error) {
			return local.Open(ctx, p.specs[i])
		}}
	}
	return &compare.Engine{
		A: side(0), B: side(1), Validity: judge.DefaultValidity(), Quarantine: q,
		Log: sess.Note,
	}
}

// closeEngine ends both sides, also after ctx was cancelled.
func closeEngine(ctx context.Context, engine *compare.Engine) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), steps.CleanupTimeout)
	defer cancel()
	return engine.Close(ctx)
}

// Processes compares OpenBao processes of this machine and writes and prints what came out. The
// verdict is "" where nothing was judged: a dry run, or what kept it from being driven.
func (c *Comparison) Processes(ctx context.Context, sess *session.Session) (verdict result.Verdict, err error) {
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
	if err := pair.programs(ctx, sess, logs); err != nil {
		return "", err
	}
	engine := pair.engine(sess, c.Quarantine)
	defer func() { err = errors.Join(err, closeEngine(ctx, engine)) }()
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
