// Package deadlines measures how long access is granted after its revocation was acknowledged: by
// a server that is well, and by a leader that slept while another one took over and revoked.
package deadlines

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// Kind is what a report says of itself.
const Kind = "RevocationDeadlines"

// Report is the table of deadlines.
type Report struct {
	result.Record
	Server string `json:"server"` // version
	Rows   []Row  `json:"rows"`
}

// Row is what trials of one kind gave. Each trial has data of its own.
type Row struct {
	Kind     string `json:"kind"`
	Revokes  string `json:"revokes"`        // by which request
	Slept    bool   `json:"slept"`          // requests waited in a leader that slept meanwhile
	Expected bool   `json:"expected"`       // that access goes on is how the server is made, see Note
	Note     string `json:"note,omitempty"` // what the figures depend on
	Trials   int    `json:"trials"`
	// Late is how many trials had a request granted that was sent after the acknowledgement.
	Late int `json:"late"`
	// Still is how many trials had access granted until they ended, half a second later.
	Still int `json:"still"`
	// LastMillis is the longest time from the acknowledgement to the answer of the last request
	// that was granted, of all trials; 0 where every grant was answered before. Where the leader
	// slept, it is the time from its wake-up.
	LastMillis float64 `json:"lastMillis"`
}

// Deadline is the row's result in a few words.
func (r *Row) Deadline() string {
	switch {
	case r.Trials == 0:
		return "not measured"
	case r.Still > 0:
		return fmt.Sprintf("%d of %d granted after the acknowledgement, %d of them still half a second later",
			r.Late, r.Trials, r.Still)
	case r.Late > 0:
		return fmt.Sprintf("%d of %d granted after the acknowledgement", r.Late, r.Trials)
	default:
		return fmt.Sprintf("≤ %.1f ms", r.LastMillis)
	}
}

// Options say what is measured.
type Options struct {
	Kinds     []string // names of Kinds; none is all
	Trials    int      // of each kind, 1 to 10000
	Awake     bool     // with a server that is well
	Sleep     bool     // with a leader that slept
	Server    localbao.Options
	Reproduce string
	Progress  func(string)
}

// Kinds are the names of what is revoked.
func Kinds() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}

// Validate refuses what cannot be measured, before anything is started.
func (o *Options) Validate() error {
	if o.Trials < 1 || o.Trials > 10_000 {
		return exit.Invalidf(fmt.Sprintf("--trials %d", o.Trials), "use 1 to 10000", "it is out of range")
	}
	if !o.Awake && !o.Sleep {
		return exit.Invalidf("--awake and --sleep", "leave one of them on", "nothing is left to measure")
	}
	for _, name := range o.Kinds {
		if !slices.Contains(Kinds(), name) {
			return exit.Invalidf("--kinds "+name, "choose from "+strings.Join(Kinds(), ", "), "there is no such kind")
		}
	}
	return nil
}

// Run starts two OpenBao on one PostgreSQL, measures and stops everything. An interrupt leaves the
// rows that were measured until then.
func Run(ctx context.Context, o Options) (*Report, error) {
	r := &Report{Record: result.NewRecord(Kind)}
	r.Reproduce = o.Reproduce
	err := o.measure(ctx, r)
	r.Partial = err != nil
	var fails, unsure []string
	for i := range r.Rows {
		row := &r.Rows[i]
		switch {
		case row.Late > 0 && !row.Expected:
			fails = append(fails, row.title()+": "+row.Deadline())
		case row.Trials < o.Trials:
			unsure = append(unsure, fmt.Sprintf("%s: %d trials of %d", row.title(), row.Trials, o.Trials))
		}
	}
	if err != nil {
		unsure = append(unsure, "not everything was measured")
	}
	r.Conclude(fails, unsure, []string{fmt.Sprintf("%d kinds: nothing that was sent after the acknowledgement was granted",
		len(r.Rows))})
	return r, err
}

func (r *Row) title() string {
	if r.Slept {
		return r.Kind + ", in a leader that slept"
	}
	return r.Kind
}

func (o *Options) measure(ctx context.Context, r *Report) error {
	b, err := start(ctx, o.Server)
	if err != nil {
		return err
	}
	defer b.stop()
	r.Server, r.Target = b.version, "two processes of OpenBao "+b.version+" on one PostgreSQL"
	var chosen []kind
	for _, k := range kinds {
		if len(o.Kinds) == 0 || slices.Contains(o.Kinds, k.name) {
			chosen = append(chosen, k)
		}
	}
	for _, k := range chosen {
		if !o.Awake {
			break
		}
		if err := o.awake(ctx, b, r, k); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	if o.Sleep {
		return o.asleep(ctx, b, r, chosen)
	}
	return nil
}

// awake measures one kind with a server that is well.
func (o *Options) awake(ctx context.Context, b *bench, r *Report, k kind) error {
	r.Rows = append(r.Rows, Row{Kind: k.name, Revokes: k.revokes, Expected: k.expected, Note: k.note})
	row := &r.Rows[len(r.Rows)-1]
	began := time.Now()
	for row.Trials < o.Trials {
		t, err := b.prepare(ctx, k)
		if err != nil {
			return err
		}
		out, err := t.watch(ctx)
		if err != nil {
			return err
		}
		row.Trials++
		if out.late {
			row.Late++
		}
		if out.still {
			row.Still++
		}
		row.LastMillis = max(row.LastMillis, millis(out.last))
		if row.Trials%50 == 0 || row.Trials == o.Trials {
			o.Progress(fmt.Sprintf("%s: %d of %d trials after %.0f s: %s", k.name, row.Trials, o.Trials,
				time.Since(began).Seconds(), row.Deadline()))
		}
	}
	return nil
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

var codec = document.Codec[Report]{
	APIVersion: result.APIVersion, Kind: Kind, Hint: "use the deadlines.json of steamer faults deadlines",
}

// Encode is the report as JSON.
func Encode(r *Report) ([]byte, error) { return codec.Encode(r) }

// WriteFile writes the report to path as JSON.
func WriteFile(path string, r *Report) error { return codec.WriteFile(path, r) }
