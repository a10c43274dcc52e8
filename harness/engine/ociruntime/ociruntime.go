// Package ociruntime is a thin OCI runtime in front of runc for hosts that lack a
// capability or allow fewer open files than Docker asks for. Some CI sandboxes drop
// CAP_SYS_RESOURCE from the bounding set; stock runc then refuses every privileged
// container ("unable to apply caps"). The wrapper edits the OCI specification so
// that the container asks for no more than the host can give, then becomes runc.
package ociruntime

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Command is the name of the steamer subcommand that runs this runtime.
const Command = "oci-runtime"

// Limits is what the host can grant to a container.
type Limits struct {
	Capabilities func(name string) bool // whether the bounding set holds CAP_… name
	NoFile       uint64                 // hard limit of open files
}

// Exec rewrites the specification that args name and replaces this process by runc
// with the same arguments. It returns only on error. args exclude the program name.
func Exec(args []string, host Limits) error {
	if err := rewriteFor(args, host); err != nil {
		return err
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return fmt.Errorf("the OCI runtime runc is not on the PATH: %w", err)
	}
	return syscall.Exec(runc, append([]string{"runc"}, args...), os.Environ())
}

// rewriteFor finds the specification that a runc command line will read and rewrites it:
// config.json of the bundle for create and run, the --process file for exec.
func rewriteFor(args []string, host Limits) error {
	switch command(args) {
	case "create", "run", "restore":
		bundle := flagValue(args, "--bundle", "-b")
		if bundle == "" {
			bundle = "."
		}
		return rewriteFile(filepath.Join(bundle, "config.json"), func(spec map[string]any) {
			if process, ok := spec["process"].(map[string]any); ok {
				rewriteProcess(process, host)
			}
		})
	case "exec":
		if file := flagValue(args, "--process", "-p"); file != "" {
			return rewriteFile(file, func(process map[string]any) { rewriteProcess(process, host) })
		}
	}
	return nil
}

// valued are runc's global flags that take their value as a separate argument.
var valued = map[string]bool{"--log": true, "--log-format": true, "--root": true, "--criu": true, "--rootless": true}

// command returns runc's subcommand: the first argument that is neither a flag nor a flag's value.
func command(args []string) string {
	for i := 0; i < len(args); i++ {
		switch {
		case valued[args[i]]:
			i++
		case !strings.HasPrefix(args[i], "-"):
			return args[i]
		}
	}
	return ""
}

func flagValue(args []string, names ...string) string {
	for i, arg := range args {
		for _, name := range names {
			if arg == name && i+1 < len(args) {
				return args[i+1]
			}
			if value, ok := strings.CutPrefix(arg, name+"="); ok {
				return value
			}
		}
	}
	return ""
}

func rewriteFile(path string, edit func(map[string]any)) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var spec map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber() // limits do not fit a float64
	if err := decoder.Decode(&spec); err != nil {
		return fmt.Errorf("OCI specification %s: %w", path, err)
	}
	edit(spec)
	if data, err = json.Marshal(spec); err != nil {
		return err
	}
	return os.WriteFile(path, data, info.Mode().Perm())
}

// rewriteProcess drops capabilities the host lacks and caps the limit of open files.
func rewriteProcess(process map[string]any, host Limits) {
	if sets, ok := process["capabilities"].(map[string]any); ok {
		for set, value := range sets {
			names, ok := value.([]any)
			if !ok {
				continue
			}
			kept := make([]any, 0, len(names))
			for _, name := range names {
				if s, ok := name.(string); ok && host.Capabilities(s) {
					kept = append(kept, name)
				}
			}
			sets[set] = kept
		}
	}
	limits, ok := process["rlimits"].([]any)
	if !ok {
		return
	}
	for _, entry := range limits {
		limit, ok := entry.(map[string]any)
		if !ok || limit["type"] != "RLIMIT_NOFILE" {
			continue
		}
		for _, bound := range []string{"soft", "hard"} {
			if n, ok := limit[bound].(json.Number); ok && exceeds(n, host.NoFile) {
				limit[bound] = host.NoFile
			}
		}
	}
}

// exceeds reports whether n is above limit; what does not parse as uint64 is left alone.
func exceeds(n json.Number, limit uint64) bool {
	value, err := strconv.ParseUint(n.String(), 10, 64)
	return err == nil && value > limit
}
