// Package release makes what users of the charts download: reproducible archives with checksums,
// provenance and changes, pushed to a registry where one is named. A release comes from a commit,
// never from files that only this machine has.
package release

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
)

// Options say what to release.
type Options struct {
	Root     string       // of the git work tree
	Charts   []string     // directories, relative to Root
	Output   string       // directory for the files
	Registry string       // oci://HOST/PATH; empty pushes nothing
	Key      *chart.Key   // signs the archives; nil signs nothing
	Steamer  string       // version, for the provenance
	DryRun   bool         // check everything, say what would be made and pushed, and stop
	Log      func(string) // told what is done, one line each
}

// Files that a release consists of, beside NAME-VERSION.tgz, its .prov where a key signs, and
// NAME-VERSION.changes.md.
const (
	SumsFile       = "SHA256SUMS"
	ProvenanceFile = "provenance.json"
)

// Make releases the charts. Bad input, a dirty work tree and a version that is out with another
// content are exit.Invalid errors, found before anything is written to Output or pushed.
func Make(ctx context.Context, o Options) error {
	tree, err := openTree(ctx, o.Root)
	if err != nil {
		return err
	}
	staging, err := os.MkdirTemp("", "steamer-release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(staging) }()
	archives, err := o.stage(ctx, tree, staging)
	if err != nil {
		return err
	}
	targets, err := o.targets(ctx, archives)
	if err != nil {
		return err
	}
	files, err := os.ReadDir(staging)
	if err != nil {
		return err
	}
	verb := "made "
	if o.DryRun {
		verb = "would make "
	}
	for _, file := range files {
		if !o.DryRun {
			if err := move(filepath.Join(staging, file.Name()), o.Output); err != nil {
				return err
			}
		}
		o.Log(verb + filepath.Join(o.Output, file.Name()))
	}
	return o.push(ctx, tree, targets)
}

// stage makes all files of the release in a directory of its own.
func (o Options) stage(ctx context.Context, tree *tree, staging string) ([]chart.Archive, error) {
	checkout, err := os.MkdirTemp("", "steamer-tree-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(checkout) }()
	var archives []chart.Archive
	for _, dir := range o.Charts {
		if _, err := chart.Load(filepath.Join(o.Root, dir)); err != nil { // its errors name a path that stays
			return nil, err
		}
		if err := tree.extract(ctx, dir, checkout); err != nil {
			return nil, err
		}
		archive, err := chart.Package(filepath.Join(checkout, dir), staging)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(archives, func(other chart.Archive) bool { return other.Path == archive.Path }) {
			return nil, exit.Invalidf("chart "+dir, "name each chart once", "another one makes %s too",
				filepath.Base(archive.Path))
		}
		archives = append(archives, archive)
		if o.Key != nil {
			if _, err := o.Key.Sign(archive.Path); err != nil {
				return nil, exit.Invalidf("signing key", "helm package --sign shows the same error", "%w", err)
			}
		}
		changes, err := tree.changes(ctx, dir, archive)
		if err != nil {
			return nil, err
		}
		file := strings.TrimSuffix(archive.Path, ".tgz") + ".changes.md"
		if err := os.WriteFile(file, []byte(changes), 0o644); err != nil {
			return nil, err
		}
		o.Log(fmt.Sprintf("chart %s %s of commit %s: %s", archive.Name, archive.Version, tree.commit[:12], archive.Digest))
	}
	statement, err := provenance(tree.commit, o.Charts, archives, o.Steamer)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(staging, ProvenanceFile), statement, 0o644); err != nil {
		return nil, err
	}
	return archives, writeSums(staging)
}

// target is an archive's place in the registry.
type target struct {
	chart.Target
	pushed bool // it is there already
}

// targets asks the registry about every archive before anything is pushed.
func (o Options) targets(ctx context.Context, archives []chart.Archive) ([]target, error) {
	if o.Registry == "" {
		return nil, nil
	}
	var all []target
	for _, archive := range archives {
		t, err := chart.NewTarget(o.Registry, filepath.Join(o.Output, filepath.Base(archive.Path)), archive)
		if err != nil {
			return nil, err
		}
		pushed, err := t.Pushed(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, target{t, pushed})
	}
	return all, nil
}

func (o Options) push(ctx context.Context, tree *tree, targets []target) error {
	if o.Registry == "" {
		o.Log("pushed nothing: no registry is named")
	}
	for _, t := range targets {
		switch {
		case t.pushed:
			o.Log(t.String() + " is there already, with the same archive")
		case o.DryRun:
			o.Log("would push " + t.String())
		default:
			manifest, err := t.Push(ctx, tree.time)
			if err != nil {
				return err
			}
			o.Log("pushed " + t.String() + "@" + manifest + ", pulled it back and compared")
		}
	}
	return nil
}

// move puts a staged file into the output directory, which may be on another file system.
func move(file, dir string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	hint := "name a directory that can be written"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return exit.Invalidf("--output-dir "+dir, hint, "%w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), data, 0o644); err != nil {
		return exit.Invalidf("--output-dir "+dir, hint, "%w", err)
	}
	return nil
}
