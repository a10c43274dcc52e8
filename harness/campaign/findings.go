package campaign

import (
	"context"
	"errors"
	"fmt"

	"gitlab.com/steamer/steamer/harness/findings"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/target"
	"gitlab.com/steamer/steamer/harness/target/local"
)

// Findings says which experiments to run, or which run directories to judge again.
type Findings struct {
	Experiments []findings.Experiment
	From        []string // run directories to judge again; nothing is run
	Output      string   // directory that the run's directory is made in
	Markdown    string   // file for the page; empty for none
}

// Run runs the experiments, or judges those of From again, and writes and prints what came out.
func (f *Findings) Run(ctx context.Context, sess *session.Session) (result.Verdict, error) {
	if len(f.From) > 0 {
		report, err := findings.Join(f.From)
		if err != nil {
			return "", err
		}
		return report.Verdict, f.Write(sess, report, "")
	}
	if err := session.Writable("--markdown", f.Markdown); err != nil { // found out before the half hour
		return "", err
	}
	dir, err := session.Directory(f.Output, "findings")
	if err != nil {
		return "", err
	}
	openbao, generator, err := sess.Programs(ctx, dir)
	if err != nil {
		return "", err
	}
	open := func(ctx context.Context, spec local.Spec) (target.Target, error) {
		spec.Server.Binary, spec.Generator = openbao, generator
		return local.Open(ctx, spec)
	}
	report, err := findings.All(ctx, open, f.Experiments, sess.CommandLine(), sess.Progress())
	return report.Verdict, errors.Join(err, f.Write(sess, report, dir))
}

// Write writes the files, those into dir only where it is not empty, and prints the verdict.
func (f *Findings) Write(sess *session.Session, report *findings.Report, dir string) error {
	page := report.Markdown()
	var err error
	if dir != "" {
		err = session.WriteMeasurement(dir, "findings", report, page)
	}
	if f.Markdown != "" {
		err = errors.Join(err, secret.WriteFile(f.Markdown, []byte(page), secret.Public))
	}
	fmt.Fprintf(sess.Stdout, "%s\n", report.Verdict)
	for _, reason := range report.Reasons {
		fmt.Fprintf(sess.Stdout, "  %s\n", reason)
	}
	if dir != "" {
		fmt.Fprintf(sess.Stdout, "Files: %s\n", dir)
	}
	return err
}
