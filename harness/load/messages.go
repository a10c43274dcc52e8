package load

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// beginning is how every line of the log begins.
var beginning = regexp.MustCompile(`^\{\s*"v"`)

// isLog reports whether a line is one of the log. A container's log holds k6's messages as well,
// which may be JSON objects, too.
func isLog(text []byte) bool {
	var marks struct {
		V, Kind any
	}
	if json.Unmarshal(text, &marks) != nil {
		return beginning.Match(text)
	}
	return marks.V != nil && marks.Kind != nil
}

// frontError says that lines of the log have something in front.
type frontError struct {
	number int
	front  string
}

func (e *frontError) Error() string {
	return fmt.Sprintf("line %d of the log has %q in front", e.number, e.front)
}

// maxFront bounds where the log may begin in a line that has something in front, in bytes.
const maxFront = 200

// front is what a line has in front of a line of the log; "" where it holds none.
func front(text []byte) string {
	for i, c := range text[:min(len(text), maxFront)] {
		if c == '{' && i > 0 && isLog(text[i:]) {
			return strings.ToValidUTF8(string(text[:i]), "")
		}
	}
	var wrapped map[string]any
	_ = json.Unmarshal(text, &wrapped) // a failure leaves nothing to find
	for key, value := range wrapped {
		if line, ok := value.(string); ok && isLog([]byte(line)) {
			return fmt.Sprintf("{%q:", key)
		}
	}
	return ""
}

// message passes on a line that is none of the log.
func (p *part) message() error {
	if front := front(p.pending); front != "" {
		return &frontError{p.number, front}
	}
	_, err := p.foreign.Write(append(p.pending, '\n'))
	return err
}
