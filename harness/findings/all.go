package findings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/steps"
)

// All runs experiments one after the other, up to an interrupt or an error that would repeat
// itself. The report is complete up to there. The error is that of an environment that failed.
func All(ctx context.Context, open Open, list []Experiment, reproduce string, ui steps.UI) (*Report, error) {
	report := NewReport(reproduce, hostLine())
	var all error
	for i, e := range list {
		step := fmt.Sprintf("%d of %d: %s (%s)", i+1, len(list), e.ID, e.Title)
		ui.Start("", step)
		started := time.Now()
		outcome, err := Run(ctx, open, e, ui.Note)
		report.Add(outcome)
		ui.Done("", step, time.Since(started), err)
		if errors.Is(err, ErrWrong) || ctx.Err() != nil {
			report.Partial = true
			break
		}
		if exit.CodeOf(err) == exit.Environment {
			all = errors.Join(all, err)
		}
	}
	report.Finish()
	return report, all
}

// WriteList writes a line for each experiment.
func WriteList(w io.Writer, list []Experiment) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range list {
		fmt.Fprintf(table, "%s\t%d arms\tabout %s\t%s\n", e.ID, len(e.Arms), e.Expected().Round(10*time.Second), e.Title)
	}
	return table.Flush()
}

// hostLine describes this machine in a few words.
func hostLine() string {
	text := fmt.Sprintf("%d CPUs", runtime.NumCPU())
	if memory := platform.MemoryMiB(); memory > 0 {
		text += fmt.Sprintf(", %d GiB", memory>>10)
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		release, _, _ := strings.Cut(unix.ByteSliceToString(name.Release[:]),
			"-") // what follows names a distribution's or a host's own build
		text += ", " + unix.ByteSliceToString(name.Sysname[:]) + " " + release
	}
	return text
}
