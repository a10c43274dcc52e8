// Package kubeapi knows the Kubernetes API of some versions offline: which kinds each serves, what
// their fields are, and which are deprecated. The data is a reduced copy of the OpenAPI document
// in the module k8s.io/kubernetes, made by hack/kubeapi.
package kubeapi

import (
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"gitlab.com/steamer/steamer/harness/exit"
)

//go:embed schemas
var schemas embed.FS

// Document is the embedded form of one version's API.
type Document struct {
	Version string `json:"version"` // such as 1.37.2
	Source  string `json:"source"`  // module, file and checksum that it was made from
	// group/version/kind, or version/kind of the core group, to definition
	Kinds       map[string]string `json:"kinds"`
	Definitions map[string]any    `json:"definitions"` // JSON schemas by name
}

// API is the API of one Kubernetes version. It is safe for concurrent use.
type API struct {
	Version string
	Source  string

	kinds    map[string]string
	mu       sync.Mutex // guards what follows
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

const root = "file:///kubernetes.json"

// Versions lists the embedded versions, the newest first.
func Versions() []string {
	entries, _ := schemas.ReadDir("schemas") // an embedded directory is always readable
	var versions []string
	for _, entry := range entries {
		if version, found := strings.CutSuffix(entry.Name(), ".json.gz"); found {
			versions = append(versions, version)
		}
	}
	slices.SortFunc(versions, func(a, b string) int {
		return semver.MustParse(b).Compare(semver.MustParse(a))
	})
	return versions
}

// Load returns the API of a version: "1.37.2", "v1.37.2" or "1.37"; "" is the newest. Any other
// version is an exit.Invalid error.
func Load(version string) (*API, error) {
	known := Versions()
	wanted := strings.TrimPrefix(version, "v")
	i := slices.IndexFunc(known, func(v string) bool {
		return version == "" || v == wanted || strings.HasPrefix(v, wanted+".") && strings.Count(wanted, ".") == 1
	})
	if i < 0 {
		return nil, exit.Invalidf("--kube-version "+version, "choose from "+strings.Join(known, ", ")+
			", or add one with go run ./hack/kubeapi",
			"the API of this Kubernetes version is not built in")
	}
	doc, err := read(known[i])
	if err != nil {
		return nil, fmt.Errorf("embedded Kubernetes API %s: %w", known[i], err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.AssertFormat()
	for _, format := range formats {
		compiler.RegisterFormat(format)
	}
	if err := compiler.AddResource(root, map[string]any{"definitions": doc.Definitions}); err != nil {
		return nil, err
	}
	return &API{
		Version: doc.Version, Source: doc.Source, kinds: doc.Kinds, compiler: compiler,
		compiled: map[string]*jsonschema.Schema{},
	}, nil
}

func read(version string) (*Document, error) {
	file, err := schemas.Open("schemas/" + version + ".json.gz")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(unpacked)
	if err != nil {
		return nil, err
	}
	doc := &Document{}
	return doc, json.Unmarshal(data, doc)
}

func key(gvk schema.GroupVersionKind) string {
	return strings.TrimPrefix(gvk.Group+"/"+gvk.Version+"/"+gvk.Kind, "/")
}

// Serves says whether this version serves the kind.
func (a *API) Serves(gvk schema.GroupVersionKind) bool { return a.kinds[key(gvk)] != "" }

// Native says whether the group is Kubernetes' own, in this version or in another that client-go
// knows: what is not is a custom resource, of which nothing is known here.
func (a *API) Native(group string) bool {
	if scheme.Scheme.IsGroupRegistered(group) {
		return true
	}
	for kind := range a.kinds {
		if before, _, found := strings.Cut(kind, "/"); found && before == group {
			return true
		}
	}
	return false
}

// APIVersions lists what this version serves as Helm's capabilities name it, group/version and
// group/version/kind, sorted.
func (a *API) APIVersions() []string {
	var all []string
	for kind := range a.kinds {
		all = append(all, kind, path.Dir(kind))
	}
	slices.Sort(all)
	return slices.Compact(all)
}
