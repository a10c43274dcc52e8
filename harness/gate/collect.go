package gate

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
)

// Work is what a release gate does itself, one part after the other. A nil part is left out.
type Work struct {
	Dir     string // where records go that have no directory of their own
	Steamer string // version, for the records
	// Check checks the chart without a cluster.
	Check func(context.Context) (*lint.Report, error)
	// Run installs, checks and loads the chart in every topology; dir is its run directory.
	Run func(context.Context) (outcome *result.Result, dir string, err error)
	// Compare compares the chart with its previous release; path is comparison.json, or empty
	// where the failure left none that says what was compared. A failure costs the release nothing
	// that is done: the decision is made without.
	Compare func(context.Context) (path string, err error)
	// Mutants breaks things on purpose, and says which part of the mutants was tried; nil for all.
	Mutants func(context.Context) ([]mutation.Outcome, *mutation.Sample, error)
	// Faults breaks the chart while it serves, in each topology, and returns the histories. Where
	// it fails, the decision is made with those that there are.
	Faults func(context.Context) (histories []string, err error)
	// Start is told what begins, and what it returns, how that ended; it may be nil.
	Start func(part string) (done func(error))
	// Note is told what part could not be done to its end, and why; it may be nil.
	Note func(string)
}

// Collect does the work and returns the paths of the evidence. The cheap part comes first. A part
// that ends in bad news is evidence like any other, and the next one follows; so does one that
// failed half way and left a record, since that record says so. An error is what left none: bad
// input, a broken environment; or an interruption, beside the paths of what was recorded before
// it.
func (w Work) Collect(ctx context.Context) ([]string, error) {
	var paths []string
	one := func(do func(context.Context) (string, error)) func(context.Context) ([]string, error) {
		return func(ctx context.Context) ([]string, error) {
			path, err := do(ctx)
			if path == "" {
				return nil, err
			}
			return []string{path}, err
		}
	}
	for _, part := range []struct {
		name string
		has  bool
		do   func(context.Context) ([]string, error)
	}{
		{"static checks", w.Check != nil, one(w.check)},
		{"suite and load", w.Run != nil, one(w.run)},
		{"comparison with the previous release", w.Compare != nil, one(w.compare)},
		{"faults", w.Faults != nil, w.faults},
		{"mutants", w.Mutants != nil, one(w.mutants)},
	} {
		if err := ctx.Err(); err != nil {
			return paths, err
		}
		if !part.has {
			continue
		}
		ended := func(error) {}
		if w.Start != nil {
			ended = w.Start(part.name)
		}
		done, err := part.do(ctx)
		ended(err)
		paths = append(paths, done...)
		if err != nil {
			return paths, err
		}
	}
	return paths, nil
}

func (w Work) check(ctx context.Context) (string, error) {
	report, err := w.Check(ctx)
	if err != nil {
		return "", err
	}
	var data bytes.Buffer
	if err := lint.JSON(&data, report); err != nil {
		return "", err
	}
	return w.write("charts-check.json", data.Bytes())
}

func (w Work) run(ctx context.Context) (string, error) {
	outcome, dir, err := w.Run(ctx)
	switch {
	case outcome == nil:
		return "", errors.Join(ctx.Err(), err)
	case ctx.Err() != nil: // what it had proven by then is evidence
		return filepath.Join(dir, "result.json"), errors.Join(ctx.Err(), err)
	case err != nil && w.Note != nil:
		w.Note("the run did not reach its end: " + err.Error())
	}
	return filepath.Join(dir, "result.json"), nil
}

func (w Work) compare(ctx context.Context) (string, error) {
	path, err := w.Compare(ctx)
	if ctx.Err() != nil {
		return "", errors.Join(ctx.Err(), err)
	}
	if err != nil && w.Note != nil {
		w.Note("the comparison did not reach its end: " + err.Error())
	}
	return path, nil
}

func (w Work) faults(ctx context.Context) ([]string, error) {
	histories, err := w.Faults(ctx)
	if ctx.Err() != nil {
		return histories, errors.Join(ctx.Err(), err)
	}
	if err != nil && w.Note != nil {
		w.Note("the faults did not reach their end: " + err.Error())
	}
	return histories, nil
}

func (w Work) mutants(ctx context.Context) (string, error) {
	outcomes, sample, err := w.Mutants(ctx)
	if err != nil {
		return "", err
	}
	data, err := mutation.Encode(w.Steamer, time.Now(), sample, outcomes)
	if err != nil {
		return "", err
	}
	return w.write("mutants.json", data)
}

func (w Work) write(name string, data []byte) (string, error) {
	path := filepath.Join(w.Dir, name)
	if err := secret.WriteFile(path, data, secret.Public); err != nil {
		return "", exit.Environmentf(path, "make the directory writable and free some disk space", "%w", err)
	}
	return path, nil
}
