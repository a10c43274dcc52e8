// Package cli is the steamer command line: one file for each command turns flags into options, and
// what came out into an exit code. Commands take everything they touch from a State, so that they
// can be driven in tests without a process of their own.
package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gitlab.com/steamer/steamer/harness/engine/ociruntime"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/report"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/session"
	"gitlab.com/steamer/steamer/harness/steps"
)

// State is what the commands take from their process.
type State = session.Session

// Main runs the command line and returns the process's exit code.
func Main(ctx context.Context, state *State) exit.Code {
	if len(state.Args) > 0 && state.Args[0] == ociruntime.Command {
		return ociRuntime(state)
	}
	secret.LearnArguments(state.Args)
	state.Stdout, state.Stderr = secret.Writer{To: state.Stdout}, secret.Writer{To: state.Stderr}
	command, options := newRoot(state)
	command.SetArgs(state.Args)
	command.SetOut(state.Stdout)
	command.SetErr(state.Stderr)
	err := command.ExecuteContext(ctx)
	state.Leave(ctx)
	var verdict exit.Judged
	if errors.As(err, &verdict) {
		var both interface {
			error
			Unwrap() []error
		}
		if errors.As(err, &both) { // what kept the command from its end, beside its verdict
			complain(state, both.Unwrap()[0], exit.Code(verdict))
		}
		return exit.Code(verdict)
	}
	if err == nil {
		return exit.Pass
	}
	if !options.started && exit.CodeOf(err) == exit.Internal {
		// What cobra itself refuses, before any command runs, is the caller's input.
		err = exit.Invalidf("command line", "steamer --help lists the commands, steamer COMMAND --help their arguments",
			"%w", err)
	}
	code := exit.CodeOf(err)
	if ctx.Err() != nil {
		code = exit.Interrupted
	}
	complain(state, err, code)
	return code
}

// complain prints the error that ended a command.
func complain(state *State, err error, code exit.Code) {
	if log, logs := state.UI.(steps.Log); logs {
		log.Logger.Error(err.Error(), "code", code)
	} else {
		fmt.Fprintln(state.Stderr, "steamer:", err)
	}
}

// ociRuntime becomes runc; it comes before cobra because its flags are runc's.
func ociRuntime(state *State) exit.Code {
	host, err := ociruntime.Host()
	if err == nil {
		err = ociruntime.Exec(state.Args[1:], host)
	}
	fmt.Fprintln(state.Stderr, "steamer "+ociruntime.Command+":", err)
	return exit.Environment
}

// global are the flags of every command.
type global struct {
	quiet, verbose bool
	color          string
	logFormat      string
	started        bool // a command accepted its arguments and began
}

func newRoot(state *State) (*cobra.Command, *global) {
	g := &global{color: "auto", logFormat: "text"}
	root := &cobra.Command{
		Use: "steamer", Short: "Test and load OpenBao charts the way GitLab deploys them",
		Version: session.Version(), SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if err := g.apply(state, c.Flags()); err != nil {
				return err
			}
			g.started = true
			return state.Arrive()
		},
	}
	flags := root.PersistentFlags()
	flags.StringVar(&state.Root, "root", state.Getenv("STEAMER_ROOT"),
		"Steamer's source tree (default: found from the working directory)")
	flags.StringVar(&state.ImageSource, "image-source", string(images.FromAuto),
		"pull images by digest, build them here, or auto: pull where a registry answers, else build")
	flags.StringVar(&state.CacheDir, "cache", state.Getenv("STEAMER_CACHE"),
		"cache of images, programs and the private engine (default: the user's cache directory)")
	flags.BoolVarP(&g.quiet, "quiet", "q", false, "show no progress, only what failed and what came out")
	flags.BoolVarP(&g.verbose, "verbose", "v", false, "show every second of load and every count")
	choose(flags, &g.color, "color", "", "colour of what is printed: auto, always or never; NO_COLOR turns auto off",
		"auto", "always", "never")
	choose(flags, &g.logFormat, "log-format", "", "form of progress and errors on standard error: text or json",
		"text", "json")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return exit.Invalidf(c.CommandPath(), c.CommandPath()+" --help lists the flags", "%w", err)
	})
	addCommands(root, state)
	finish(root, completions(state))
	return root, g
}

// apply refuses values that flags cannot have, and sets where messages go, and how.
func (g *global) apply(state *State, flags *pflag.FlagSet) error {
	if err := chosen(flags); err != nil {
		return err
	}
	if format := flags.Lookup("format"); format != nil && format.Value.String() == "json" {
		state.JSON = true
	}
	if g.quiet && g.verbose {
		return exit.Invalidf("--quiet, --verbose", "choose one", "they exclude each other")
	}
	level := slog.LevelInfo
	switch {
	case g.quiet:
		level = slog.LevelWarn
	case g.verbose:
		level = slog.LevelDebug
	}
	state.UI = &steps.Text{W: state.Stderr, Terminal: session.IsTerminal(state.Stderr), Level: level}
	if g.logFormat == "json" {
		state.UI = steps.Log{Logger: slog.New(slog.NewJSONHandler(state.Stderr, &slog.HandlerOptions{Level: level}))}
	}
	file, isFile := secret.Unwrap(state.Stdout).(*os.File)
	state.Colour = g.color == "always" || g.color == "auto" && isFile && report.Colour(file)
	return nil
}

// group makes a command that only holds others refuse what it does not know; cobra would print its
// help and succeed.
func group(command *cobra.Command, children ...*cobra.Command) *cobra.Command {
	command.Args = cobra.NoArgs
	command.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	command.AddCommand(children...)
	return command
}

// conclude turns what came out into the process's outcome. A FAIL that was proven stands, whatever
// came after it. Without a verdict the error is all there is.
func conclude(ctx context.Context, verdict result.Verdict, err error) error {
	if verdict == "" {
		return err
	}
	code := judge.ExitCode(ctx, verdict, err)
	if code == exit.Pass || err != nil && code == exit.CodeOf(err) {
		return err
	}
	if err != nil && ctx.Err() == nil { // it is printed, and the verdict holds all the same
		return errors.Join(err, exit.Judged(code))
	}
	return exit.Judged(code)
}
