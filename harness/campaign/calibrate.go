package campaign

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/calibrate"
	"gitlab.com/steamer/steamer/harness/compare"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/report/pages"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/steps"
)

// Calibration says how to find out how far comparisons can be trusted: Comparison.Base, or its
// BaseConfig and BaseBinary, is compared with itself.
type Calibration struct {
	*Comparison
	Plan   calibrate.Plan
	Resume string // directory of an interrupted campaign; empty for a new one
	// WriteQuarantine is the file for the metrics that cannot show the margin; empty for none.
	WriteQuarantine string
	QuarantineFor   time.Duration // how long they stay there, above 0 to compare.LongestQuarantine
}

// Run calibrates with one chart installed twice, or with two processes of one configuration.
func (c *Calibration) Run(ctx context.Context, sess *session.Session) (result.Verdict, error) {
	c.Head, c.HeadConfig, c.HeadBinary = c.Base, c.BaseConfig, c.BaseBinary
	c.delays, c.limits = true, len(c.Plan.Limits) > 0
	on, err := c.ready(ctx, sess)
	if on == nil {
		return "", err
	}
	frame, dir, logs, err := c.beginOrResume(sess)
	if err != nil {
		return "", err
	}
	engine := &compare.Engine{Validity: judge.DefaultValidity(), Log: sess.Note}
	err = on.Run(ctx, frame, steps.New(sess.Progress()), engine, logs, func(ctx context.Context) error {
		return c.compareAll(ctx, sess, engine, frame, dir)
	})
	if err != nil {
		return "", err
	}
	return c.Judge(sess, dir)
}

// compareAll makes the comparisons and keeps each. frame is what all of them begin with.
func (c *Calibration) compareAll(ctx context.Context, sess *session.Session, engine *compare.Engine,
	frame *compare.Comparison, dir string,
) (err error) {
	if why := frame.A.Unfit + frame.B.Unfit; why != "" {
		return exit.Environmentf("the system to calibrate with", "see what steamer compare says about it",
			"it does not come up: %s", why)
	}
	runner := calibrate.Runner{
		Engine: engine, Log: sess.Note,
		Begin: func(number int) (*compare.Comparison, error) {
			doc := compare.New(fmt.Sprintf("%s-%03d", frame.ID, number), frame.Design)
			doc.Reproduce, doc.Steamer, doc.Host = frame.Reproduce, frame.Steamer, frame.Host
			return doc, nil
		},
		Finish: func(doc *compare.Comparison) error {
			return compare.WriteFile(filepath.Join(dir, doc.ID+".json"), doc)
		},
	}
	if c.Resume != "" {
		if runner.Done, err = c.done(frame.ID); err != nil {
			return err
		}
		runner.Log(fmt.Sprintf("%d comparisons are done", len(runner.Done)))
	}
	err = runner.Run(ctx, c.Plan)
	if !c.KeepLogs {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, slicesDirectory)))
	}
	return err
}

// beginOrResume makes the frame and directory of a campaign, or takes those of an interrupted one.
func (c *Calibration) beginOrResume(sess *session.Session) (frame *compare.Comparison, dir, logs string, err error) {
	if err := session.Writable("--write-quarantine", c.WriteQuarantine); err != nil { // found out before the hours
		return nil, "", "", err
	}
	if c.Resume == "" {
		return c.begin(sess, "calibrate")
	}
	id, found := strings.CutPrefix(filepath.Base(c.Resume), "calibrate-")
	if !found {
		return nil, "", "", exit.Invalidf("--resume "+c.Resume, "name the directory that the campaign made, calibrate-…",
			"its name does not begin with calibrate-")
	}
	if _, err := c.done(id); err != nil { // found out before both are up
		return nil, "", "", err
	}
	logs = filepath.Join(c.Resume, slicesDirectory)
	return c.frame(sess, id), c.Resume, logs, session.MakeDirectory(logs)
}

// done are the comparisons that an interrupted campaign has finished, by number.
func (c *Calibration) done(id string) (map[int]*compare.Comparison, error) {
	list, err := calibrate.Read(c.Resume)
	if err != nil {
		return nil, err
	}
	return c.Plan.Resume(list, c.Design, func(one string) (int, bool) {
		digits, ours := strings.CutPrefix(one, id+"-")
		n, err := strconv.Atoi(digits)
		return n, ours && err == nil
	})
}

// Judge judges what is in a directory of comparisons, or in a campaign.json, and prints it. The
// verdict is FAIL where the lower bound of the rate of false alarms is above alpha.
func (c *Calibration) Judge(sess *session.Session, dir string) (result.Verdict, error) {
	list, err := calibrate.Read(dir)
	if err != nil {
		return "", err
	}
	outcome := calibrate.Judge(list)
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		if err := pages.WriteCalibration(dir, outcome, list); err != nil {
			return "", err
		}
	}
	if c.WriteQuarantine != "" {
		data, err := outcome.Quarantine(time.Now(), c.QuarantineFor)
		if err != nil {
			return "", err
		}
		if err := secret.WriteFile(c.WriteQuarantine, data, secret.Public); err != nil {
			return "", exit.Environmentf("--write-quarantine "+c.WriteQuarantine, "", "%w", err)
		}
	}
	if err := pages.Calibration(sess.Stdout, outcome); err != nil {
		return "", err
	}
	fmt.Fprintf(sess.Stdout, "\nFrom: %s\n", dir)
	switch {
	case outcome.Same.Of == 0:
		return result.Inconclusive, nil
	case outcome.Same.Lower > outcome.Design.Alpha:
		return result.Fail, nil
	}
	return result.Pass, nil
}
