package session

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/target"
)

// OpenBao finds or builds the program of OpenBao.
func (s *Session) OpenBao(ctx context.Context) (path string, err error) {
	builder, err := s.Builder()
	if err != nil {
		return "", err
	}
	if path, err = builder.OpenBaoBinary(ctx); err != nil {
		return "", exit.Environmentf("program bao", "steamer doctor", "%w", err)
	}
	return path, nil
}

// Lab makes a directory for files of a kind, and finds the program of OpenBao where none is named.
func (s *Session) Lab(ctx context.Context, output, kind string, openbao *string) (dir string, err error) {
	if *openbao == "" {
		_, err = s.Builder() // found out before anything is made
	}
	if err == nil {
		dir, err = Directory(output, kind)
	}
	if err == nil && *openbao == "" {
		*openbao, err = s.OpenBao(ctx)
	}
	return dir, err
}

// Programs finds or builds what a target of processes runs; dir keeps k6's logs.
func (s *Session) Programs(ctx context.Context, dir string) (openbao string, g target.Generator, err error) {
	if openbao, err = s.OpenBao(ctx); err != nil {
		return "", g, err
	}
	g, err = s.Generator(ctx, dir)
	return openbao, g, err
}

// Generator finds or builds what drives load; dir keeps k6's logs.
func (s *Session) Generator(ctx context.Context, dir string) (g target.Generator, err error) {
	builder, err := s.Builder()
	if err != nil {
		return g, err
	}
	g = target.Generator{Scripts: filepath.Join(builder.Root, "perf/scripts"), Dir: dir}
	if g.K6, err = builder.K6Binary(ctx); err != nil {
		return g, exit.Environmentf("k6", "steamer images build k6 shows the build", "%w", err)
	}
	return g, nil
}

// Directory makes a directory below output for files of a kind, named by the time, and returns its
// absolute path. Errors are of code exit.Invalid.
func Directory(output, kind string) (string, error) {
	dir := filepath.Join(output, kind+"-"+time.Now().UTC().Format("20060102-150405"))
	if err := MakeDirectory(dir); err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

// FreshDirectory is Directory with a random end of its name, so that no other process has it.
func FreshDirectory(output, kind string, at time.Time) (string, error) {
	if err := MakeDirectory(output); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(output, at.Format(kind+"-20060102-150405-*"))
	if err != nil {
		return "", unwritable(output, err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

// MakeDirectory makes a directory that files go to. Errors are of code exit.Invalid.
func MakeDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return unwritable(dir, err)
	}
	return nil
}

func unwritable(dir string, err error) error {
	return exit.Invalidf("--output-dir "+dir, "name a directory that can be written", "%w", err)
}

// Writable refuses a file that could not be written, before the work whose outcome it is to hold.
// It leaves no file that was not there. flag is the flag that names the file; an empty path is
// none. Errors are of code exit.Invalid.
func Writable(flag, path string) error {
	if path == "" {
		return nil
	}
	_, statErr := os.Stat(path)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		err = file.Close()
		if errors.Is(statErr, fs.ErrNotExist) {
			err = errors.Join(err, os.Remove(path))
		}
	}
	if err != nil {
		return exit.Invalidf(flag+" "+path, "name a file that can be written", "%w", err)
	}
	return nil
}
