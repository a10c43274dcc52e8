package document

import (
	"cmp"
	"os"
	"path/filepath"

	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/secret"
)

// WriteFile writes data to path without secrets, so that a reader sees the old file or the whole
// new one, never a part: it writes a temporary file beside it, syncs and renames. Everybody may
// read the file. What cannot be written is an error of code exit.Environment.
func WriteFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*.tmp")
	if err == nil {
		_, err = f.Write(secret.Clean(path, data))
		err = cmp.Or(err, f.Chmod(secret.Public), f.Sync())
		err = cmp.Or(err, f.Close())
		if err == nil {
			err = os.Rename(f.Name(), path)
		}
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}
	if err != nil {
		return exit.Environmentf(path, "make the directory writable and free some disk space", "%w", err)
	}
	return nil
}
