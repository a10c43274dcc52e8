package topology

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"text/template"

	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/exit"
)

//go:embed dialects/*.yaml
var dialects embed.FS

// Dialect says how a family of charts is told what a topology needs, and how its objects are found. It is data: one file of dialects/.
type Dialect struct {
	Name          string `json:"-"`
	Release       string `json:"release"`       // Helm release name that the object names below follow from
	Selector      string `json:"selector"`      // label selector of the OpenBao pods
	Container     string `json:"container"`     // container that runs OpenBao
	ActiveService string `json:"activeService"` // Service that leads to the active pod only
	MetricsPort   int    `json:"metricsPort"`
	Values        string `json:"values"` // text/template over Inputs that yields the chart's values in YAML
}

// Inputs is what a topology decides about an installation.
type Inputs struct {
	Image       ImageRef
	ServiceType string // of the active Service
	NodePort    int    // 0: none
	Issuer      string // URL of GitLab's OpenID Connect issuer
	Audience    string
	Database    Database
	Resources   Resources
}

// ImageRef is an image reference in the two parts that charts want.
type ImageRef struct{ Repository, Tag string }

// Database is what OpenBao needs to know to reach PostgreSQL.
type Database struct {
	Host           string
	Port           int
	Name, User     string
	SSLMode        string
	PasswordSecret string // Secret with the key "password" in the release's namespace
	CASecret       string // Secret with the key "ca.crt"; empty without TLS
}

// Resources are Kubernetes quantities for each OpenBao pod.
type Resources struct{ CPURequest, CPULimit, MemoryRequest, MemoryLimit string }

// DialectNamed returns a built-in dialect; an unknown name is an exit.Invalid error.
func DialectNamed(name string) (*Dialect, error) {
	data, err := dialects.ReadFile("dialects/" + name + ".yaml")
	if err != nil {
		entries, _ := dialects.ReadDir("dialects")
		var known []string
		for _, entry := range entries {
			known = append(known, strings.TrimSuffix(path.Base(entry.Name()), ".yaml"))
		}
		return nil, exit.Invalidf("--dialect "+name, "choose from "+strings.Join(known, ", "), "there is no such dialect")
	}
	dialect := &Dialect{Name: name}
	if err := yaml.UnmarshalStrict(data, dialect); err != nil {
		return nil, fmt.Errorf("dialect %s: %w", name, err)
	}
	return dialect, nil
}

// Render returns the chart values for the inputs.
func (d *Dialect) Render(in Inputs) (map[string]any, error) {
	functions := template.FuncMap{"toJSON": func(v any) (string, error) {
		data, err := json.Marshal(v)
		return string(data), err
	}}
	parsed, err := template.New(d.Name).Funcs(functions).Option("missingkey=error").Parse(d.Values)
	if err != nil {
		return nil, fmt.Errorf("dialect %s: %w", d.Name, err)
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, in); err != nil {
		return nil, fmt.Errorf("dialect %s: %w", d.Name, err)
	}
	return chart.ParseValues("of dialect "+d.Name, out.Bytes())
}
