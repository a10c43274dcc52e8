package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/faults/record"
	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/history/check"
	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/mutation"
	"gitlab.com/steamer/steamer/harness/result"
)

// Evidence is what was read, each with its file's index in Files.
type Evidence struct {
	Files       []File
	Runs        []Of[*result.Result]
	Checks      []Of[*lint.Report]
	Comparisons []Of[ComparisonEvidence]
	Mutants     []Of[*mutation.Record]
	Histories   []Of[*check.Report]       // of faults, judged again
	Records     []Of[*record.Report]      // of known bugs, judged again
	Quarantines []Of[*compare.Quarantine] // heeded by every comparison
	Baselines   []Of[*lint.Baseline]      // of findings that the checks may have
	Earlier     *Decision                 // whose evidence this is; nil where files were named themselves
}

// Of is a document and the file that it came from.
type Of[T any] struct {
	Path string
	Doc  T
}

// Read reads evidence: result.json of runs, what charts check --format json, compare and mutants
// --json wrote, histories and track records of faults, the quarantine of a calibration, a baseline
// of findings, gate.json of an earlier decision for all that it rests on, and directories that hold
// such files. A quarantine is read only by its own name. Errors are of code exit.Invalid: a file
// that is truncated, foreign, of another version or given twice is refused by name.
func Read(paths ...string) (*Evidence, error) {
	e := &Evidence{}
	for _, path := range paths {
		if err := e.add(path); err != nil {
			return nil, err
		}
	}
	if len(e.Files) == 0 {
		return nil, exit.Invalidf("--from", "name run directories or result.json files", "there is no evidence")
	}
	return e, e.accept()
}

// accept lets the checks have what the baselines hold, and nothing that a check says was accepted
// when it was made.
func (e *Evidence) accept() error {
	var all []*lint.Baseline
	for _, b := range e.Baselines {
		all = append(all, b.Doc)
	}
	for _, c := range e.Checks {
		if err := c.Doc.Accept(all...); err != nil {
			return err
		}
	}
	return nil
}

func (e *Evidence) add(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return exit.Invalidf("--from "+path, "name a run directory, or a file that steamer run, charts check, compare or "+
			"mutants wrote", "%w", err)
	}
	if !info.IsDir() {
		return e.file(path, "")
	}
	found, err := filepath.Glob(filepath.Join(path, "*"))
	if err != nil {
		return err
	}
	// A gate's own directory stands for all its evidence, which may lie elsewhere.
	if gate := filepath.Join(path, "gate.json"); slices.Contains(found, gate) {
		return e.file(gate, "")
	}
	before := len(e.Files)
	for _, file := range found {
		if name := filepath.Base(file); slices.Contains(
			[]string{"result.json", "comparison.json", "mutants.json", "record.json", history.FileName}, name) ||
			strings.HasPrefix(name, "charts-check") && filepath.Ext(name) == ".json" {
			if err := e.file(file, ""); err != nil {
				return err
			}
		}
	}
	if len(e.Files) == before {
		return exit.Invalidf("--from "+path, "name a directory that a finished run left behind",
			"it holds no result.json or other evidence")
	}
	return nil
}

