// Package cli is the steamer command line. Commands take everything they touch from a
// State, so that they can be driven in tests without a process of their own.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/engine/ociruntime"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/secret"
)

// State is what the commands take from their process.
type State struct {
	Args   []string // without the program's name
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string

	root   string // --root
	cache  string // --cache
	images string // --image-source

	started   bool                    // a command accepted its arguments and began
	namespace *engine.Namespace       // of the private engine, where this process is inside it
	pulled    chart.Pulled            // charts that the command pulled
	named     map[string]images.Image // images that flags name, in archives, by their references
	versions  *images.Versions        // of Debian packages, that the command keeps to
	inherit   []*os.File              // to stay open when this process begins again
	sockets   []int                   // descriptors of listeners that this process inherited from itself
}

// Main runs the command line and returns the process's exit code.
func Main(ctx context.Context, state *State) exit.Code {
	if len(state.Args) > 0 && state.Args[0] == ociruntime.Command {
		return ociRuntime(state)
	}
	secret.LearnArguments(state.Args)
	state.Stdout, state.Stderr = secret.Writer{To: state.Stdout}, secret.Writer{To: state.Stderr}
	command := newRoot(state)
	command.SetArgs(state.Args)
	command.SetOut(state.Stdout)
	command.SetErr(state.Stderr)
	err := command.ExecuteContext(ctx)
	state.leave(ctx)
	var verdict verdictError
	if errors.As(err, &verdict) {
		return exit.Code(verdict)
	}
	if err == nil {
		return exit.Pass
	}
	if !state.started && exit.CodeOf(err) == exit.Internal {
		// What cobra itself refuses, before any command runs, is the caller's input.
		err = exit.Invalidf("command line", "steamer --help lists the commands, steamer COMMAND --help their arguments", "%w",
			err)
	}
	fmt.Fprintln(state.Stderr, "steamer:", err)
	if ctx.Err() != nil {
		return exit.Interrupted
	}
	return exit.CodeOf(err)
}

// group makes a command that only holds others refuse what it does not know; cobra would print its
// help and succeed.
func group(command *cobra.Command) *cobra.Command {
	command.Args = cobra.NoArgs
	command.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return command
}

// verdictError carries the exit code of a command that did its work and judged: nothing is left to
// print.
type verdictError exit.Code

func (v verdictError) Error() string { return fmt.Sprintf("exit code %d", int(v)) }

// ociRuntime becomes runc; it comes before cobra because its flags are runc's.
func ociRuntime(state *State) exit.Code {
	host, err := ociruntime.Host()
	if err == nil {
		err = ociruntime.Exec(state.Args[1:], host)
	}
	fmt.Fprintln(state.Stderr, "steamer "+ociruntime.Command+":", err)
	return exit.Environment
}

const long = `Steamer puts secrets charts under pressure: it brings up a kind cluster, installs an
OpenBao chart the way GitLab deploys it, asserts that it works, drives k6 load down the
secret-fetch path and ends with a verdict: PASS, FAIL or INCONCLUSIVE.

Exit codes: 0 PASS, 1 FAIL, 2 INCONCLUSIVE, 3 invalid input (nothing was touched),
4 environment error, 5 internal error, 130 interrupted and cleaned up.`

func newRoot(state *State) *cobra.Command {
	root := &cobra.Command{
		Use: "steamer", Short: "Test and load OpenBao charts the way GitLab deploys them", Long: long,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			state.started = true
			return state.arrive()
		},
	}
	flags := root.PersistentFlags()
	flags.StringVar(&state.root, "root", state.Getenv("STEAMER_ROOT"),
		"Steamer's source tree (default: found from the working directory)")
	flags.StringVar(&state.images, "image-source", string(images.FromAuto),
		"pull images by digest, build them here, or auto: pull where a registry answers, else build")
	flags.StringVar(&state.cache, "cache", state.Getenv("STEAMER_CACHE"),
		"cache of images, programs and the private engine (default: the user's cache directory)")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return exit.Invalidf(c.CommandPath(), c.CommandPath()+" --help lists the flags", "%w", err)
	})
	root.AddCommand(newRun(state), newTest(state), newCompare(state), newCalibrate(state), newTrend(state),
		newMutants(state), newCapacity(state), newSizing(state), newFindings(state), newImages(state), newCluster(state),
		newCharts(state), newEngine(state), newDoctor(state),
		newSetup(state), newSLO(state), newReport(state), newGate(state), newLoad(state))
	return root
}

func (s *State) cacheDir() (string, error) {
	if s.cache != "" {
		return filepath.Abs(s.cache)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", exit.Invalidf("--cache", "pass --cache DIR", "%w", err)
	}
	return filepath.Join(dir, "steamer"), nil
}

func (s *State) builder() (*images.Builder, error) {
	root, err := plan.FindRoot(s.root)
	if err != nil {
		return nil, err
	}
	cache, err := s.cacheDir()
	if err != nil {
		return nil, err
	}
	from, err := images.ParseSource(s.images)
	if err != nil {
		return nil, err
	}
	return &images.Builder{Root: root, Cache: cache, Source: from, Offline: s.namespace != nil, Versions: s.versions}, nil
}

func (s *State) engineOptions() (engine.Options, error) {
	cache, err := s.cacheDir()
	return engine.Options{
		DataDir: filepath.Join(cache, "engine"),
		Log:     s.note, Namespace: s.namespace,
	}, err
}
