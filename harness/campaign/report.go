package campaign

import (
	"fmt"
	"os"
	"path/filepath"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gate"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/session"
)

// resultOf is the file of a run that is named by its directory.
func resultOf(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return filepath.Join(path, "result.json")
	}
	return path
}

// ReportAgain writes the reports of a finished run or comparison into dir, or beside it where dir
// is empty. path is its file, or the directory of a run.
func ReportAgain(sess *session.Session, path, dir string) error {
	path = resultOf(path)
	data, err := os.ReadFile(path)
	if err != nil {
		return exit.Invalidf(path, "name a run directory, its result.json, or a comparison.json", "%w", err)
	}
	if dir == "" {
		dir = filepath.Dir(path)
	}
	var what string
	var verdict result.Verdict
	var write func() error
	if gate.IsComparison(data) {
		c, whole, err := gate.ReadComparison(path, data)
		if err != nil {
			return err
		}
		what, verdict, write = c.Head+" against "+c.Base, c.Verdict,
			func() error { return report.WriteComparisonPage(dir, c, whole) }
	} else {
		r, err := result.Decode(path, data)
		if err != nil {
			return err
		}
		what, verdict, write = r.Run.ID, r.Verdict, func() error { return report.WriteAll(dir, r) }
	}
	if err := session.MakeDirectory(dir); err != nil {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	fmt.Fprintf(sess.Stdout, "%s: %s, reports in %s\n", what, verdict, dir)
	return nil
}
