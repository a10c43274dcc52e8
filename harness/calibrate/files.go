package calibrate

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
)

// Read reads the comparisons of a directory, *.json but calibration.json and campaign.json, in the
// order of their names, or those of a campaign's file. Errors are of code exit.Invalid: none there,
// one that cannot be read, or two of different designs, whose rates must not be mixed.
func Read(dir string) ([]*compare.Comparison, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		data, err := os.ReadFile(dir)
		if err != nil {
			return nil, exit.Invalidf(dir, "make it readable", "%w", err)
		}
		c, err := DecodeCampaign(dir, data)
		if err != nil {
			return nil, err
		}
		return c.Restore(), nil
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, exit.Invalidf(dir, "", "%w", err)
	}
	slices.Sort(names)
	var list []*compare.Comparison
	for _, name := range names {
		if base := filepath.Base(name); base == File || base == CampaignFile {
			continue
		}
		doc, err := compare.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 && !sameDesign(list[0].Design, doc.Design) {
			return nil, exit.Invalidf(name, "keep calibrations of different designs in directories of their own",
				"its design differs from that of %s", names[0])
		}
		list = append(list, doc)
	}
	if len(list) == 0 {
		return nil, exit.Invalidf(dir, "name the directory of a calibration", "it holds no comparison")
	}
	return list, nil
}

func sameDesign(a, b compare.Design) bool {
	a.Seed, b.Seed = 0, 0
	x, _ := json.Marshal(a) // cannot fail: numbers and strings
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// File and CampaignFile are the names of a calibration and of what it rests on, beside its
// comparisons.
const (
	File         = "calibration.json"
	CampaignFile = "campaign.json"
)

// Write writes the calibration into dir, the comparisons it was made from in their smallest form,
// and a picture of them.
func Write(dir string, c *Calibration, list []*compare.Comparison) error {
	data, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return fmt.Errorf("calibration cannot be written as JSON: %w", err)
	}
	campaign, err := EncodeCampaign(NewCampaign(list))
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{File: append(data, '\n'), CampaignFile: campaign} {
		path := filepath.Join(dir, name)
		if err := secret.WriteFile(path, text, secret.Public); err != nil {
			return exit.Environmentf(path, "make the directory writable", "%w", err)
		}
	}
	_, err = WritePlot(dir, list)
	return err
}

// Quarantine is the file of metrics that this calibration takes out of the gate, for a time.
func (c *Calibration) Quarantine(now time.Time, last time.Duration) ([]byte, error) {
	q := compare.Quarantine{APIVersion: result.APIVersion, Kind: compare.QuarantineKind, Metrics: []compare.Quarantined{}}
	for _, m := range c.Metrics {
		if m.Quarantine {
			q.Metrics = append(q.Metrics, compare.Quarantined{
				Metric: m.Name, Since: now.UTC(), Expires: now.Add(last).UTC(),
				Reason: fmt.Sprintf("%d pairs could not have shown less than %.1f %%, calibrated in %d comparisons",
					c.Design.MaxPairs, 100*m.MDE, c.Same.Of),
			})
		}
	}
	return yaml.Marshal(q)
}

// Text prints a calibration.
func Text(w io.Writer, c *Calibration) error {
	var b strings.Builder
	d := c.Design
	fmt.Fprintf(&b, "%s, %g fetches/s, slices of %g s, at most %d pairs, alpha %g\n\n", d.Where, d.Rate, d.Slice,
		d.MaxPairs, d.Alpha)
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what\tof\trate\tbounds (95 % each)")
	line := func(name string, r Rate, bounds string) {
		if r.Of > 0 {
			fmt.Fprintf(table, "%s\t%d of %d\t%.1f %%\t%s\n", name, r.Events, r.Of, 100*float64(r.Events)/float64(r.Of), bounds)
		}
	}
	bounds := func(r Rate) string { return fmt.Sprintf("%.1f to %.1f %%", 100*r.Lower, 100*r.Upper) }
	const dependent = "–" // relabellings of one comparison are no independent tries
	line("false alarms, the system with itself", c.Same, bounds(c.Same))
	line("the same, relabelled", c.Relabelled, dependent)
	line("the same, relabelled, margin 0", c.RelabelledZero, dependent)
	for _, f := range c.Found {
		what := treatment{f.Injected, f.CPUs}.label()
		line(what+": FAIL", f.Failed, bounds(f.Failed))
		line(what+": an interval above 1", f.Shown, bounds(f.Shown))
	}
	fmt.Fprintln(table, "\nmetric\tSD of a pair\tMDE\tCV of slices\tnoise\t")
	for _, m := range c.Metrics {
		note := ""
		if m.Quarantine {
			note = "quarantine: the margin cannot be seen"
		}
		fmt.Fprintf(table, "%s\t%.1f %%\t%.1f %%\t%.1f %%\t%s\t%s\n", m.Name, 100*m.SD, 100*m.MDE, 100*m.CV, m.Noise, note)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}
