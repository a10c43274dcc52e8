package pods

import (
	_ "embed"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gitlab.com/steamer/steamer/harness/exit"
)

//go:embed wrapper.js.tmpl
var wrapper string

// MainScript is the script that a process with a share of a load runs.
const MainScript = "steamer-share.js"

// Scripts reads all scripts below dir, which may import one another, by their paths in it, and
// adds MainScript, which runs a share of the workload. The error is of code exit.Environment.
func Scripts(dir, workload string) (map[string]string, error) {
	files := map[string]string{}
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".js" {
			return err
		}
		data, err := fs.ReadFile(root, path)
		files[path] = string(data)
		return err
	})
	if err != nil {
		return nil, exit.Environmentf("scripts in "+dir, "name the directory of the workloads", "%w", err)
	}
	if _, ok := files[workload+".js"]; !ok {
		return nil, exit.Environmentf("workload "+workload, "name a script of "+dir, "there is no %s.js", workload)
	}
	files[MainScript] = strings.ReplaceAll(wrapper, "WORKLOAD", workload)
	return files, nil
}

// key is the name of a path in a ConfigMap, which takes no slashes.
func key(path string) string { return strings.ReplaceAll(path, "/", "__") }
