package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/secret"
)

// Encode renders r as indented JSON after checking it. It fails on values JSON
// cannot hold (NaN, infinities) and on anything Decode would refuse.
func Encode(r *Result) ([]byte, error) {
	if err := r.validate(); err != nil {
		return nil, fmt.Errorf("result is not well formed: %w", err)
	}
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return nil, fmt.Errorf("result cannot be written as JSON: %w", err)
	}
	return append(b, '\n'), nil
}

// Decode parses what Encode wrote. name is only used in errors, which are of
// code exit.Invalid: truncated and foreign documents, unknown fields, and
// documents written by a newer Steamer are refused, each by name.
func Decode(name string, data []byte) (*Result, error) {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, exit.Invalidf(name, "use a result.json that a finished run left behind",
			"not a complete Steamer result: %w", err)
	}
	if err := checkHead(name, head.APIVersion, head.Kind); err != nil {
		return nil, err
	}
	r := new(Result)
	if err := document.JSON(data, r); err != nil {
		return nil, exit.Invalidf(name, "use the Steamer release that wrote it", "not a Steamer result of version %s: %w",
			APIVersion, err)
	}
	if err := r.validate(); err != nil {
		return nil, exit.Invalidf(name, "use a result.json as Steamer wrote it, unedited", "%w", err)
	}
	return r, nil
}

// checkHead decides whether the document is ours and of a version we can read.
func checkHead(name, version, kind string) error {
	if version == APIVersion && kind == Kind {
		return nil
	}
	if kind == Kind && newer(version) {
		return exit.Invalidf(name, "use a Steamer release that knows "+strconv.Quote(version),
			"written with result version %q, newer than %q, which this Steamer reads", version, APIVersion)
	}
	return exit.Invalidf(name, "use a result.json that Steamer wrote",
		"apiVersion %q, kind %q: want %q, %q", version, kind, APIVersion, Kind)
}

// newer reports whether v is a later version of our own schema.
func newer(v string) bool {
	num := func(s string) (int, bool) {
		rest, ok := strings.CutPrefix(s, "steamer/v")
		n, err := strconv.Atoi(rest)
		return n, ok && err == nil
	}
	theirs, ok := num(v)
	ours, _ := num(APIVersion)
	return ok && theirs > ours
}

// ReadFile reads the result at path. A missing or unreadable file, like a malformed
// one, is an error of code exit.Invalid.
func ReadFile(path string) (*Result, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, exit.Invalidf(path, "name the result.json of a run", "%w", err)
	}
	return Decode(path, data)
}

// WriteFile writes r to path so that a reader sees the old file or the whole new
// one, never a part: it writes a temporary file beside it, syncs and renames.
func WriteFile(path string, r *Result) (err error) {
	data, err := Encode(r)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".result-*.tmp")
	if err != nil {
		return exit.Environmentf(path, "make the run directory writable", "%w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
			err = exit.Environmentf(path, "free some disk space and check the directory's rights", "%w", err)
		}
	}()
	if _, err = f.Write(secret.Clean(path, data)); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return f.Close()
}
