// Package session is one process of the steamer command: what its commands share, where its files
// and its engine are, where its messages go, and how it begins again inside the private engine's
// network namespace.
package session

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"golang.org/x/term"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/cluster"
	"gitlab.com/steamer/steamer/harness/engine"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/images"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/plan"
	"gitlab.com/steamer/steamer/harness/platform"
	"gitlab.com/steamer/steamer/harness/run"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/steps"
)

// Session is what commands take from their process.
type Session struct {
	Args   []string // without the program's name
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string

	Root        string   // --root
	CacheDir    string   // --cache
	ImageSource string   // --image-source
	Colour      bool     // of what is written to Stdout
	JSON        bool     // of -o json: Stdout is for the record that is written to a file
	UI          steps.UI // where progress goes; nil is lines on Stderr

	Namespace *engine.Namespace // of the private engine, where this process is inside it

	pulled   chart.Pulled            // charts that the command pulled
	named    map[string]images.Image // images that flags name, in archives, by their references
	versions *images.Versions        // of Debian packages, that the command keeps to
	inherit  []*os.File              // to stay open when this process begins again
	sockets  []int                   // descriptors of listeners that this process inherited from itself
}

// Cache returns the directory of images, programs and the private engine. Errors are of code
// exit.Invalid.
func (s *Session) Cache() (string, error) {
	if s.CacheDir != "" {
		return filepath.Abs(s.CacheDir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", exit.Invalidf("--cache", "pass --cache DIR", "%w", err)
	}
	return filepath.Join(dir, "steamer"), nil
}

// Builder builds and pulls images and programs. Errors are of code exit.Invalid.
func (s *Session) Builder() (*images.Builder, error) {
	root, err := plan.FindRoot(s.Root)
	if err != nil {
		return nil, err
	}
	cache, err := s.Cache()
	if err != nil {
		return nil, err
	}
	from, err := images.ParseSource(s.ImageSource)
	if err != nil {
		return nil, err
	}
	return &images.Builder{
		Root: root, Cache: cache, Source: from, Offline: s.Namespace != nil, Versions: s.versions,
		Progress: s.Progress().Work, Count: s.Progress().Progress,
	}, nil
}

// EngineOptions say where the private engine of this cache is.
func (s *Session) EngineOptions() (engine.Options, error) {
	cache, err := s.Cache()
	return engine.Options{DataDir: filepath.Join(cache, "engine"), Log: s.Note, Namespace: s.Namespace}, err
}

// Identity is the owner of what the commands make: this user, with the checkout that the command
// works with, if any, and the cache.
func (s *Session) Identity() (cluster.Identity, error) {
	cache, err := s.Cache()
	if err != nil {
		return cluster.Identity{}, err
	}
	root, err := plan.FindRoot(s.Root)
	if err != nil && s.Root != "" {
		return cluster.Identity{}, err
	}
	return cluster.Me(root, cache)
}

// Fetcher finds charts, and keeps what it pulls for the second part of the command.
func (s *Session) Fetcher() chart.Fetcher {
	if s.pulled == nil {
		s.pulled = chart.Pulled{}
	}
	return chart.Fetcher{Log: s.Note, Pulled: s.pulled}
}

// Prepare resolves a plan, and makes what brings up its platform. Errors are of code exit.Invalid.
func (s *Session) Prepare(ctx context.Context, root string, p plan.Plan) (*platform.Provider, error) {
	resolved, err := p.Resolve(ctx, root, s.Fetcher())
	if err != nil {
		return nil, err
	}
	builder, err := s.Builder()
	if err != nil {
		return nil, err
	}
	engineOptions, err := s.EngineOptions()
	return &platform.Provider{
		Plan: resolved, Root: builder.Root, Cache: builder.Cache, Builder: builder, Engine: engineOptions, Named: s.named,
	}, err
}

// Runner runs the plan of a platform on it.
func (s *Session) Runner(p *platform.Provider) *run.Runner {
	return &run.Runner{
		Plan: p.Plan, Platform: run.OnCluster(p), Steamer: Version(), Reproduce: s.CommandLine(), UI: s.Progress(),
	}
}

// Progress is where progress goes.
func (s *Session) Progress() steps.UI {
	if s.UI == nil {
		s.UI = &steps.Text{W: s.Stderr, Terminal: IsTerminal(s.Stderr)}
	}
	return s.UI
}

// Note reports one line of progress.
func (s *Session) Note(line string) { s.Progress().Note(line) }

// Aside is where a command prints what is not its record: Stdout, and Stderr with -o json.
func (s *Session) Aside() io.Writer {
	if s.JSON {
		return s.Stderr
	}
	return s.Stdout
}

// Print prints a record as text, or with -o json as encode writes it to a file.
func Print[T any](s *Session, record *T, encode func(*T) ([]byte, error), text func(io.Writer) error) error {
	if !s.JSON {
		return text(s.Stdout)
	}
	data, err := encode(secret.Scrub(record))
	if err != nil {
		return err
	}
	_, err = s.Stdout.Write(data)
	return err
}

// CommandLine is the command that repeats what this process does, secrets withheld.
func (s *Session) CommandLine() string { return secret.CommandLine("steamer", s.Args) }

// Version is Steamer's version and commit, as far as the build recorded them.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision := ""
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			revision = " " + setting.Value
		}
	}
	return info.Main.Version + revision
}

// IsTerminal tells a terminal from files, pipes and other devices, of which /dev/null is one.
func IsTerminal(w io.Writer) bool {
	file, ok := secret.Unwrap(w).(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// SLO reads the file of objectives at path, or the source tree's where path is empty, and returns
// its path. Errors are of code exit.Invalid.
func (s *Session) SLO(path string) (string, *judge.SLO, error) {
	if path == "" {
		root, err := plan.FindRoot(s.Root)
		if err != nil {
			return "", nil, err
		}
		path = filepath.Join(root, "perf/slo.yaml")
	}
	slo, err := judge.ReadSLO(path)
	return path, slo, err
}
