package calibrate

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// Read reads the comparisons of a directory, *.json but calibration.json and campaign.json, in the
// order of their names, or those of a campaign's file. Errors are of code exit.Invalid: none
// there, one that cannot be read, or two of different designs, whose rates must not be mixed.
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

// File and CampaignFile are the names of a calibration and of what it was made from, beside its
// comparisons.
const (
	File         = "calibration.json"
	CampaignFile = "campaign.json"
)

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
