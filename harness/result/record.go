package result

import (
	"slices"
	"time"
)

// Record is what a campaign, such as a search for the capacity, says of itself beside its figures.
type Record struct {
	APIVersion  string    `json:"apiVersion"`
	Kind        string    `json:"kind"`
	Started     time.Time `json:"started"`
	Finished    time.Time `json:"finished"`
	Reproduce   string    `json:"reproduce,omitempty"` // the command line that repeats it
	Target      string    `json:"target,omitempty"`    // what was driven
	HostCPUs    int       `json:"hostCPUs,omitempty"`
	Verdict     Verdict   `json:"verdict"`
	Reasons     []string  `json:"reasons"`
	Partial     bool      `json:"partial"` // interrupted or ended by an error
	NotMeasured []string  `json:"notMeasured,omitempty"`
}

// NewRecord begins the record of a campaign of a kind.
func NewRecord(kind string) Record {
	return Record{
		APIVersion: APIVersion, Kind: kind, Started: time.Now().UTC(), Verdict: Inconclusive, Reasons: []string{},
	}
}

// Conclude ends the record with the verdict of Conclude.
func (r *Record) Conclude(fails, unsure, good []string) {
	r.Finished = time.Now().UTC()
	r.Verdict, r.Reasons = Conclude(fails, unsure, good)
}

// Conclude is the verdict of what failed, what could not be judged and what is well, with its
// reasons, the most important first. A FAIL also lists what could not be judged; what is well
// explains a PASS only.
func Conclude(fails, unsure, good []string) (Verdict, []string) {
	switch {
	case len(fails) > 0:
		return Fail, slices.Concat(fails, unsure)
	case len(unsure) > 0:
		return Inconclusive, unsure
	}
	return Pass, good
}
