package engine

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// administratorDirs hold programs for root that a PATH kept by su lacks.
var administratorDirs = []string{"/usr/sbin", "/sbin"}

// administratorPath is the PATH with the administrator's directories behind it.
func administratorPath() string {
	return strings.Join(append(filepath.SplitList(os.Getenv("PATH")), administratorDirs...), string(os.PathListSeparator))
}

// lookPath finds a program on the PATH or where Debian puts those of the administrator.
func lookPath(name string) (string, error) {
	found, err := exec.LookPath(name)
	if err == nil {
		return found, nil
	}
	for _, dir := range administratorDirs {
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return found, nil
		}
	}
	return "", err
}
