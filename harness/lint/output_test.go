package lint_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/lint"
	reports "gitlab.com/steamer/steamer/harness/report"
)

// TestFormats writes one report in every form; each names rule, object and path of the seeded
// defect.
func TestFormats(t *testing.T) {
	t.Parallel()
	report := run(t, write(t, edit(t, "templates/deployment.yaml", "small:1.0", "small:latest")), lint.Options{
		Skip: map[string]string{"helm/lint": "as an example"},
	})
	want := []string{
		"security/images", "Deployment/openbao-small", "spec.template.spec.containers[0].image", "floats",
		"as an example",
	}

	plain, coloured := text(t, report), &bytes.Buffer{}
	require.NoError(t, reports.FindingsTable(coloured, report, true))
	require.NotContains(t, plain, "\x1b")
	require.Contains(t, coloured.String(), "\x1b[31m")
	require.Contains(t, plain, "FINDINGS: 1 errors")

	var asJSON, asJUnit bytes.Buffer
	require.NoError(t, lint.JSON(&asJSON, report))
	require.NoError(t, reports.FindingsJUnit(&asJUnit, report))
	for _, part := range want {
		for name, out := range map[string]string{"table": plain, "json": asJSON.String(), "junit": asJUnit.String()} {
			require.Contains(t, out, part, name)
		}
	}

	var back lint.Report
	require.NoError(t, json.Unmarshal(asJSON.Bytes(), &back))
	require.Equal(t, *report, back)
	require.Equal(t, lint.APIVersion, back.APIVersion)

	var suites struct {
		Suites []struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Skipped  int `xml:"skipped,attr"`
			Cases    []struct {
				Name    string `xml:"name,attr"`
				Failure *struct {
					Message string `xml:"message,attr"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	require.NoError(t, xml.Unmarshal(asJUnit.Bytes(), &suites))
	suite := suites.Suites[0]
	require.Equal(t, len(lint.Rules()), suite.Tests)
	require.Equal(t, 1, suite.Failures)
	for _, c := range suite.Cases {
		require.Equal(t, c.Name == "security/images", c.Failure != nil, c.Name)
	}
}

// TestUnprintable keeps a report readable when a chart renders what XML cannot hold.
func TestUnprintable(t *testing.T) {
	t.Parallel()
	report := run(t, write(t, edit(t, "templates/deployment.yaml", "registry.example/small:1.0", `"a\u0007b:latest"`)),
		lint.Options{})
	var out bytes.Buffer
	require.NoError(t, reports.FindingsJUnit(&out, report))
	require.NoError(t, xml.Unmarshal(out.Bytes(), new(any)))
}

// TestRules: IDs are unique, and every rule says what it protects, how it decides and how to fix
// its findings.
func TestRules(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, rule := range lint.Rules() {
		require.Regexp(t, `^[a-z]+/[a-z-]+$`, rule.ID)
		require.False(t, seen[rule.ID], rule.ID)
		seen[rule.ID] = true
		for _, field := range []string{rule.Title, rule.Protects, rule.Hint, rule.Detail, string(rule.Severity)} {
			require.NotEmpty(t, strings.TrimSpace(field), rule.ID)
		}
		found, known := lint.RuleNamed(rule.ID)
		require.True(t, known)
		require.Equal(t, rule.Title, found.Title)
	}
}

// TestNoSecretIsPrinted plants secrets where rules find them, and looks for them in every form of
// the report.
func TestNoSecretIsPrinted(t *testing.T) {
	t.Parallel()
	const secret = "correct-horse-battery"
	report := run(t, write(t, with(map[string]string{
		"templates/extra.yaml": object("v1", "ConfigMap", "data: {url: 'postgres://a:"+secret+"@b/c', token.json: '"+secret+
			"'}\n") + "---\n" +
			object("v1", "Secret", "data: {a: '"+secret+" '}\n"),
	})), lint.Options{})
	require.Positive(t, report.Counts.Errors)
	var out bytes.Buffer
	require.NoError(t, lint.JSON(&out, report))
	require.NoError(t, reports.FindingsJUnit(&out, report))
	require.NoError(t, reports.FindingsTable(&out, report, true))
	require.NoError(t, reports.FindingsSARIF(&out, report))
	require.NoError(t, reports.FindingsCodeQuality(&out, report))
	require.NotContains(t, out.String(), secret)
}

// FuzzParseAllowance reads anything or refuses it.
func FuzzParseAllowance(f *testing.F) {
	for _, seed := range []string{
		"", "bindings: [a]", "namespaced: [{verbs: [get]}]", "cluster: 1", "- a",
		"bindings: [a]\nbindings: [b]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		allowed, err := lint.ParseAllowance("fuzz", []byte(text))
		if err != nil {
			require.Zero(t, allowed)
			require.ErrorContains(t, err, "hint: ")
		}
	})
}

// TestFormatsOfCI writes a report as SARIF, which its own schema takes, and as Code Quality, with
// what GitLab asks for.
func TestFormatsOfCI(t *testing.T) {
	t.Parallel()
	dir := write(t, edit(t, "templates/deployment.yaml", "small:1.0", "small:latest"))
	report := run(t, dir, lint.Options{Skip: map[string]string{"helm/lint": "as an example"}})

	var out bytes.Buffer
	require.NoError(t, reports.FindingsSARIF(&out, report))
	parsed, err := sarif.FromBytes(out.Bytes())
	require.NoError(t, err)
	require.NoError(t, parsed.Validate())
	require.Equal(t, "2.1.0", parsed.Version)
	results, rules := parsed.Runs[0].Results, parsed.Runs[0].Tool.Driver.Rules
	require.Len(t, results, len(report.Findings))
	require.Equal(t, "security/images", *results[0].RuleID)
	require.Equal(t, "error", results[0].Level)
	require.Contains(t, *results[0].Message.Text, "floats")
	place := results[0].Locations[0].PhysicalLocation
	require.Equal(t, "templates/deployment.yaml", *place.ArtifactLocation.URI)
	require.Positive(t, *place.Region.StartLine)
	for _, rule := range rules {
		require.NotEqual(t, "helm/lint", *rule.ID, "a skipped rule did not run")
	}

	out.Reset()
	require.NoError(t, reports.FindingsCodeQuality(&out, report))
	var issues []struct {
		Description string `json:"description"`
		CheckName   string `json:"check_name"`
		Fingerprint string `json:"fingerprint"`
		Severity    string `json:"severity"`
		Location    struct {
			Path  string `json:"path"`
			Lines struct {
				Begin int `json:"begin"`
			} `json:"lines"`
		} `json:"location"`
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &issues))
	require.Len(t, issues, len(report.Findings))
	fingerprints := map[string]bool{}
	for _, issue := range issues {
		require.NotEmpty(t, issue.Description)
		require.Contains(t, []string{"info", "minor", "major", "critical", "blocker"}, issue.Severity)
		require.Positive(t, issue.Location.Lines.Begin)
		require.NotEmpty(t, issue.Location.Path)
		require.Len(t, issue.Fingerprint, 64)
		require.False(t, fingerprints[issue.Fingerprint], "two issues with one fingerprint")
		fingerprints[issue.Fingerprint] = true
	}
	require.Equal(t, "security/images", issues[0].CheckName)

	baseline := lint.NewBaseline(report, lint.Acceptance{Reason: "known", Owner: "team", Expires: "2099-01-01"})
	require.NoError(t, report.Accept(baseline))
	out.Reset()
	require.NoError(t, reports.FindingsSARIF(&out, report))
	parsed, err = sarif.FromBytes(out.Bytes())
	require.NoError(t, err)
	require.NoError(t, parsed.Validate())
	require.Equal(t, "known", *parsed.Runs[0].Results[0].Suppressions[0].Justification)
	out.Reset()
	require.NoError(t, reports.FindingsCodeQuality(&out, report))
	require.NotContains(t, out.String(), "security/images")
}
