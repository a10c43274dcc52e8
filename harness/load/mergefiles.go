package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/result"
)

// MergeFiles merges the interval logs in files into to, see MergeLogs, with what their garbage
// collectors traced where the files are the logs of containers. Parts are named by their files.
// Errors are of code exit.Invalid for files that cannot be read, are no such log, or are cut off;
// a log that is whole but for its end, because its process was killed, is a part with a problem.
func MergeFiles(to io.Writer, paths []string) ([]result.LoadPart, error) {
	files, names := make([]*os.File, 0, len(paths)), make([]string, 0, len(paths))
	defer func() {
		for _, f := range files {
			_ = f.Close() // read only: nothing can be lost
		}
	}()
	logs := make([]io.Reader, 0, len(paths))
	traces := make([]*Trace, 0, len(paths))
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, exit.Invalidf(path, "name the log of a load generator, as --out hdr wrote it or kubectl logs printed it",
				"%w", err)
		}
		files, names, logs = append(files, f), append(names, filepath.Base(path)), append(logs, f)
		traces = append(traces, NewTrace(io.Discard))
	}
	m, err := mergeLogs(to, names, logs, func(i int) io.Writer { return traces[i] })
	for i := range m.parts {
		if refusal := m.parts[i].refuse(paths[i]); refusal != nil {
			return nil, refusal
		}
	}
	if err != nil {
		return nil, exit.Invalidf("logs to merge", "use logs of one load, all written by the same release of the extension",
			"%w", err)
	}
	parts := m.Parts()
	for i := range parts {
		parts[i].Collections = traces[i].Collections()
	}
	return parts, nil
}

// refuse says why a file is no interval log, or not the whole of one; nil when it is one, even if
// its process did not end well.
func (p *part) refuse(path string) error {
	var front *frontError
	switch {
	case errors.As(p.err, &front):
		return exit.Invalidf(path, "print it again by kubectl logs, without --timestamps and --prefix, or remove what other "+
			"tools put in front", "%w", p.err)
	case p.orphan:
		return exit.Invalidf(path, "kubelets keep only the last 10 MiB of a container's log: follow it from the "+
			"beginning, kubectl logs --follow POD > FILE", "its beginning is missing: %w", p.err)
	case p.err != nil:
		return exit.Invalidf(path, "name the log as --out hdr wrote it or kubectl logs printed it", "%w", p.err)
	case !p.header:
		return exit.Invalidf(path, "name the log as --out hdr wrote it or kubectl logs printed it",
			"it holds no interval log of k6")
	case len(p.pending) > 0 && (isLog(p.pending) || bytes.HasPrefix([]byte(`{"v"`), p.pending)):
		return exit.Invalidf(path, "copy the whole file again", "it is truncated: line %d is cut off", p.number+1)
	}
	return nil
}

// mergeLogs reads logs in step and folds them; foreign is where the lines go that are no log.
func mergeLogs(to io.Writer, names []string, logs []io.Reader, foreign func(i int) io.Writer) (*Merger, error) {
	m := NewMerger(to, names...)
	readers, writers := make([]*bufio.Reader, len(logs)), make([]io.Writer, len(logs))
	for i, log := range logs {
		readers[i], writers[i] = bufio.NewReader(log), m.Part(i, foreign(i))
	}
	for {
		i := m.behind()
		if i < 0 {
			break
		}
		text, err := readers[i].ReadBytes('\n')
		if len(text) > 0 {
			if _, err := writers[i].Write(text); err != nil && m.failed() {
				return m, err
			}
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, io.EOF) {
			return m, fmt.Errorf("%s: %w", names[i], err)
		}
		if err := m.End(i); err != nil {
			return m, err
		}
	}
	return m, m.Close()
}
