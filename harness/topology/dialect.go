package topology

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"text/template"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"gitlab.com/steamer/steamer/harness/chart"
	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
)

//go:embed dialects/*.yaml
var dialects embed.FS

// Dialect says how a family of charts is told what a topology needs, and how its objects are
// found. It is data: one file of dialects/, or the user's own. docs/dialects.md describes every
// field.
type Dialect struct {
	Name string `json:"-"`
	// Server is the program that the chart is made for: openbao, which empty means, or vault.
	Server openbao.Kind `json:"server"`
	// Raft says that the server keeps its data in its own pods: no PostgreSQL is made.
	Raft          bool   `json:"raft"`
	Release       string `json:"release"`       // Helm release name that the object names below follow from
	Selector      string `json:"selector"`      // label selector of the OpenBao pods
	Container     string `json:"container"`     // container that runs OpenBao
	ActiveService string `json:"activeService"` // Service that leads to the active pod only
	MetricsPort   int    `json:"metricsPort"`   // of the pods; 0: they serve no metrics without a token
	APIPort       int    `json:"apiPort"`       // of the pods; 0 means 8200
	// Unregistered says that the chart has no Kubernetes service registration: its pods carry no
	// openbao-* labels, and are asked for their health through the API server instead.
	Unregistered bool          `json:"unregistered"`
	Secrets      []ExtraSecret `json:"secrets"` // that the chart expects to find and does not make
	Values       string        `json:"values"`  // text/template over Inputs that yields the chart's values in YAML
	// the same for an overlay with which the chart is installed first; empty for none
	Bootstrap string `json:"bootstrap"`
	// UnsealKey is where the chart keeps the static unseal key; empty where it has none.
	UnsealKey scenario.KeyRef `json:"unsealKey"`
	// Changes are what scenarios ask for, by the names that package scenario gives them.
	Changes map[string]Change `json:"changes"`
}

// Change is how a chart is told a change that a scenario asks for.
type Change struct {
	// key of the chart's own values without which the chart cannot do it; empty: it always can
	Needs  string `json:"needs"`
	Values string `json:"values"` // text/template over what package scenario says the change needs
}

// ExtraSecret is a Secret of random bytes that is made in the release's namespace before the chart
// is installed.
type ExtraSecret struct {
	Name  string `json:"name"`
	Key   string `json:"key"`
	Bytes int    `json:"bytes"` // 1 to 1024, random and raw
}

// Inputs is what a topology decides about an installation.
type Inputs struct {
	Chart       chartFacts
	Image       ImageRef
	ServiceType string // of the active Service
	NodePort    int    // 0: none
	Issuer      string // URL of GitLab's OpenID Connect issuer
	Audience    string
	Database    Database
	Resources   Resources
	// TLSSecret has the certificate "tls.crt" and the key "tls.key" of API and metrics; empty for
	// plain HTTP.
	TLSSecret string
}

// chartFacts is what a dialect may ask about the chart it is used with.
type chartFacts struct {
	Name, Version string
	knows         func(path string) bool
}

// factsOf returns what a dialect may ask about a chart.
func factsOf(c *chart.Chart) chartFacts {
	info := c.Info()
	return chartFacts{Name: info.Name, Version: info.Version, knows: c.Knows}
}

// Knows reports whether the chart's own values have a key, e.g. "serviceActive.nodePort". It tells
// versions of a chart apart by what they can do.
func (f chartFacts) Knows(path string) bool { return f.knows != nil && f.knows(path) }

// ImageRef is an image reference in the two parts that charts want.
type ImageRef struct{ Repository, Tag string }

// Registry is the repository's host, docker.io where it names none, for charts that keep it apart.
func (r ImageRef) Registry() string {
	host, _ := r.split()
	return host
}

// Path is the repository without its host.
func (r ImageRef) Path() string {
	_, rest := r.split()
	return rest
}

func (r ImageRef) split() (host, rest string) {
	host, rest, found := strings.Cut(r.Repository, "/")
	if found && (strings.ContainsAny(host, ".:") || host == "localhost") {
		return host, rest
	}
	return "docker.io", r.Repository
}

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

// Dialects lists the names of the built-in dialects.
func Dialects() []string {
	entries, err := dialects.ReadDir("dialects")
	if err != nil {
		return nil // the directory is part of the program
	}
	var known []string
	for _, entry := range entries {
		known = append(known, strings.TrimSuffix(path.Base(entry.Name()), ".yaml"))
	}
	slices.Sort(known)
	return known
}

// DialectNamed returns a built-in dialect by its name, or reads one from a file, which is anything
// with a slash or a dot in it. The error is of code exit.Invalid.
func DialectNamed(name string) (*Dialect, error) {
	if strings.ContainsAny(name, "/.") {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, exit.Invalidf("--dialect "+name, "name a file that can be read, or one of "+strings.Join(Dialects(),
				", "), "%w", err)
		}
		return ParseDialect(name, data)
	}
	data, err := dialects.ReadFile("dialects/" + name + ".yaml")
	if err != nil {
		hint := "choose from " + strings.Join(Dialects(), ", ") + ", or name a file with --dialect ./FILE.yaml"
		return nil, exit.Invalidf("--dialect "+name, hint, "there is no such dialect")
	}
	return ParseDialect(name, data)
}

