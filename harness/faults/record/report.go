package record

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/result"
)

// Kind is what a report says of itself.
const Kind = "TrackRecord"

// Report is the track record on one version.
type Report struct {
	result.Record
	Server string `json:"server"` // version of OpenBao
	Rows   []Row  `json:"rows"`
}

// Row is what became of a bug.
type Row struct {
	ID        string   `json:"id"`
	Title     string   `json:"title"`
	Issues    []int    `json:"issues"`
	Advisory  string   `json:"advisory,omitempty"`
	Since     string   `json:"since,omitempty"`
	Fixed     string   `json:"fixed,omitempty"`
	Expected  bool     `json:"expected"` // the version is said to have it; else the row is a control
	Command   string   `json:"command"`
	Tries     int      `json:"tries"`
	Found     int      `json:"found"`
	Undecided int      `json:"undecided"`        // tries that say nothing
	Reason    string   `json:"reason,omitempty"` // why the last of them does
	Proof     []string `json:"proof,omitempty"`  // what showed it the first time
	Seconds   float64  `json:"seconds"`
}

var reports = document.Codec[Report]{
	APIVersion: result.APIVersion, Kind: Kind, Input: "--from",
	Hint: "use the record.json of a run of steamer faults record",
}

// Encode is the report as JSON.
func Encode(r *Report) ([]byte, error) { return reports.Encode(r) }

// Decode reads data in the form of Encode; errors name the file and are of code exit.Invalid.
func Decode(name string, data []byte) (*Report, error) { return reports.Decode(name, data) }

// ReadFile reads the record.json of an earlier run. Errors are of code exit.Invalid.
func ReadFile(path string) (*Report, error) { return reports.ReadFile(path) }

// Merge sums up the reports of each version, in the order of their first. What is said of a bug is
// what the table says now.
func Merge(reports []*Report) []*Report {
	var merged []*Report
	for _, r := range reports {
		i := slices.IndexFunc(merged, func(m *Report) bool { return m.Server == r.Server })
		if i < 0 {
			first := *r
			first.Rows = slices.Clone(r.Rows)
			merged = append(merged, &first)
			continue
		}
		m := merged[i]
		m.Started, m.Partial = r.Started, m.Partial || r.Partial
		for _, row := range r.Rows {
			at := slices.IndexFunc(m.Rows, func(known Row) bool { return known.ID == row.ID })
			if at < 0 {
				m.Rows = append(m.Rows, row)
				continue
			}
			m.Rows[at].add(row)
		}
	}
	for _, m := range merged {
		for _, b := range Bugs() {
			at := slices.IndexFunc(m.Rows, func(row Row) bool { return row.ID == b.ID })
			if has, err := b.Has(m.Server); at >= 0 && err == nil {
				m.Rows[at].say(&b, has)
			}
		}
		m.conclude()
	}
	return merged
}

// say has the row say of a bug what the table does.
func (r *Row) say(b *Bug, has bool) {
	r.ID, r.Title, r.Issues, r.Advisory, r.Since, r.Fixed = b.ID, b.Title, b.Issues, b.Advisory, b.Since, b.Fixed
	r.Expected = has
}

// add adds the tries of another row of the bug.
func (r *Row) add(other Row) {
	r.Tries, r.Found, r.Undecided = r.Tries+other.Tries, r.Found+other.Found, r.Undecided+other.Undecided
	r.Seconds += other.Seconds
	if len(r.Proof) == 0 {
		r.Proof = other.Proof
	}
	if other.Reason != "" {
		r.Reason = other.Reason
	}
}

// Outcome is what became of the bug in a few words.
func (r *Row) Outcome() string {
	switch decided := r.Tries - r.Undecided; {
	case r.Found > 0:
		return fmt.Sprintf("%d of %d", r.Found, decided)
	case decided == 0:
		return "not decided"
	case r.Expected:
		return fmt.Sprintf("0 of %d: not found", decided)
	default:
		return fmt.Sprintf("0 of %d: not reproducible with this version", decided)
	}
}

// conclude gives the verdict. A bug that shows where it should not is an alarm that is false, or a
// bug that is back. One that does not show where it should makes silence worth less.
func (r *Report) conclude() {
	var fails, unsure []string
	public, own, silent := 0, 0, 0
	for i := range r.Rows {
		row := &r.Rows[i]
		switch {
		case row.Found > 0 && !row.Expected:
			fails = append(fails, fmt.Sprintf("%s shows in %s, and OpenBao %s should not have it", row.ID, row.Outcome(),
				r.Server))
		case row.Found > 0 && len(row.Issues) > 0:
			public++
		case row.Found > 0:
			own++
		case row.Tries == row.Undecided:
			unsure = append(unsure, fmt.Sprintf("%s was not decided: %s", row.ID, row.why()))
		case row.Expected:
			unsure = append(unsure, fmt.Sprintf("%s does not show in %d tries, and OpenBao %s should have it", row.ID,
				row.Tries-row.Undecided, r.Server))
		default:
			silent++
		}
	}
	if r.Partial {
		unsure = append(unsure, "it was interrupted")
	}
	r.Conclude(fails, unsure, []string{fmt.Sprintf("found again: public bugs %d, others %d; silent controls: %d", public,
		own, silent)})
}

func (r *Row) why() string {
	if r.Reason == "" {
		return "it was not tried"
	}
	return r.Reason
}

// Text writes a report for people.
func Text(w io.Writer, r *Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: OpenBao %s\n", r.Verdict, r.Server)
	for _, reason := range r.Reasons {
		fmt.Fprintf(&b, "  %s\n", reason)
	}
	b.WriteString("\n")
	for i := range r.Rows {
		row := &r.Rows[i]
		fmt.Fprintf(&b, "%-28s %-24s %s\n", row.ID, row.Outcome(), row.Numbers())
		for _, line := range row.Proof {
			fmt.Fprintf(&b, "    %s\n", line)
		}
		if row.Undecided > 0 {
			fmt.Fprintf(&b, "    %d tries say nothing: %s\n", row.Undecided, row.Reason)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Numbers are those of the issues, "none" where there is no public one.
func (r *Row) Numbers() string {
	var list []string
	for _, n := range r.Issues {
		list = append(list, fmt.Sprintf("#%d", n))
	}
	if r.Advisory != "" {
		list = append(list, r.Advisory)
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// Versions says which versions have the bug.
func (r *Row) Versions() string {
	switch {
	case r.Fixed == "":
		return "all that were tried"
	case r.Since == "":
		return "before " + r.Fixed
	default:
		return r.Since + " to before " + r.Fixed
	}
}
