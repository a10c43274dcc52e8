package release

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"gitlab.com/steamer/steamer/harness/chart"
)

// project is what the provenance calls this source tree.
const project = "https://gitlab.com/steamer/steamer"

// The statement is in-toto's, version 1 (github.com/in-toto/attestation), with SLSA's provenance
// predicate, version 1 (slsa.dev). It holds no time, so that the same commit makes the same file.
type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     predicate `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name,omitempty"`
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest"`
}

type predicate struct {
	BuildDefinition struct {
		BuildType            string              `json:"buildType"`
		ExternalParameters   map[string][]string `json:"externalParameters"`
		ResolvedDependencies []subject           `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
	RunDetails struct {
		Builder struct {
			ID      string            `json:"id"`
			Version map[string]string `json:"version"`
		} `json:"builder"`
	} `json:"runDetails"`
}

// provenance says which commit the archives were made of, and by what: gzip's output depends on
// the version of Go.
func provenance(commit string, dirs []string, archives []chart.Archive, steamer string) ([]byte, error) {
	s := statement{Type: "https://in-toto.io/Statement/v1", PredicateType: "https://slsa.dev/provenance/v1"}
	for _, archive := range archives {
		digest := strings.TrimPrefix(archive.Digest, "sha256:")
		s.Subject = append(s.Subject, subject{Name: filepath.Base(archive.Path), Digest: map[string]string{"sha256": digest}})
	}
	build := &s.Predicate.BuildDefinition
	build.BuildType = project + "/-/blob/main/docs/release.md"
	build.ExternalParameters = map[string][]string{"charts": dirs}
	build.ResolvedDependencies = []subject{{URI: "git+" + project, Digest: map[string]string{"gitCommit": commit}}}
	s.Predicate.RunDetails.Builder.ID = project + "/-/tree/main/harness/chart/release"
	s.Predicate.RunDetails.Builder.Version = map[string]string{"steamer": steamer, "go": runtime.Version()}
	data, err := json.MarshalIndent(s, "", "  ")
	return append(data, '\n'), err
}

// writeSums writes the SHA-256 of every file of a directory in the form that sha256sum --check
// reads.
func writeSums(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var sums bytes.Buffer
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(data), entry.Name())
	}
	return os.WriteFile(filepath.Join(dir, SumsFile), sums.Bytes(), 0o644)
}
