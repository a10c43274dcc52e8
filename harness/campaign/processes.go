package campaign

import (
	"cmp"
	"context"
	"errors"
	"os"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/steps"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/local"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// localPair is what --local compares, checked.
type localPair struct {
	sess         *session.Session
	specs        [2]local.Spec
	descriptions [2]string
}

// localPair reads what the flags name, before anything is started.
func (c *Comparison) localPair(sess *session.Session) (*localPair, error) {
	recipes, err := c.Design.Recipes()
	if err != nil {
		return nil, err
	}
	pair := &localPair{sess: sess}
	for i, side := range []struct{ flag, config, binary string }{
		{"--base", c.BaseConfig, c.BaseBinary}, {"--head", c.HeadConfig, c.HeadBinary},
	} {
		spec := local.Spec{Recipes: recipes, Secrets: c.Design.Secrets, Delays: c.delays, Limits: c.limits}
		what := "OpenBao as a process"
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

// Run finds or builds what runs, starts and provisions both sides, and has them driven.
func (p *localPair) Run(ctx context.Context, doc *compare.Comparison, s *steps.Steps, engine *compare.Engine,
	logs string, drive func(context.Context) error,
) (err error) {
	defer func() { err = errors.Join(err, s.Clean(ctx)) }()
	bao, generator, err := p.sess.Programs(ctx, logs)
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
	err = s.Do(ctx, "", "start and provision A and B", func(ctx context.Context) error {
		return engine.Prepare(ctx, doc)
	})
	if err != nil {
		return err
	}
	return s.Do(ctx, "", "drive A and B", drive)
}
