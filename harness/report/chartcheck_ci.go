package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"path"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"gitlab.com/steamer/steamer/harness/lint"
	"gitlab.com/steamer/steamer/harness/report/internal/render"
)

// chartFile is where a finding about no file in particular is shown.
const chartFile = "Chart.yaml"

// place is the file of a finding, below the chart's directory where that is known, and its line;
// 1 where it is not known, because both forms want one.
func place(r *lint.Report, f lint.Finding) (string, int) {
	file := cmp.Or(f.File, chartFile)
	if source := r.Chart.Source; !path.IsAbs(source) && !strings.HasSuffix(source, ".tgz") && !strings.Contains(source,
		"://") {
		file = path.Join(source, file)
	}
	return file, max(f.Line, 1)
}

// words are what a finding says on one line.
func words(f lint.Finding) string {
	text := strings.Trim(f.Object+" "+f.Path, " ")
	if text != "" {
		text += ": "
	}
	return render.Clean(text + f.Message)
}

// fingerprint tells one finding from another across runs. Lines are left out: they move.
func fingerprint(f lint.Finding) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{f.Rule, f.File, f.Object, f.Path, f.Message}, "\x00")))
	return hex.EncodeToString(sum[:])
}

// FindingsSARIF writes a check of a chart in SARIF 2.1.0. Findings that a baseline accepts are
// suppressed there; a skipped rule is not among the rules.
func FindingsSARIF(w io.Writer, r *lint.Report) error {
	levels := map[lint.Severity]string{lint.Error: "error", lint.Warning: "warning", lint.Info: "note"}
	driver := sarif.NewToolComponent().WithName("steamer charts check").WithRules([]*sarif.ReportingDescriptor{})
	ran := map[string]bool{}
	for _, outcome := range r.Rules {
		ran[outcome.ID] = outcome.State == lint.Clean || outcome.State == lint.Found
	}
	for _, rule := range lint.Rules() {
		if !ran[rule.ID] {
			continue
		}
		driver.AddRule(sarif.NewRule(rule.ID).WithDescription(rule.Title).
			WithFullDescription(sarif.NewMultiformatMessageString().WithText(rule.Protects + " " + rule.Detail)).
			WithHelp(sarif.NewMultiformatMessageString().WithText(rule.Hint)).
			WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(levels[rule.Severity])))
	}
	run := sarif.NewRun().WithTool(sarif.NewTool().WithDriver(driver)).WithResults([]*sarif.Result{})
	for _, f := range r.Findings {
		file, line := place(r, f)
		location := sarif.NewLocationWithPhysicalLocation(sarif.NewPhysicalLocation().
			WithArtifactLocation(sarif.NewSimpleArtifactLocation(file)).
			WithRegion(sarif.NewRegion().WithStartLine(line)))
		if name := strings.Trim(f.Object+"/"+f.Path, "/"); name != "" {
			location.AddLogicalLocation(sarif.NewLogicalLocation().WithFullyQualifiedName(render.Clean(name)))
		}
		text := words(f)
		if f.Hint != "" {
			text += "\nhint: " + render.Clean(f.Hint)
		}
		result := sarif.NewRuleResult(f.Rule).WithLevel(levels[f.Severity]).WithMessage(sarif.NewTextMessage(text)).
			AddLocation(location).WithPartialFingerprints(map[string]string{"steamer/v1": fingerprint(f)})
		if f.Accepted != nil {
			result.AddSuppression(sarif.NewSuppression().WithKind("external").WithJustification(render.Clean(f.Accepted.Reason)))
		}
		run.AddResult(result)
	}
	report := sarif.NewReport()
	report.AddRun(run)
	return report.PrettyWrite(w)
}

// quality is an issue in GitLab's form of Code Climate's.
type quality struct {
	Type        string   `json:"type"`
	Description string   `json:"description"`
	CheckName   string   `json:"check_name"`
	Fingerprint string   `json:"fingerprint"`
	Severity    string   `json:"severity"`
	Categories  []string `json:"categories"`
	Location    struct {
		Path  string `json:"path"`
		Lines struct {
			Begin int `json:"begin"`
		} `json:"lines"`
	} `json:"location"`
}

// FindingsCodeQuality writes a check of a chart as GitLab's Code Quality report. Findings that a
// baseline accepts are left out.
func FindingsCodeQuality(w io.Writer, r *lint.Report) error {
	severities := map[lint.Severity]string{lint.Error: "critical", lint.Warning: "minor", lint.Info: "info"}
	all := []quality{}
	for _, f := range r.Findings {
		if f.Accepted != nil {
			continue
		}
		issue := quality{
			Type: "issue", Description: words(f), CheckName: f.Rule, Fingerprint: fingerprint(f),
			Severity: severities[f.Severity], Categories: []string{"Bug Risk"},
		}
		issue.Location.Path, issue.Location.Lines.Begin = place(r, f)
		all = append(all, issue)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(all)
}
