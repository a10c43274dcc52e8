package lint

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/topology"
)

// Auto tries the dialects in turn and takes the first that fits; None checks the chart without
// topologies.
const (
	Auto = "auto"
	None = "none"
)

// defaultsCase renders the chart with nothing but its own and the user's values.
const defaultsCase = "defaults"

// tried are the dialects that Auto looks for.
var tried = []string{"gitlab", "community"}

// baseCases renders the topologies, the ci files and the defaults. The error is an exit.Invalid
// error: the dialect does not fit, or the user's values do not fit the schema.
func (s *subject) baseCases(dialect string) error {
	topologies, err := s.topologyCases(dialect)
	if err != nil {
		return err
	}
	s.cases = append(s.cases, topologies...)
	files, err := s.ciFiles()
	if err != nil {
		return err
	}
	for _, file := range files {
		s.cases = append(s.cases, &Case{Name: file.name, ci: file.name, Values: file.values})
	}
	s.cases = append(s.cases, &Case{Name: defaultsCase, Values: map[string]any{}})
	step := s.progress.begin("base cases", len(s.cases))
	refused := make([]error, len(s.cases))
	inParallel(len(s.cases), func(i int) {
		defer step()
		c := s.cases[i]
		c.Kind, c.Release = Base, release
		if s.dialect != nil {
			c.Release = s.dialect.Release
		}
		if refused[i] = s.overlay(c); refused[i] == nil {
			s.render(c)
		}
		if with := *c; c.Err != nil && !errors.Is(c.Err, chart.ErrValues) && len(s.asked) > 0 {
			with.apis = s.asked
			if s.render(&with); with.Err == nil {
				*c = with
				c.needs = append(c.needs, s.asked...)
			}
		}
	})
	for _, err := range refused { // not joined: the cases share their values, and so the reason
		if err != nil {
			return err
		}
	}
	return nil
}

// overlay lays the user's values over a case; values that are the reason why it does not fit the
// schema are bad input.
func (s *subject) overlay(c *Case) error {
	if len(s.user) == 0 {
		return nil
	}
	_, before := s.renderer.RenderDocuments(c.rendering(s), c.Values)
	c.Values = chart.Merge(c.Values, s.user)
	_, after := s.renderer.RenderDocuments(c.rendering(s), c.Values)
	if errors.Is(after, chart.ErrValues) && !errors.Is(before, chart.ErrValues) {
		return after
	}
	return nil
}

// topologyCases returns a case for each topology in a dialect that fits the chart, none where Auto
// finds no such dialect.
func (s *subject) topologyCases(wanted string) ([]*Case, error) {
	names := []string{wanted}
	switch wanted {
	case None:
		return nil, nil
	case Auto:
		names = tried
	}
	for _, name := range names {
		dialect, err := topology.DialectNamed(name)
		if err == nil {
			var cases []*Case
			if cases, err = s.fit(dialect); err == nil {
				s.dialect = dialect
				return cases, nil
			}
		}
		if wanted != Auto {
			return nil, err
		}
	}
	return nil, nil
}

// fit renders the topologies as a dialect says, and looks for what the dialect promises: OpenBao's
// pods and the active Service.
func (s *subject) fit(dialect *topology.Dialect) ([]*Case, error) {
	var cases []*Case
	for _, name := range topology.Names() {
		sample, err := dialect.Sample(s.chart, name)
		if err != nil {
			return nil, err
		}
		c := &Case{
			Name: name, Values: sample.Values, Release: dialect.Release, supplied: sample.Secrets,
			existing: sample.Existing,
		}
		documents, err := s.renderer.RenderDocuments(c.rendering(s), c.Values)
		if err == nil {
			err = promises(dialect, documents)
		} else if !errors.Is(err, chart.ErrValues) {
			err = nil // the chart's own fault, or a value that it requires: rule helm/renders tells
		}
		if err != nil {
			return nil, exit.Invalidf("--dialect "+dialect.Name,
				"name the dialect that the chart's values follow, or --dialect none",
				"it does not fit in topology %s: %w", name, err)
		}
		cases = append(cases, c)
	}
	return cases, nil
}

func promises(dialect *topology.Dialect, documents []chart.Document) error {
	selector, err := labels.Parse(dialect.Selector)
	if err != nil {
		return fmt.Errorf("selector of dialect %s: %w", dialect.Name, err)
	}
	pods, service := false, false
	for _, document := range documents {
		for _, object := range parse(document) {
			service = service || object.ID() == "Service/"+dialect.ActiveService
			p := object.pod()
			if p == nil || !selector.Matches(labels.Set(p.meta.Labels)) {
				continue
			}
			pods = pods || slices.ContainsFunc(p.spec.Containers,
				func(c corev1.Container) bool { return c.Name == dialect.Container })
		}
	}
	switch {
	case !pods:
		return fmt.Errorf("no pods labelled %s with a container %s", dialect.Selector, dialect.Container)
	case !service:
		return fmt.Errorf("no Service %s", dialect.ActiveService)
	}
	return nil
}

// valuesFile is a parsed values file of the chart.
type valuesFile struct {
	name   string
	values map[string]any
}

// ciFiles returns the chart's ci/*-values.yaml. A directory's are read even where .helmignore
// leaves them out of the chart.
func (s *subject) ciFiles() ([]valuesFile, error) {
	const pattern = "ci/*-values.yaml"
	found := s.chart.Files(func(name string) bool {
		matched, _ := path.Match(pattern, name) // the pattern is well-formed
		return matched
	})
	ignored, _ := filepath.Glob(filepath.Join(s.chart.Info().Source, filepath.FromSlash(pattern)))
	for _, file := range ignored {
		name := "ci/" + filepath.Base(file)
		if found[name] == nil {
			data, err := os.ReadFile(file)
			if err != nil {
				return nil, exit.Invalidf("values "+file, "name a chart whose files can be read", "%w", err)
			}
			found[name] = data
		}
	}
	var files []valuesFile
	for name, data := range found {
		values, err := chart.ParseValues(name, data)
		if err != nil {
			return nil, err
		}
		files = append(files, valuesFile{name, values})
	}
	slices.SortFunc(files, func(a, b valuesFile) int { return strings.Compare(a.name, b.name) })
	return files, nil
}
