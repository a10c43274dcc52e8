package secret

import (
	"io"
	"os"
	"path/filepath"
)

// Modes of files.
const (
	Public os.FileMode = 0o644 // results and reports, which hold no secret
	// logs and diagnostics: they hold what others wrote, and what is no secret to Steamer may be
	// one to them
	Private os.FileMode = 0o600
	// PrivateDir is the mode of a directory of private files.
	PrivateDir os.FileMode = 0o700
)

// WriteFile writes a file of evidence without secrets, as text or, by its name, as JSON or as an
// image. Whatever Steamer writes about what it did goes through here. A file that is there keeps
// no wider mode.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	if err := os.WriteFile(path, Clean(path, data), mode); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

// Clean returns the data of a file without secrets. The path's extension says what the data is.
func Clean(path string, data []byte) []byte {
	switch filepath.Ext(path) {
	case ".png":
		return data // drawn from what was redacted; its bytes hold no text
	case ".json", ".ndjson":
		return redactJSON(data)
	}
	return []byte(Redact(string(data)))
}

// Writer redacts what is written to another one, each piece by itself: progress and messages come
// in whole lines.
type Writer struct{ To io.Writer }

// Write implements io.Writer. The number is that of data.
func (w Writer) Write(data []byte) (int, error) {
	if _, err := io.WriteString(w.To, Redact(string(data))); err != nil {
		return 0, err
	}
	return len(data), nil
}

// Unwrap returns what a Writer writes to, which decides whether there is a terminal.
func Unwrap(w io.Writer) io.Writer {
	if own, ok := w.(Writer); ok {
		return own.To
	}
	return w
}
