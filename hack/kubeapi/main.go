// Command kubeapi writes the reduced, compressed copies of the Kubernetes OpenAPI that
// steamer charts check embeds. It takes the versions as arguments, such as v1.37.2, and reads the
// document from the checksummed module k8s.io/kubernetes, so that nothing else has to be trusted.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"gitlab.com/steamer/steamer/harness/lint/kubeapi"
)

const (
	module   = "k8s.io/kubernetes"
	document = "api/openapi-spec/swagger.json"
	target   = "harness/lint/kubeapi/schemas"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./hack/kubeapi VERSION... (from the root of the repository)")
		os.Exit(2)
	}
	for _, version := range os.Args[1:] {
		if err := write(version); err != nil {
			fmt.Fprintln(os.Stderr, "kubeapi:", err)
			os.Exit(1)
		}
	}
}

func write(version string) error {
	data, err := fetch(version)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	doc, err := reduce(data)
	if err != nil {
		return err
	}
	doc.Version = strings.TrimPrefix(version, "v")
	doc.Source = fmt.Sprintf("%s@%s %s sha256:%s", module, version, document, hex.EncodeToString(sum[:]))
	out, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	compressor, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := compressor.Write(out); err != nil {
		return err
	}
	if err := compressor.Close(); err != nil {
		return err
	}
	path := filepath.Join(target, doc.Version+".json.gz")
	fmt.Printf("%s: %d kinds, %d definitions, %d bytes\n", path, len(doc.Kinds), len(doc.Definitions), packed.Len())
	return os.WriteFile(path, packed.Bytes(), 0o644)
}

// fetch reads the document from the module, which go verifies against the checksum database.
func fetch(version string) ([]byte, error) {
	command := exec.Command("go", "mod", "download", "-json", module+"@"+version)
	command.Dir, command.Stderr = os.TempDir(), os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go mod download %s@%s: %w", module, version, err)
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal(out, &downloaded); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(downloaded.Dir, document))
}

// openAPI is what is read of an OpenAPI version 2 document.
type openAPI struct {
	Definitions map[string]map[string]any
}

// reduce keeps the kinds that a manifest can hold and the definitions that they need.
func reduce(data []byte) (*kubeapi.Document, error) {
	var in openAPI
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, err
	}
	doc := &kubeapi.Document{Kinds: map[string]string{}, Definitions: map[string]any{}}
	for name, definition := range in.Definitions {
		kinds, _ := definition["x-kubernetes-group-version-kind"].([]any)
		if len(kinds) != 1 || !isObject(definition) {
			continue // DeleteOptions, WatchEvent, lists
		}
		kind := kinds[0].(map[string]any)
		key := fmt.Sprintf("%s/%s/%s", kind["group"], kind["version"], kind["kind"])
		doc.Kinds[strings.TrimPrefix(key, "/")] = name
		keep(doc, in.Definitions, name)
	}
	if len(doc.Kinds) < 50 {
		return nil, fmt.Errorf("only %d kinds found: the document's form has changed", len(doc.Kinds))
	}
	return doc, nil
}

// isObject tells a kind with an object's metadata from lists and options.
func isObject(definition map[string]any) bool {
	properties, _ := definition["properties"].(map[string]any)
	metadata, _ := properties["metadata"].(map[string]any)
	ref, _ := metadata["$ref"].(string)
	return strings.HasSuffix(ref, ".ObjectMeta")
}

func keep(doc *kubeapi.Document, definitions map[string]map[string]any, name string) {
	if doc.Definitions[name] != nil {
		return
	}
	reduced := schema(name, definitions[name])
	doc.Definitions[name] = reduced
	refs(reduced, func(ref string) { keep(doc, definitions, ref) })
}

func refs(node any, visit func(string)) {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			if ref, ok := value.(string); ok && key == "$ref" {
				visit(strings.TrimPrefix(ref, "#/definitions/"))
				continue
			}
			refs(value, visit)
		}
	case []any:
		for _, value := range node {
			refs(value, visit)
		}
	}
}
