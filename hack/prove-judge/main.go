// Command prove-judge takes the rules of docs/verdict.md out of the judge, one after the other,
// and wants the attacks that name the rule to notice:
//
//	go run ./hack/prove-judge            # all rules, about a quarter of an hour on two cores
//	go run ./hack/prove-judge RULE...
//
// The source tree is not touched: each rule is taken out in a copy of its file, which replaces the
// file for one build (go test -overlay). Exit code 0: every rule was missed by an attack. 1: one
// was not. 3: an edit does not fit the source.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// Where the edits are, and the package with the attacks, from the root of the source tree.
const (
	edits   = "harness/gate/attack/testdata/rules.yaml"
	attacks = "./harness/gate/attack"
)

// edit takes one rule out.
type edit struct {
	Rule string `json:"rule"`
	File string `json:"file"` // from the root of the source tree
	Old  string `json:"old"`  // occurs once
	New  string `json:"new"`
	Test string `json:"test"` // that has to notice; empty: the attacks that name the rule
	In   string `json:"in"`   // that test's package
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, only []string) int {
	list, err := read(only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "prove-judge:", err)
		return 3
	}
	unnoticed, unfit := 0, 0
	for _, e := range list {
		began := time.Now()
		noticed, told, err := e.try(ctx)
		word := "noticed"
		switch {
		case ctx.Err() != nil:
			return 130
		case err != nil:
			fmt.Fprintf(os.Stderr, "prove-judge: %s: %v\n%s\n", e.Rule, err, told)
			word = "UNFIT"
			unfit++
		case !noticed:
			word = "NOT NOTICED"
			unnoticed++
		}
		fmt.Printf("%-12s %-24s %-32s %3.0f s\n", word, e.Rule, e.File, time.Since(began).Seconds())
	}
	fmt.Printf("%d edits, %d not noticed, %d unfit\n", len(list), unnoticed, unfit)
	switch {
	case unfit > 0:
		return 3
	case unnoticed > 0:
		return 1
	}
	return 0
}

// read returns the edits of the named rules, of all without names.
func read(only []string) ([]edit, error) {
	raw, err := os.ReadFile(edits)
	if err != nil {
		return nil, fmt.Errorf("%w (run it in the root of the source tree)", err)
	}
	var list []edit
	if err := yaml.UnmarshalStrict(raw, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", edits, err)
	}
	for _, rule := range only {
		if !slices.ContainsFunc(list, func(e edit) bool { return e.Rule == rule }) {
			return nil, fmt.Errorf("no edit takes the rule %s out", rule)
		}
	}
	return slices.DeleteFunc(list, func(e edit) bool { return len(only) > 0 && !slices.Contains(only, e.Rule) }), nil
}

// try runs the attacks that name the rule without it; noticed says that one of them failed.
func (e edit) try(ctx context.Context) (noticed bool, told string, err error) {
	dir, err := os.MkdirTemp("", "prove-judge-")
	if err != nil {
		return false, "", err
	}
	defer os.RemoveAll(dir)
	raw, err := os.ReadFile(e.File)
	if err != nil {
		return false, "", err
	}
	if n := strings.Count(string(raw), e.Old); n != 1 {
		return false, "", fmt.Errorf("%s holds the text to take out %d times: adapt %s", e.File, n, edits)
	}
	file, err := filepath.Abs(e.File)
	if err != nil {
		return false, "", err
	}
	without, overlay := filepath.Join(dir, "without.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {file: without}})
	if err != nil {
		return false, "", err
	}
	taken := []byte(strings.Replace(string(raw), e.Old, e.New, 1))
	for path, data := range map[string][]byte{without: taken, overlay: replace} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return false, "", err
		}
	}
	args := []string{"test", "-count=1", "-vet=off", "-overlay", overlay}
	if e.Test == "" {
		args = append(args, attacks, "-run", "^TestAttacks$", "-attack.rule="+e.Rule)
	} else {
		args = append(args, e.In, "-run", e.Test)
	}
	out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	var failed *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return false, "", ctx.Err()
	case err == nil:
		return false, "", nil
	case !errors.As(err, &failed) || !strings.Contains(string(out), "--- FAIL"):
		return false, string(out), fmt.Errorf("it does not build without the rule: %w", err)
	}
	return true, "", nil
}
