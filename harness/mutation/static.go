package mutation

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/lint"
)

// measured are the rules that try every value of a chart, which takes much longer than the others.
var measured = []string{"values/dead", "values/unexercised", "values/reach-pods"}

// checks tries mutants by charts check. The zero value with root set is ready.
type checks struct {
	root  string
	mutex sync.Mutex
	sound map[bool][]string // findings in the chart as it is, with the measured rules and without
}

// try looks for a finding of the mutant's rules that the chart as it is does not have.
func (c *checks) try(ctx context.Context, m Mutant) (Outcome, error) {
	started := time.Now()
	slow := slices.ContainsFunc(m.Rules, func(id string) bool { return slices.Contains(measured, id) })
	known, err := c.control(ctx, slow)
	if err != nil {
		return Outcome{}, err
	}
	dir, err := os.MkdirTemp("", "steamer-mutant-")
	if err != nil {
		return Outcome{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := m.copyCharts(c.root, dir); err != nil {
		return Outcome{}, fmt.Errorf("mutant %s: %w", m.ID, err)
	}
	report, err := check(ctx, dir, m.Values, slow)
	if err != nil {
		return Outcome{}, fmt.Errorf("mutant %s: %w", m.ID, err)
	}
	o := Outcome{Mutant: m, Status: Survived}
	for _, f := range report.Findings {
		if slices.Contains(known, mark(f)) || f.Severity == lint.Info {
			continue
		}
		if !slices.Contains(m.Rules, f.Rule) || !strings.Contains(f.Message, m.Because) {
			o.Reason = "charts check found something else: " + f.Rule + ": " + f.Message
			continue
		}
		o.Status, o.By, o.Reason = Killed, f.Rule, f.Message
		break
	}
	if o.Status == Survived && m.Survives != "" {
		o.Status, o.Reason = Explained, m.Survives
	}
	o.Seconds = time.Since(started).Seconds()
	return o, nil
}

// control are the findings in the chart as it is.
func (c *checks) control(ctx context.Context, slow bool) ([]string, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if known, ok := c.sound[slow]; ok {
		return known, nil
	}
	report, err := check(ctx, filepath.Join(c.root, kinds[Chart]), nil, slow)
	if err != nil {
		return nil, exit.Environmentf("the chart without any mutation", "steamer charts check charts/openbao", "%w", err)
	}
	known := []string{}
	for _, f := range report.Findings {
		known = append(known, mark(f))
	}
	if c.sound == nil {
		c.sound = map[bool][]string{}
	}
	c.sound[slow] = known
	return known, nil
}

// check checks the chart openbao in a directory of charts.
func check(ctx context.Context, dir string, values map[string]any, slow bool) (*lint.Report, error) {
	c, err := chart.Load(filepath.Join(dir, "openbao"))
	if err != nil {
		return nil, err
	}
	skip := map[string]string{}
	for _, id := range measured {
		if !slow {
			skip[id] = "not among the rules of the mutant"
		}
	}
	return lint.Run(ctx, c, lint.Options{Values: values, Dialect: lint.Auto, Skip: skip})
}

// mark tells findings apart, whatever line they are at and whatever hash of the values their
// object's name ends in.
func mark(f lint.Finding) string {
	return strings.Join([]string{f.Rule, f.File, f.Path, f.Message}, "\x00")
}
