package run

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios"
)

// httpAuditSince is the first OpenBao with an audit device of type http.
var httpAuditSince = semver.MustParse("2.5.0") //nolint:gochecknoglobals // constant

// scenarioEnv is the environment as scenarios see it.
func (s *stage) scenarioEnv() *scenario.Env {
	env := s.env.Scenarios(s.tenants, s.seed)
	env.Installer, env.Previous, env.Artifacts = s.changer, s.Plan.Previous, s.dir
	env.Capture = func(ctx context.Context, id string) ([]string, error) {
		return s.capture(ctx, id, env.Redactor().Redact)
	}
	return env
}

// capture saves the diagnostics of a failed scenario. The paths are relative to the working
// directory where that holds them, as GitLab wants attachments.
func (s *stage) capture(ctx context.Context, id string, redact func(string) string) ([]string, error) {
	dir := filepath.Join(s.dir, "diagnostics", s.env.Spec.Topology, strings.ReplaceAll(id, "/", "-"))
	err := s.env.Diagnose(ctx, dir, redact)
	files, globErr := filepath.Glob(filepath.Join(dir, "*"))
	slices.SortStableFunc(files, func(a, b string) int { return cmp.Compare(telling(a), telling(b)) })
	if here, cwdErr := os.Getwd(); cwdErr == nil {
		for i, file := range files {
			if inside, relErr := filepath.Rel(here, file); relErr == nil && filepath.IsLocal(inside) {
				files[i] = inside
			}
		}
	}
	return files, errors.Join(err, globErr)
}

// telling orders diagnostics: events say most, then logs, then the objects.
func telling(file string) int {
	return slices.Index([]string{".txt", ".log", ".yaml"}, filepath.Ext(file))
}

// redact returns what removes this environment's secrets from text.
func (s *stage) redact() func(string) string { return s.scenarioEnv().Redactor().Redact }

// scenarios runs the functional suite. A failed scenario is a finding, not an error of the step.
func (s *stage) scenarios(ctx context.Context) error {
	list, err := scenario.Select(scenarios.All(), s.Plan.Scenarios)
	if err != nil {
		return err
	}
	suite := s.Suite
	if suite == nil {
		suite = scenario.Run
	}
	env := s.scenarioEnv()
	database, hangUp := s.env.OpenDatabase(ctx)
	defer hangUp()
	env.Database = database
	signals, err := s.env.Signals(ctx)
	if err != nil {
		return err
	}
	if signals {
		env.Features = append(env.Features, scenario.FeatureSignals)
	}
	if version, err := semver.NewVersion(s.out.Versions["openbao"]); err == nil && !version.LessThan(httpAuditSince) {
		env.Features = append(env.Features, scenario.FeatureAuditHTTP)
	}
	stop, err := scenario.PlayStacks(env, 0, s.recipes)
	if err != nil {
		return err
	}
	defer stop()
	outcomes, err := suite(ctx, env, list, scenario.Options{
		Repeat: s.Plan.Repeat, Shuffle: s.Plan.Shuffle,
		Progress: func(_ scenario.Scenario, r *result.Scenario) {
			if r != nil {
				s.UI.Scenario(*r)
			}
		},
		Round: func(number int, outcome []result.Scenario, took time.Duration) {
			count := map[result.Status]int{}
			for _, one := range outcome {
				count[one.Status]++
			}
			s.UI.Note(fmt.Sprintf("round %d of %d: %d passed, %d failed, %d skipped, in %v", number, s.Plan.Repeat,
				count[result.Passed], count[result.Failed], count[result.Skipped], took.Round(time.Second)))
		},
	})
	s.out.Scenarios = append(s.out.Scenarios, outcomes...)
	if errors.Is(err, scenario.ErrAbandoned) { // the scenario has failed; the next topology has namespaces of its own
		return chartError{err}
	}
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.changer.Restore(ctx) // scenarios kill and replace pods: load starts from a ready environment with the run's own values
}

// fixture is what a load generator is told of the tenants, with tokens that are good for valid.
func (s *stage) fixture(target string, valid time.Duration) ([]byte, error) {
	f, err := gitlab.NewFixture(target, s.seed, s.env.Audience(), s.env.Issuer, s.tenants, valid,
		s.Plan.Profile.FixtureOptions(s.recipes)...)
	if err != nil {
		return nil, err
	}
	return json.Marshal(f)
}

// drive runs k6 against the active Service while the environment is observed.
func (s *stage) drive(ctx context.Context) error {
	rate := s.Plan.Rate
	if rate == 0 {
		rate = s.Plan.Profile.PerSecond(s.Plan.Tier)
	}
	length := time.Duration(s.Plan.Profile.Warmup) + time.Duration(s.Plan.Profile.Duration)
	target, err := s.target(ctx)
	if err != nil {
		return err
	}
	data, err := s.fixture(target, length+10*time.Minute)
	if err != nil {
		return err
	}
	seen, err := s.watch(ctx)
	if err != nil {
		return err
	}
	s.UI.Note("k6: " + s.Plan.Profile.Outline(rate))
	s.out.Load, err = s.generate(ctx, load.Job{
		Name: s.env.Spec.Topology, Profile: s.Plan.Profile, Rate: rate, Target: target, Fixture: data,
		Thresholds: s.Plan.Thresholds(s.env.Spec.Topology),
	},
		func(iv result.Interval) { s.UI.Interval(iv, length) })
	seen()
	s.accountPods()
	s.out.Cost = s.out.DeriveCost()
	return err
}
