package campaign

import (
	"cmp"
	"context"
	"errors"
	"os"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/local"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// localPair is what --local compares, checked.
type localPair struct {
	specs        [2]local.Spec
	descriptions [2]string
}

// localPair reads what the flags name, before anything is started.
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

// prepare finds or builds what runs, and starts and provisions both sides for the engine, which s
// closes. logs is the directory for k6's logs.
func (p *localPair) prepare(ctx context.Context, sess *session.Session, s *steps.Steps, engine *compare.Engine,
	doc *compare.Comparison, logs string,
) error {
	bao, generator, err := sess.Programs(ctx, logs)
	if err != nil {
		return err
	}
	for i, side := range []*compare.Side{&engine.A, &engine.B} {
		spec := p.specs[i]
		spec.Server.Binary, spec.Generator = cmp.Or(spec.Server.Binary, bao), generator
		*side = compare.Side{Description: p.descriptions[i], Open: func(ctx context.Context) (target.Target, error) {
			return local.Open(ctx, spec)
		}}
	}
	s.Cleanup("A and B", engine.Close)
	return s.Do(ctx, "", "start and provision A and B", func(ctx context.Context) error {
		return engine.Prepare(ctx, doc)
	})
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
	s, engine := steps.New(sess.Progress()), c.engine(sess, dir)
	defer func() { err = errors.Join(err, s.Clean(ctx)) }()
	if err := pair.prepare(ctx, sess, s, engine, doc, logs); err != nil {
		return "", err
	}
	doc.NotMeasured = []string{
		"anything of Kubernetes, of a network, and of CPU limits: both arms are plain processes on loopback",
	}
	driven := s.Do(ctx, "", "drive A and B", func(ctx context.Context) error { return engine.Drive(ctx, doc) })
	return c.finish(ctx, sess, doc, dir, driven)
}
