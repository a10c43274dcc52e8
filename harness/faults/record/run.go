package record

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// maxTimes is the most tries of a row.
const maxTimes = 1000

// usualRate is that of a schedule that names none: operations per second.
const usualRate = 60

// Options say what is looked for.
type Options struct {
	Only      []string // IDs; -ID leaves one out; none is all
	Times     int      // tries of each, 0 is each bug's own number
	Seed      uint64   // of schedules
	Parallel  int      // bugs at a time, 1 to 16
	Server    localbao.Options
	Dir       string // where histories go meanwhile
	Reproduce string
	Progress  func(string)
}

// Validate refuses what cannot be tried, before anything is started.
func (o *Options) Validate() error {
	if o.Times < 0 || o.Times > maxTimes {
		return exit.Invalidf(fmt.Sprintf("--times %d", o.Times), fmt.Sprintf("use 1 to %d", maxTimes), "it is out of range")
	}
	if o.Parallel < 1 || o.Parallel > 16 {
		return exit.Invalidf(fmt.Sprintf("--parallel %d", o.Parallel), "use 1 to 16", "it is out of range")
	}
	if o.Server.Binary != "" {
		if _, err := exec.LookPath(o.Server.Binary); err != nil {
			return exit.Invalidf("--bao "+o.Server.Binary, "name a program of OpenBao", "%w", err)
		}
	}
	_, err := o.chosen()
	return err
}

// chosen are the bugs that are looked for.
func (o *Options) chosen() ([]Bug, error) {
	all := Bugs()
	with, without := map[string]bool{}, map[string]bool{}
	for _, name := range o.Only {
		id, away := strings.CutPrefix(name, "-")
		if !slices.ContainsFunc(all, func(b Bug) bool { return b.ID == id }) {
			var ids []string
			for _, b := range all {
				ids = append(ids, b.ID)
			}
			return nil, exit.Invalidf("--only "+name, "choose from "+strings.Join(ids, ", ")+"; -ID leaves one out",
				"there is no such bug")
		}
		if away {
			without[id] = true
		} else {
			with[id] = true
		}
	}
	left := slices.DeleteFunc(all, func(b Bug) bool { return len(with) > 0 && !with[b.ID] || without[b.ID] })
	if len(left) == 0 {
		return nil, exit.Invalidf("--only "+strings.Join(o.Only, ","), "leave fewer out", "no bug is left")
	}
	return left, nil
}

// Run looks for each bug, on servers of its own. An interrupt leaves the rows until then. The
// report is nil where nothing was started.
func Run(ctx context.Context, o Options) (*Report, error) {
	list, err := o.chosen()
	if err != nil {
		return nil, err
	}
	version, err := o.version(ctx)
	if err != nil {
		return nil, err
	}
	r := &Report{Record: result.NewRecord(Kind), Server: version, Rows: []Row{}}
	r.Reproduce, r.Target = o.Reproduce, "two processes of OpenBao "+version+" on one PostgreSQL"
	rows := make([]Row, len(list))
	var group errgroup.Group
	group.SetLimit(o.Parallel)
	for i := range list {
		group.Go(func() (err error) {
			if ctx.Err() != nil {
				return nil
			}
			rows[i], err = o.look(ctx, &list[i], version)
			o.Progress(fmt.Sprintf("%s: %s", list[i].ID, rows[i].Outcome()))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err // the version is none
	}
	r.Rows = slices.DeleteFunc(rows, func(row Row) bool { return row.Tries == 0 })
	r.Partial = ctx.Err() != nil
	r.conclude()
	return r, ctx.Err()
}

// version is that of the program, as a server says.
func (o *Options) version(ctx context.Context) (string, error) {
	server, err := localbao.Start(ctx, o.Server)
	if err != nil {
		return "", err
	}
	defer server.Stop()
	h, err := server.Nodes()[0].Health(ctx)
	if err == nil {
		_, err = openbao.AtLeast(h.Version, h.Version)
	}
	return h.Version, err
}

// look tries to show a bug.
func (o *Options) look(ctx context.Context, b *Bug, version string) (Row, error) {
	has, err := b.Has(version)
	if err != nil {
		return Row{}, err
	}
	row := Row{Command: b.command(o.Times)}
	row.say(b, has)
	times := b.Times
	if o.Times > 0 {
		times = o.Times
	}
	began := time.Now()
	for i := range times {
		try := o.script
		if b.Schedule != nil {
			try = o.schedule
		}
		found, proof, err := try(ctx, b, uint64(i))
		if ctx.Err() != nil {
			break
		}
		row.Tries++
		switch {
		case err != nil:
			row.Undecided++
			row.Reason = exit.FirstLine(secret.Redact(err.Error()))
		case found:
			row.Found++
			if len(row.Proof) == 0 {
				row.Proof = proof
			}
		}
	}
	row.Seconds = time.Since(began).Seconds()
	return row, nil
}

// command is the command line that looks for a bug.
func (b *Bug) command(times int) string {
	command := "steamer faults record --only " + b.ID
	if times > 0 {
		command += fmt.Sprintf(" --times %d", times)
	}
	return command
}

// script does a bug's steps on a new server.
func (o *Options) script(ctx context.Context, b *Bug, _ uint64) (bool, []string, error) {
	system, err := startBench(ctx, o.Server)
	if err != nil {
		return false, nil, err
	}
	defer system.stop()
	s := &script{system: system, http: openbao.Trusting(false, nil)}
	found, err := s.run(ctx, b.Steps)
	return found, s.proof, err
}

// schedule does a run of faults, whose history shows the bug or not.
func (o *Options) schedule(ctx context.Context, b *Bug, try uint64) (found bool, proof []string, err error) {
	dir, err := os.MkdirTemp(o.Dir, b.ID+"-")
	if err != nil {
		return false, nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	drawn, err := faults.Draw(o.Seed+try, b.Schedule.Faults, b.Schedule.Kinds)
	if err != nil {
		return false, nil, err
	}
	rate := b.Schedule.Rate
	if rate == 0 {
		rate = usualRate
	}
	report, err := faults.Run(ctx, faults.Options{
		Schedule: drawn, Rate: rate, Clients: 4, Tenants: 3, Secrets: 10, Server: o.Server,
		Dir: dir, Reproduce: o.Reproduce, Progress: func(string) {},
	})
	if report == nil {
		return false, nil, err
	}
	proof = b.Schedule.shown(report)
	return len(proof) > 0, proof, err
}

// shown is what of a report shows the bug.
func (d *Drawn) shown(r *check.Report) []string {
	pattern := regexp.MustCompile(d.Log) // was checked
	for i := range r.Violations {
		v := &r.Violations[i]
		if !slices.Contains(d.Rules, v.Rule) {
			continue
		}
		lines := []string{v.Rule + " (" + v.Title + "): " + v.What}
		for _, m := range v.Moments {
			lines = append(lines, m.Text)
		}
		for _, s := range v.Steps {
			lines = append(lines, s.Text)
		}
		if at := slices.IndexFunc(lines, pattern.MatchString); at >= 0 {
			return slices.Compact([]string{lines[0], lines[at]})
		}
	}
	return nil
}
