package calibrate

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/result"
)

// CampaignKind is the value of Campaign.Kind.
const CampaignKind = "Campaign"

// Campaign is what a calibration measured, in the smallest form from which it can be judged again:
// of every slice the metrics that decide, and what went wrong. It is meant to be kept.
type Campaign struct {
	APIVersion  string         `json:"apiVersion"` // result.APIVersion
	Kind        string         `json:"kind"`
	Reproduce   string         `json:"reproduce"`
	Steamer     string         `json:"steamer"` // version and commit
	Host        result.Host    `json:"host"`
	Design      compare.Design `json:"design"` // of all; each had a seed of its own
	Comparisons []Measured     `json:"comparisons"`
}

// Measured is one comparison of a campaign. Lists have an entry for each pair, in the order in
// which they were driven.
type Measured struct {
	ID       string               `json:"id"`
	Started  time.Time            `json:"started"`
	Seconds  float64              `json:"seconds"`
	Injected float64              `json:"injected,omitempty"`
	Delay    float64              `json:"delay,omitempty"` // ms
	CPUs     float64              `json:"cpus,omitempty"`
	BA       []int                `json:"ba"` // numbers of the pairs whose first slice was B's, from 0
	A        map[string][]float64 `json:"a"`  // metric to values; -1 where a slice has none
	B        map[string][]float64 `json:"b"`
	Odd      map[string]OddSlice  `json:"odd,omitempty"` // slices that are not simply valid, by arm and number of the pair, e.g. "B3"
}

// OddSlice is what a slice has that most have not.
type OddSlice struct {
	Failed   int64             `json:"failed,omitempty"`
	Wrong    int64             `json:"wrong,omitempty"`
	Invalid  []string          `json:"invalid,omitempty"`
	Overload string            `json:"overload,omitempty"`
	Thin     map[string]string `json:"thin,omitempty"`
}

func (o OddSlice) empty() bool {
	return o.Failed == 0 && o.Wrong == 0 && len(o.Invalid) == 0 && o.Overload == "" && len(o.Thin) == 0
}

// none stands for a metric that a slice has no value of; real ones are not negative.
const none = -1

var campaigns = document.Codec[Campaign]{
	APIVersion: result.APIVersion, Kind: CampaignKind, Hint: "use the campaign.json of a calibration",
	Check: (*Campaign).check,
}

// NewCampaign puts comparisons of one design, of which there is at least one, into their smallest
// form.
func NewCampaign(list []*compare.Comparison) *Campaign {
	first := list[0]
	c := &Campaign{
		APIVersion: result.APIVersion, Kind: CampaignKind, Reproduce: first.Reproduce, Steamer: first.Steamer,
		Host:   first.Host,
		Design: first.Design, Comparisons: []Measured{},
	}
	for _, doc := range list {
		m := Measured{
			ID: doc.ID, Started: doc.Started, Seconds: round(doc.Finished.Sub(doc.Started).Seconds()), Injected: doc.B.Injected,
			Delay: doc.B.Delay,
			CPUs:  doc.B.CPUs, BA: []int{}, A: map[string][]float64{}, B: map[string][]float64{}, Odd: map[string]OddSlice{},
		}
		for i, p := range doc.Pairs {
			if p.Order == "BA" {
				m.BA = append(m.BA, i)
			}
			m.keep(compare.A, i, p.A, m.A, doc.Design)
			m.keep(compare.B, i, p.B, m.B, doc.Design)
		}
		c.Comparisons = append(c.Comparisons, m)
	}
	return c
}

func (m *Measured) keep(arm string, i int, s compare.Slice, into map[string][]float64, d compare.Design) {
	odd := OddSlice{Failed: s.Failed, Wrong: s.Wrong, Invalid: s.Invalid, Overload: s.Overload}
	for _, g := range d.GateMetrics {
		v, ok := s.Values[g.Name]
		if !ok {
			v = none
		}
		into[g.Name] = append(into[g.Name], round(v))
		if why := s.Thin[g.Name]; why != "" {
			if odd.Thin == nil {
				odd.Thin = map[string]string{}
			}
			odd.Thin[g.Name] = why
		}
	}
	if !odd.empty() {
		m.Odd[arm+strconv.Itoa(i)] = odd
	}
}

