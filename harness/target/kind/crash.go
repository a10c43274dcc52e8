package kind

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// A program in Go that panics, or that its runtime ends, says so in a line of its own, and then
// where: https://pkg.go.dev/runtime, "Crash output". The API puts a time before each line.
var (
	crashLine  = regexp.MustCompile(`(?m)^(?:\S+Z )?((?:panic|fatal error): .*)$`)
	crashFrame = regexp.MustCompile(`(?m)^(?:\S+Z )?(\S+)\(.*\)$`)
)

// maxFrames bounds the functions named for one crash, innermost first.
const maxFrames = 2

// crashes returns what the kept logs say of programs that crashed, one sentence for each kind of
// crash: a restart loop repeats its own.
func crashes(files []string) []string {
	var said []string
	seen := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		at := crashLine.FindSubmatchIndex(text)
		if filepath.Ext(file) != ".log" || err != nil || at == nil {
			continue
		}
		cause := string(text[at[2]:at[3]])
		var frames []string
		for _, frame := range crashFrame.FindAllSubmatch(text[at[1]:], maxFrames) {
			frames = append(frames, string(frame[1][bytes.LastIndexByte(frame[1], '/')+1:]))
		}
		if len(frames) > 0 {
			cause += ", in " + strings.Join(frames, ", called by ")
		}
		if !seen[cause] {
			seen[cause] = true
			said = append(said, fmt.Sprintf("a container crashed: %s (%s)", cause, filepath.Base(file)))
		}
	}
	return said
}
