package testrun

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"gitlab.com/steamer/steamer/harness/exit"
)

// Names of the files that Write makes.
const (
	testRunFile   = "testrun.yaml"
	configMapFile = "configmap.yaml"
	SecretFile    = "secret.yaml"
)

// maxSecret is what Kubernetes admits in one Secret or ConfigMap, in bytes.
const maxSecret = 1 << 20

// Check refuses what the API server or the operator would; errors are of code exit.Invalid.
func (s Spec) Check() error {
	for flag, value := range map[string]string{"--name": s.Name, "--namespace": s.Namespace} {
		if problems := validation.IsDNS1123Label(value); len(problems) > 0 {
			return exit.Invalidf(flag+" "+value, "use small letters, digits and dashes", "%s", problems[0])
		}
	}
	if longest := len(s.Name + "-service-100"); longest > validation.DNS1123LabelMaxLength {
		return exit.Invalidf("--name "+s.Name, "use a shorter one",
			"the operator's Services would have names of %d characters", longest)
	}
	if s.Image == "" || strings.ContainsAny(s.Image, " \t\n") {
		return exit.Invalidf(fmt.Sprintf("--image %q", s.Image),
			"name an image that has k6 with the extension on its PATH, see perf/README.md", "not an image reference")
	}
	scripts := 0
	for path, text := range s.Scripts {
		scripts += len(text)
		if strings.Contains(path, "/") {
			return exit.Invalidf("script "+path, "move it beside the workload", "the operator mounts scripts into one directory")
		}
	}
	if _, ok := s.Scripts[s.Job.Profile.Workload+".js"]; !ok {
		return exit.Invalidf("workload "+s.Job.Profile.Workload, "name a script of perf/scripts in the profile",
			"there is no such script")
	}
	if scripts > maxSecret {
		return exit.Invalidf("scripts", "leave those out that the workload does not import",
			"%d bytes do not fit in a ConfigMap, which takes %d", scripts, maxSecret)
	}
	if n := len(s.Job.Fixture); n > maxSecret {
		return exit.Invalidf("--fixture", "make one for fewer tenants or with fewer tokens each",
			"%d bytes do not fit in a Secret, which takes %d", n, maxSecret)
	}
	return nil
}

// Write writes the manifests into dir, which is made for its owner alone where it is not there.
// The Secret's file is its owner's alone from the first byte on. Errors are of code
// exit.Environment.
func (s Spec) Write(dir string) error {
	run, scripts, secret := s.objects()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return exit.Environmentf(dir, "name a directory that can be written", "%w", err)
	}
	for _, file := range []struct {
		name   string
		object any
		mode   os.FileMode
	}{{SecretFile, secret, 0o600}, {configMapFile, scripts, 0o644}, {testRunFile, run, 0o644}} {
		data, err := yaml.Marshal(file.object)
		if err == nil {
			err = replace(filepath.Join(dir, file.name), data, file.mode)
		}
		if err != nil {
			return exit.Environmentf(filepath.Join(dir, file.name), "make the directory writable", "%w", err)
		}
	}
	return nil
}

// replace writes a new file: one that is there keeps neither its mode nor, where it is a link, its
// target.
func replace(path string, data []byte, mode os.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".steamer-*") // for its owner alone
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(mode), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
