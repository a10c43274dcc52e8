package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.com/steamer/steamer/harness/cli"
	"gitlab.com/steamer/steamer/harness/judge"
	"gitlab.com/steamer/steamer/harness/report"
)

const written = "Written by `go generate ./hack/reference`; a test fails when it is stale.\n"

// commandLine is every command on one page, with its flags in the sections of its help.
func commandLine(string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Command line\n\n" + written)
	root := cli.Reference()
	root.InitDefaultVersionFlag()
	b.WriteString("\nFlags of all commands stand with `steamer`. `steamer completion --help` says how a shell " +
		"completes commands and values.\n")
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		describe(&b, c)
		for _, child := range c.Commands() {
			if child.IsAvailableCommand() {
				walk(child)
			}
		}
	}
	walk(root)
	return b.Bytes(), nil
}

// describe writes the part of one command.
func describe(b *bytes.Buffer, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n", c.CommandPath(), c.Short)
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", c.Long)
	}
	if !c.HasAvailableSubCommands() {
		fmt.Fprintf(b, "\n```\n%s\n```\n", c.UseLine())
	}
	if c.HasExample() {
		fmt.Fprintf(b, "\n### Examples\n\n```\n%s\n```\n", c.Example)
	}
	group := ""
	for _, g := range c.Groups() {
		group += fmt.Sprintf("\n%s:\n\n", g.Title) + children(c, g.ID)
	}
	if group == "" {
		group = children(c, "")
	}
	if group != "" {
		fmt.Fprintf(b, "\n### Commands\n\n%s", strings.TrimLeft(group, "\n"))
	}
	for _, s := range cli.Sections(c) {
		fmt.Fprintf(b, "\n### %s\n\n```\n%s```\n", s.Title, s.Flags.FlagUsages())
	}
}

// children lists the commands below c that are of a group.
func children(c *cobra.Command, group string) string {
	var b strings.Builder
	for _, child := range c.Commands() {
		if child.IsAvailableCommand() && child.GroupID == group {
			anchor := strings.ReplaceAll(child.CommandPath(), " ", "-")
			fmt.Fprintf(&b, "* [%s](#%s): %s\n", child.CommandPath(), anchor, child.Short)
		}
	}
	return b.String()
}

// exitCodes reads the constants of package exit with their comments.
func exitCodes(root string) ([]byte, error) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "harness/exit/exit.go"), nil,
		parser.ParseComments)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("# Exit codes\n\n" + written +
		"\nEvery command of `steamer` ends with one of these.\n\n| code | name | meaning |\n|---|---|---|\n")
	rows := 0
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.CONST {
			continue
		}
		for _, s := range decl.Specs {
			spec, ok := s.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				continue
			}
			value, ok := spec.Values[0].(*ast.BasicLit)
			if !ok {
				continue
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", value.Value, spec.Names[0].Name, strings.TrimSpace(spec.Comment.Text()))
			rows++
		}
	}
	if rows == 0 {
		return nil, fmt.Errorf("package exit has no constants any more")
	}
	b.WriteString("\nOf `steamer charts check`, `mutants` and `slo check`, 1 means that they found something.\n")
	return b.Bytes(), nil
}

// metrics lists what an objective can bound and what a run exports.
func metrics(string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Metrics\n\n" + written +
		"\n## Of an objective\n\nWhat `metric` of a limit in `perf/slo.yaml` can name. A share is written as a number from 0 to 1.\n\n" +
		"| metric | is | unit |\n|---|---|---|\n")
	for _, name := range judge.Metrics() {
		title, unit := judge.Describe(name)
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, title, unit)
	}
	b.WriteString("\n## Of a run\n\nThe gauges in a run's `metrics.txt`, in the form of OpenMetrics: sorted, rounded to three decimals, without times.\n\n" +
		"| gauge | is | labels |\n|---|---|---|\n")
	for _, f := range report.Families() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, f.Help, strings.Join(f.Labels, ", "))
	}
	b.WriteString("\nThe metrics of the k6 extension are in [its README](../../perf/README.md).\n")
	return b.Bytes(), nil
}
