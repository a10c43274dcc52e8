package lint

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl"
	yamlv3 "go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/json"
)

// file is a file that an object carries.
type file struct {
	path string // in the object
	name string
	text string
}

// localConfig are variables whose text the images of OpenBao and Vault write into their
// configuration, as JSON or HCL.
var localConfig = []string{"BAO_LOCAL_CONFIG", "VAULT_LOCAL_CONFIG"}

// files lists the files that an object carries: the keys of ConfigMaps and Secrets, and in pods
// the variable of a configuration; and of what is no Secret the here-documents of scripts.
func files(o *Object) []file {
	var all []file
	add := func(field, name, text string) { all = append(all, file{field + "[" + name + "]", name, text}) }
	switch typed := o.typed.(type) {
	case *corev1.ConfigMap:
		for name, text := range typed.Data {
			add("data", name, text)
		}
		for name, data := range typed.BinaryData {
			add("binaryData", name, string(data))
		}
	case *corev1.Secret:
		for name, data := range typed.Data {
			add("data", name, string(data))
		}
		for name, text := range typed.StringData {
			add("stringData", name, text)
		}
	}
	if o.GVK.Kind != "Secret" {
		for _, place := range readables("", o.Tree) {
			if open.MatchString(place.path) {
				all = append(all, hereDocuments(place.path, place.text)...)
			}
		}
	}
	p := o.pod()
	if p == nil {
		return all
	}
	p.containers(func(path string, c *corev1.Container) {
		for i, variable := range c.Env {
			for _, name := range localConfig {
				if variable.Name == name && variable.Value != "" && variable.Value[0] != '$' {
					all = append(all, file{fmt.Sprintf("%s.env[%d].value", path, i), name + ".hcl", variable.Value})
				}
			}
		}
	})
	return all
}

// hereDocument is the line of a script that writes the lines after it to a configuration file.
var hereDocument = regexp.MustCompile(`^.*<<-?\s*['"]?(\w+)['"]?.*$`)

// target is the file that such a line writes to.
var target = regexp.MustCompile(`(?:>>?|\btee(?:\s+-a)?)\s*["']?([^\s"'<>]+\.(hcl|json|ya?ml))`)

// serverBlock is the beginning of a block that only a server's configuration has.
var serverBlock = regexp.MustCompile(`(?m)^\s*(?:listener|storage|seal)\s+"\w+"\s*\{`)

// hereDocuments finds the configuration files that a script writes. Those with substitutions of
// the shell are left out: their text is not known.
func hereDocuments(path, script string) []file {
	var all []file
	lines := strings.Split(script, "\n")
	for i := 0; i < len(lines); i++ {
		start, to := hereDocument.FindStringSubmatch(lines[i]), target.FindStringSubmatch(lines[i])
		if start == nil || to == nil {
			continue
		}
		end := i + 1
		for end < len(lines) && strings.TrimSpace(lines[end]) != start[1] {
			end++
		}
		if text := strings.Join(lines[i+1:min(end, len(lines))], "\n"); !strings.ContainsAny(text, "$`") {
			all = append(all, file{path, to[1], text})
		}
		i = end
	}
	return all
}

// configSyntax parses the configuration files that an object carries.
func configSyntax(_ *subject, o *Object) []Finding {
	var all []Finding
	for _, f := range files(o) {
		var err error
		switch ending := strings.ToLower(path.Ext(f.name)); {
		case ending == ".json":
			err = checkJSON(f.text)
		case ending == ".yaml", ending == ".yml":
			err = checkYAML(f.text)
		case ending == ".hcl", ending == "" && serverBlock.MatchString(f.text):
			err = checkHCL(f.text)
		}
		if err == nil {
			continue
		}
		message := "does not parse: " + oneLine(err.Error())
		if o.GVK.Kind == "Secret" {
			message = "does not parse" // the parser's words may hold the secret
		}
		if errors.Is(err, errTwice) {
			message = "has a key twice, of which parsers keep one or refuse both"
			if o.GVK.Kind != "Secret" {
				message += ": " + oneLine(err.Error())
			}
		}
		all = append(all, at(o, f.path, message))
	}
	return all
}

// errTwice marks a key that stands twice.
var errTwice = errors.New("duplicate")

// checkJSON wants one JSON value without a key twice.
func checkJSON(text string) error {
	var value any
	strict, err := json.UnmarshalStrict([]byte(text), &value, json.DisallowDuplicateFields)
	if err == nil && len(strict) > 0 {
		return fmt.Errorf("%w: %w", errTwice, strict[0])
	}
	return err
}

// checkHCL wants what OpenBao's parser takes whole: it takes a text that begins like JSON for JSON,
// and ignores what follows the object.
func checkHCL(text string) error {
	if _, err := hcl.Parse(text); err != nil || !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return err
	}
	decoder := stdjson.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(new(any)); err != nil {
		return err
	}
	if decoder.More() {
		return errors.New("after its JSON object there is more, which OpenBao ignores")
	}
	return nil
}

// checkYAML wants YAML documents without a key twice.
func checkYAML(text string) error {
	decoder := yamlv3.NewDecoder(bytes.NewReader([]byte(text)))
	for {
		var value any
		err := decoder.Decode(&value)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && strings.Contains(err.Error(), "already defined"):
			return fmt.Errorf("%w: %w", errTwice, err)
		case err != nil:
			return err
		}
	}
}