// file reads one file; want is the SHA-256 that it must have, or "".
func (e *Evidence) file(path, want string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return exit.Invalidf("--from "+path, "make it readable", "%w", err)
	}
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	if want != "" && want != digest {
		return exit.Invalidf("--from "+path, "judge the files as they were, or make a new decision",
			"it is not the file that was judged: SHA-256 %s, not %s", digest, want)
	}
	for _, f := range e.Files {
		if f.SHA256 == digest {
			return exit.Invalidf("--from "+path, "name each piece of evidence once", "it has the same content as %s", f.Path)
		}
	}
	head, err := document.HeadOf(firstOf(data))
	if err != nil {
		return exit.Invalidf("--from "+path, "use the file as the run left it", "%w", err)
	}
	f := File{Path: path, Kind: head.Kind, SHA256: digest}
	switch head.Kind {
	case result.Kind:
		err = keep(&e.Runs, path, data, result.Decode, &f, aboutRun)
	case lint.Kind:
		err = keep(&e.Checks, path, data, lint.Decode, &f,
			func(r *lint.Report) string { return "static checks of " + name(r.Chart) })
	case mutation.RecordKind:
		err = keep(&e.Mutants, path, data, mutation.Decode, &f,
			func(r *mutation.Record) string { return mutation.Summary(r.Outcomes) })
	case compare.Kind:
		err = keep(&e.Comparisons, path, data, decodeChartComparison, &f,
			func(c ComparisonEvidence) string { return describe(c.doc.B) + " against " + describe(c.doc.A) })
	case history.Kind:
		err = keep(&e.Histories, path, data, decodeHistory, &f, aboutHistory)
	case record.Kind:
		err = keep(&e.Records, path, data, decodeRecord, &f, aboutRecord)
	case compare.QuarantineKind:
		err = keep(&e.Quarantines, path, data, compare.ParseQuarantine, &f, aboutQuarantine)
	case lint.BaselineKind:
		err = keep(&e.Baselines, path, data, func(name string, data []byte) (*lint.Baseline, error) {
			return lint.ParseBaseline(name, data, time.Now())
		}, &f, func(b *lint.Baseline) string {
			return fmt.Sprintf("%s and %s of chart %s", count(len(b.Findings), "accepted finding"),
				count(len(b.Scenarios), "accepted failure"), b.Chart)
		})
	case Kind:
		if want != "" {
			return exit.Invalidf("--from "+path, "name it yourself, beside the other", "a decision rests on another decision")
		}
		return e.again(path, data)
	default:
		return exit.Invalidf("--from "+path, "use a result.json or what charts check, compare, mutants, faults or gate wrote",
			"kind %q is not evidence", head.Kind)
	}
	e.Files = append(e.Files, f)
	return err
}

func keep[T any](to *[]Of[T], path string, data []byte, decode func(string, []byte) (T, error), f *File,
	about func(T) string,
) error {
	doc, err := decode(path, data)
	if err != nil {
		return err
	}
	*to = append(*to, Of[T]{path, doc})
	f.About = about(doc)
	return nil
}

// again reads what an earlier decision rested on; its paths are relative to it.
func (e *Evidence) again(path string, data []byte) error {
	d, err := Decode(path, data)
	if err != nil {
		return err
	}
	if e.Earlier != nil {
		return exit.Invalidf("--from "+path, "derive one decision again at a time", "it is the second decision")
	}
	e.Earlier = d
	for _, f := range d.Evidence {
		if f.SHA256 == "" {
			return exit.Invalidf("--from "+path, "use a gate.json as Steamer wrote it, unedited",
				"it gives no SHA-256 of %s", f.Path)
		}
		at := f.Path
		if !filepath.IsAbs(at) {
			at = filepath.Join(filepath.Dir(path), at)
		}
		if err := e.file(at, f.SHA256); err != nil {
			return err
		}
	}
	return nil
}

func aboutRun(r *result.Result) string {
	names := make([]string, 0, len(r.Topologies))
	for _, t := range r.Topologies {
		names = append(names, t.Name)
	}
	return fmt.Sprintf("run %s, tier %s, profile %s: %s", r.Run.ID, r.Run.Tier, r.Run.Profile, strings.Join(names, ", "))
}

func aboutQuarantine(q *compare.Quarantine) string {
	names := make([]string, 0, len(q.Metrics))
	for _, m := range q.Metrics {
		names = append(names, m.Metric+" until "+m.Expires.Format(time.DateOnly))
	}
	return "metrics too noisy to decide: " + strings.Join(names, ", ")
}

// quarantine is that of all files together; nil without any.
func (e *Evidence) quarantine() *compare.Quarantine {
	if len(e.Quarantines) == 0 {
		return nil
	}
	all := &compare.Quarantine{}
	for _, q := range e.Quarantines {
		all.Metrics = append(all.Metrics, q.Doc.Metrics...)
	}
	return all
}

func name(c result.Chart) string { return strings.TrimSpace(c.Name + " " + c.Version) }
