package upgrade

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
)

// Head is the name of the chart under test.
const Head = "head"

// Releases are where a chart's releases are.
type Releases struct {
	// Place is a directory of archives NAME-VERSION.tgz, its index.yaml, the URL of a Helm
	// repository, or oci://REGISTRY/PATH without the chart's name.
	Place string
	Head  *chart.Chart // the chart under test, which is called Head
	Fetch chart.Fetcher
}

// Find returns a release by its version, the chart under test by Head, and any other chart by its
// path or its oci:// reference. flag is the flag that names it. Errors are of code exit.Invalid.
func (r Releases) Find(ctx context.Context, flag, name string) (*chart.Chart, error) {
	switch {
	case name == Head:
		return r.Head, nil
	case strings.ContainsAny(name, `/\`) || strings.HasSuffix(name, ".tgz"):
		return r.Fetch.Load(ctx, chart.Source{Name: name})
	case r.Place == "":
		return nil, exit.Invalidf(flag+" "+name, "add --releases DIRECTORY or URL, or name a path to the archive",
			"it is not known where the releases of chart %s are", r.Head.Info().Name)
	case strings.Contains(r.Place, "://"):
		source := chart.Source{Repo: r.Place, Name: r.Head.Info().Name, Version: name}
		if strings.HasPrefix(r.Place, "oci://") {
			source.Repo, source.Name = "", strings.TrimSuffix(r.Place, "/")+"/"+source.Name
		}
		c, err := r.Fetch.Load(ctx, source)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", flag, name, err)
		}
		return c, nil
	}
	return r.archive(ctx, flag, name)
}

// archive finds a release among the archives of a directory.
func (r Releases) archive(ctx context.Context, flag, version string) (*chart.Chart, error) {
	dir := strings.TrimSuffix(r.Place, "index.yaml")
	prefix := r.Head.Info().Name + "-"
	entries, err := os.ReadDir(filepath.Clean(dir))
	if err != nil {
		return nil, exit.Invalidf("--releases "+r.Place, "name a directory that holds archives such as "+prefix+"1.2.3.tgz",
			"%w", err)
	}
	var known []string
	for _, entry := range entries {
		found, isArchive := strings.CutSuffix(strings.TrimPrefix(entry.Name(), prefix), ".tgz")
		if !isArchive || !strings.HasPrefix(entry.Name(), prefix) {
			continue
		}
		if found == version {
			return r.Fetch.Load(ctx, chart.Source{Name: filepath.Join(dir, entry.Name())})
		}
		known = append(known, found)
	}
	hint := "there are no releases of the chart in it"
	if len(known) > 0 {
		hint = "choose from " + strings.Join(known, ", ")
	}
	return nil, exit.Invalidf(flag+" "+version, hint, "%s has no such release of chart %s", r.Place, r.Head.Info().Name)
}

// CheckImages refuses an edge whose image is older than the one that wrote the data, as far as
// tags say so: OpenBao does not promise that an older version reads what a newer one wrote. The
// error is of code exit.Invalid.
func (e Edge) CheckImages() error {
	if older(tag(e.To.Image), tag(e.From.Image)) {
		return exit.Invalidf("upgrade "+e.String(), "name an image of the same version or a later one",
			"image %s is older than the data, which %s writes", e.To.Image, e.From.Image)
	}
	return nil
}

// older reports whether one version is before another; false where either cannot be read.
func older(version, than string) bool {
	one, err := semver.NewVersion(version)
	if err != nil {
		return false
	}
	other, err := semver.NewVersion(than)
	return err == nil && one.LessThan(other)
}

// tag is the tag of an image reference, "" without one.
func tag(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	if i := strings.LastIndex(ref, ":"); i > strings.LastIndex(ref, "/") {
		return ref[i+1:]
	}
	return ""
}

// Files returns a stop for each ci/*-values.yaml of a chart, by name. A directory's are read even
// where .helmignore leaves them out of the chart. Errors are of code exit.Invalid.
func Files(name string, c *chart.Chart, image string) ([]Stop, error) {
	const pattern = "ci/*-values.yaml"
	texts := c.Files(func(name string) bool {
		matched, _ := path.Match(pattern, name) // the pattern is well-formed
		return matched
	})
	ignored, _ := filepath.Glob(filepath.Join(c.Info().Source, filepath.FromSlash(pattern)))
	for _, file := range ignored {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, exit.Invalidf("values "+file, "name a chart whose files can be read", "%w", err)
		}
		texts["ci/"+filepath.Base(file)] = data
	}
	var out []Stop
	for file, text := range texts {
		values, err := chart.ParseValues(file, text)
		if err != nil {
			return nil, err
		}
		short := strings.TrimSuffix(path.Base(file), "-values.yaml")
		out = append(out, Stop{Name: name + " " + short, Chart: c, Image: image, Base: values})
	}
	slices.SortFunc(out, func(a, b Stop) int { return strings.Compare(a.Name, b.Name) })
	if len(out) < 2 {
		return nil, exit.Invalidf("--values-pairs", "add values files as ci/NAME-values.yaml to the chart, or leave it out",
			"chart %s has %d of them, and a pair needs two", c.Info().Name, len(out))
	}
	return out, nil
}