// ParseDialect reads a dialect. Unknown fields, missing ones and templates that cannot be parsed
// are errors of code exit.Invalid.
func ParseDialect(name string, data []byte) (*Dialect, error) {
	dialect := &Dialect{Name: name}
	err := document.YAML(data, dialect)
	if err == nil {
		err = dialect.check()
	}
	if err != nil {
		return nil, exit.Invalidf("--dialect "+name, "docs/dialects.md describes every field", "%w", err)
	}
	return dialect, nil
}

func (d *Dialect) check() error {
	for _, name := range []struct{ field, value string }{
		{"release", d.Release},
		{"container", d.Container},
		{"activeService", d.ActiveService},
	} {
		if problems := validation.IsDNS1123Label(name.value); len(problems) > 0 {
			return fmt.Errorf("%s %q: %s", name.field, name.value, problems[0])
		}
	}
	if selector, err := labels.Parse(d.Selector); err != nil || selector.Empty() {
		return errors.Join(fmt.Errorf("selector %q finds no particular pods", d.Selector), err)
	}
	if d.Values == "" {
		return errors.New("values: they are missing")
	}
	if !slices.Contains([]openbao.Kind{"", openbao.KindOpenBao, openbao.KindVault}, d.Server) {
		return fmt.Errorf("server %q: use %s or %s", d.Server, openbao.KindOpenBao, openbao.KindVault)
	}
	if max(d.MetricsPort, d.APIPort) > 65535 || min(d.MetricsPort, d.APIPort) < 0 {
		return fmt.Errorf("metricsPort %d, apiPort %d: use 0 to 65535", d.MetricsPort, d.APIPort)
	}
	for i, secret := range d.Secrets {
		if slices.ContainsFunc(d.Secrets[:i], func(other ExtraSecret) bool { return other.Name == secret.Name }) {
			return fmt.Errorf("secrets: %s is named twice", secret.Name)
		}
		if problems := validation.IsDNS1123Subdomain(secret.Name); len(problems) > 0 {
			return fmt.Errorf("secrets: name %q: %s", secret.Name, problems[0])
		}
		if problems := validation.IsConfigMapKey(secret.Key); len(problems) > 0 {
			return fmt.Errorf("secrets: key %q of %s: %s", secret.Key, secret.Name, problems[0])
		}
		if secret.Bytes < 1 || secret.Bytes > 1024 {
			return fmt.Errorf("secrets: %d bytes in %s, use 1 to 1024", secret.Bytes, secret.Name)
		}
	}
	_, errValues := d.parse("values", d.Values)
	_, errBootstrap := d.parse("bootstrap", d.Bootstrap)
	problems := errors.Join(errValues, errBootstrap)
	for name, change := range d.Changes {
		_, err := d.parse("changes."+name, change.Values)
		problems = errors.Join(problems, err)
	}
	return problems
}

func (d *Dialect) parse(field, text string) (*template.Template, error) {
	functions := template.FuncMap{"toJSON": func(v any) (string, error) {
		var out strings.Builder
		encoder := json.NewEncoder(&out)
		encoder.SetEscapeHTML(false) // URLs stay readable, and HCL can take them
		err := encoder.Encode(v)
		return strings.TrimSpace(out.String()), err
	}}
	return template.New(field).Funcs(functions).Option("missingkey=error").Parse(text)
}

// Render returns the chart values for the inputs.
func (d *Dialect) Render(in Inputs) (map[string]any, error) { return d.render("values", d.Values, in) }

// RenderBootstrap returns the values of the first installation, as an overlay over Render's; nil
// where there is none.
func (d *Dialect) RenderBootstrap(in Inputs) (map[string]any, error) {
	if d.Bootstrap == "" {
		return nil, nil
	}
	return d.render("bootstrap", d.Bootstrap, in)
}

// able reports whether a chart can do a change of the dialect.
func (d *Dialect) able(change string, c *chart.Chart) bool {
	known, ok := d.Changes[change]
	return ok && (known.Needs == "" || c.Knows(known.Needs))
}

// Change returns the values that bring a change about; with fills its template. An unknown change
// is an error.
func (d *Dialect) Change(name string, with map[string]any) (map[string]any, error) {
	change, ok := d.Changes[name]
	if !ok {
		return nil, fmt.Errorf("dialect %s: it knows no change %q", d.Name, name)
	}
	return d.render("changes."+name, change.Values, with)
}

func (d *Dialect) render(field, text string, in any) (map[string]any, error) {
	parsed, err := d.parse(field, text)
	var out bytes.Buffer
	if err == nil {
		err = parsed.Execute(&out, in)
	}
	if err != nil {
		return nil, exit.Invalidf("--dialect "+d.Name, "docs/dialects.md lists what a template may use", "%w", err)
	}
	values, err := chart.ParseValues("of dialect "+d.Name, out.Bytes())
	if err == nil && len(values) == 0 {
		return nil, nil
	}
	return values, err
}

func (d *Dialect) apiPort() int {
	if d.APIPort == 0 {
		return 8200
	}
	return d.APIPort
}