// round keeps five significant digits, a thousandth of what the noise of a slice is.
func round(v float64) float64 {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return v
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 5, 64), 64)
	return rounded
}

// Restore makes comparisons of it that can be judged.
func (c *Campaign) Restore() []*compare.Comparison {
	var list []*compare.Comparison
	for _, m := range c.Comparisons {
		doc := compare.New(m.ID, c.Design)
		doc.Started, doc.Finished, doc.Partial = m.Started, m.Started.Add(time.Duration(m.Seconds*float64(time.Second))),
			false
		doc.Reproduce, doc.Steamer, doc.Host = c.Reproduce, c.Steamer, c.Host
		doc.B.Injected, doc.B.Delay, doc.B.CPUs = m.Injected, m.Delay, m.CPUs
		for i := range m.pairs() {
			doc.Pairs = append(doc.Pairs, compare.Pair{
				Order: "AB", A: m.slice(compare.A, i, m.A),
				B: m.slice(compare.B, i, m.B),
			})
		}
		for _, i := range m.BA {
			doc.Pairs[i].Order = "BA"
		}
		compare.Judge(doc, nil)
		list = append(list, doc)
	}
	return list
}

// pairs is how many there are; all lists are as long, see check.
func (m *Measured) pairs() int {
	for _, values := range m.A {
		return len(values)
	}
	return 0
}

func (m *Measured) slice(arm string, i int, values map[string][]float64) compare.Slice {
	odd := m.Odd[arm+strconv.Itoa(i)]
	s := compare.Slice{
		Values: map[string]float64{}, Failed: odd.Failed, Wrong: odd.Wrong, Invalid: odd.Invalid, Overload: odd.Overload,
		Thin: odd.Thin,
	}
	for name, list := range values {
		if list[i] != none {
			s.Values[name] = list[i]
		}
	}
	return s
}

// EncodeCampaign renders it with a line for each comparison.
func EncodeCampaign(c *Campaign) ([]byte, error) {
	head := *c
	head.Comparisons = []Measured{}
	out, err := json.MarshalIndent(head, "", " ")
	if err != nil {
		return nil, fmt.Errorf("campaign cannot be written as JSON: %w", err)
	}
	out = out[:len(out)-len("[]\n}")]
	for i, m := range c.Comparisons {
		line, err := json.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("campaign cannot be written as JSON: %w", err)
		}
		out = append(out, []byte{'[', ','}[min(i, 1)], '\n')
		out = append(out, line...)
	}
	return append(out, "]}\n"...), nil
}

// DecodeCampaign reads what EncodeCampaign wrote; errors are of code exit.Invalid.
func DecodeCampaign(name string, data []byte) (*Campaign, error) {
	return campaigns.Decode(name, data)
}

func (c *Campaign) check() error {
	if err := c.Design.Check(); err != nil {
		return err
	}
	if len(c.Comparisons) == 0 {
		return fmt.Errorf("it holds no comparison")
	}
	for _, m := range c.Comparisons {
		n := m.pairs()
		for _, side := range []map[string][]float64{m.A, m.B} {
			if len(side) != len(c.Design.GateMetrics) {
				return fmt.Errorf("%s: %d metrics, %d decide", m.ID, len(side), len(c.Design.GateMetrics))
			}
			for name, values := range side {
				if len(values) != n || n > c.Design.MaxPairs {
					return fmt.Errorf("%s: %d values of %s, %d pairs, planned were at most %d", m.ID, len(values), name, n,
						c.Design.MaxPairs)
				}
				for _, v := range values {
					if !(v >= 0) && v != none || math.IsInf(v, 0) {
						return fmt.Errorf("%s: %s is %v", m.ID, name, v)
					}
				}
			}
		}
		for slice, odd := range m.Odd {
			if odd.Failed < 0 || odd.Wrong < 0 {
				return fmt.Errorf("%s: slice %s has a negative count", m.ID, slice)
			}
		}
		for _, i := range m.BA {
			if i < 0 || i >= n {
				return fmt.Errorf("%s: there is no pair %d", m.ID, i)
			}
		}
	}
	return nil
}
