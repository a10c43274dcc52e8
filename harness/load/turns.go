package load

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// turnsScript is the workload that drives two systems by turns.
const turnsScript = "turns"

// Turns is one k6 that drives two systems by turns.
type Turns struct {
	Name     string        // names the interval log
	Order    string        // whose slice it is, A or B, in order
	Profile  Profile       // of a slice: its Duration, whole seconds; Warmup is not used
	Rate     float64       // fetches per second in every slice
	Gap      time.Duration // between slices, 0 or more
	Targets  [2]string     // of A and B, for the record
	Fixtures [2][]byte     // of A and B; they hold JWTs, so they only ever pass through pipes
}

// step is the time from one slice to the next.
func (t Turns) step() time.Duration { return time.Duration(t.Profile.Duration) + t.Gap }

// Turns drives two systems by turns and returns a load for each slice, in order. The loads share
// the generator's account, which is that of the whole process. Errors are those of Run, and a log
// in which a slice is missing.
func (r Runner) Turns(ctx context.Context, t Turns) ([]*result.Load, error) {
	if t.Order == "" || strings.Trim(t.Order, "AB") != "" {
		return nil, exit.Invalidf("turns "+t.Order, "give the order as letters A and B", "it is none")
	}
	env := append(environment(Job{Profile: t.Profile, Rate: t.Rate}), "STEAMER_FIXTURE_B=/dev/fd/4", "STEAMER_TURNS="+
		t.Order,
		"STEAMER_STEP_MS="+strconv.FormatInt(t.step().Milliseconds(), 10))
	began := time.Now()
	c, log := &child{env: env, fixtures: t.Fixtures[:]}, r.log(t.Name)
	if err := r.drive(ctx, c, turnsScript, log, time.Duration(len(t.Order))*t.step(),
		func(done <-chan struct{}) error { <-done; return nil }); err != nil {
		return nil, err
	}
	file, err := os.Open(log)
	if err != nil {
		return nil, exit.Environmentf(log, "see k6's messages", "k6 wrote no log: %w", err)
	}
	defer func() { _ = file.Close() }() // read only
	loads, err := t.Parse(file)
	if err != nil {
		return nil, exit.Environmentf(log, "see k6's messages; keep the file for a bug report", "%w", err)
	}
	for _, l := range loads {
		c.account(&l.Generator, time.Since(began))
		l.Generator.Samples, l.Generator.Collections = nil, nil // of the whole process, not of the slice
	}
	return loads, nil
}

// Parse takes a log apart by its phases, which are the numbers of the slices.
func (t Turns) Parse(log io.Reader) ([]*result.Load, error) {
	slices := make([]Recorder, len(t.Order))
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, maxLine)
	for number := 1; lines.Scan(); number++ {
		var l line
		err := json.Unmarshal(lines.Bytes(), &l)
		if err == nil {
			err = t.fold(slices, &l)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	loads := make([]*result.Load, len(slices))
	for i := range slices {
		var err error
		if loads[i], err = slices[i].Finish(Plan{Duration: time.Duration(t.Profile.Duration), Rate: t.Rate}); err != nil {
			return nil, fmt.Errorf("slice %d: %w", i, err)
		}
		l := loads[i]
		l.Workload, l.Profile, l.Mode, l.Target = turnsScript, t.Profile.Name, t.Profile.Mode, t.Targets[t.Order[i]-'A']
	}
	began := t.began(loads)
	for i, l := range loads {
		l.Start = began.Add(time.Duration(i) * t.step())
	}
	return loads, nil
}

func (t Turns) fold(slices []Recorder, l *line) error {
	if l.Kind == "interval" {
		i, err := strconv.Atoi(l.Phase)
		if err != nil || i < 0 || i >= len(slices) {
			return fmt.Errorf("phase %q is the number of no slice", l.Phase)
		}
		l.Phase = measure
		return slices[i].fold(l)
	}
	for i := range slices {
		own := *l
		if err := slices[i].fold(&own); err != nil {
			return err
		}
	}
	return nil
}

// began is when the first slice began. The log has whole seconds only, but slice i began i steps
// later, within the first second that it has: every slice bounds the beginning to one second, and
// where a step is no whole second they bound it together to a fraction of one.
func (t Turns) began(loads []*result.Load) time.Time {
	var earliest, latest time.Time
	for i, l := range loads {
		if l.Start.IsZero() { // no fetch of it ended
			continue
		}
		from := l.Start.Add(-time.Duration(i) * t.step())
		if to := from.Add(time.Second); latest.IsZero() || to.Before(latest) {
			latest = to
		}
		if from.After(earliest) {
			earliest = from
		}
	}
	return earliest.Add(latest.Sub(earliest) / 2)
}
