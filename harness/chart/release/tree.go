package release

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
)

// tree is a clean git work tree.
type tree struct {
	root   string
	commit string
	time   time.Time // of the commit
}

// openTree refuses what is no git work tree, and one with changes: its release could not be made
// again by anyone else.
func openTree(ctx context.Context, root string) (*tree, error) {
	t := &tree{root: root}
	head, err := t.git(ctx, "log", "-1", "--format=%H %ct")
	if err != nil {
		return nil, exit.Invalidf("source tree "+root, "release from a git clone", "%w", err)
	}
	var seconds int64
	if _, err := fmt.Sscanf(head, "%s %d", &t.commit, &seconds); err != nil {
		return nil, exit.Invalidf("source tree "+root, "release from a git clone", "git log says %q: %w", head, err)
	}
	t.time = time.Unix(seconds, 0).UTC()
	status, err := t.git(ctx, "status", "--porcelain", "--untracked-files=all")
	if err != nil {
		return nil, exit.Invalidf("source tree "+root, "git status shows the same error", "%w", err)
	}
	if status != "" {
		lines := strings.Split(status, "\n")
		shown := lines[:min(3, len(lines))]
		return nil, exit.Invalidf("source tree "+root, "commit or stash it; git status lists all of it",
			"%d files differ from commit %s: %s", len(lines), t.commit[:12], strings.Join(shown, ", "))
	}
	return t, nil
}

func (t *tree) git(ctx context.Context, args ...string) (string, error) {
	out, err := t.gitBytes(ctx, args...)
	return strings.TrimRight(string(out), "\n"), err
}

func (t *tree) gitBytes(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", t.root}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}

// extract writes a directory as the commit has it below to: a file that git ignores cannot slip
// into an archive.
func (t *tree) extract(ctx context.Context, dir, to string) error {
	if !filepath.IsLocal(dir) {
		return exit.Invalidf("chart "+dir, "name a directory of the source tree, relative to its root",
			"it is outside the source tree")
	}
	data, err := t.gitBytes(ctx, "archive", "--format=tar", t.commit, "--", filepath.ToSlash(filepath.Clean(dir)))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return exit.Invalidf("chart "+dir, "name a directory of the source tree, relative to its root", "%w", err)
	}
	reader := tar.NewReader(bytes.NewReader(data))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("git archive: %w", err)
		}
		if header.Typeflag != tar.TypeReg { // directories come with their files; links have no place in a chart
			continue
		}
		file := filepath.Join(to, filepath.FromSlash(path.Clean("/"+header.Name)))
		content, err := io.ReadAll(reader)
		if err != nil {
			return fmt.Errorf("git archive: %w", err)
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return err
		}
	}
}

// changes lists the commits that touched a chart since the release before, in Markdown. Releases
// are tagged NAME-VERSION.
func (t *tree) changes(ctx context.Context, dir string, archive chart.Archive) (string, error) {
	tags, err := t.git(ctx, "tag", "--list", archive.Name+"-[0-9]*", "--merged", t.commit, "--sort=-version:refname")
	if err != nil {
		return "", err
	}
	commits, since := t.commit, "in the whole history"
	earlier := slices.DeleteFunc(strings.Fields(tags), func(tag string) bool {
		return tag == archive.Name+"-"+
			archive.Version
	})
	if len(earlier) > 0 {
		commits, since = earlier[0]+".."+t.commit, "since "+earlier[0]
	}
	subjects, err := t.git(ctx, "log", "--no-merges", "--format=- %s (%h)", commits, "--",
		filepath.ToSlash(filepath.Clean(dir)))
	if err != nil {
		return "", err
	}
	if subjects == "" {
		subjects = "Nothing."
	}
	return fmt.Sprintf("# %s %s\n\nCommits that touched the chart %s:\n\n%s\n", archive.Name, archive.Version, since,
		subjects), nil
}
