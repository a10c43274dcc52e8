package hygiene

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/secret"
)

// canary is a secret that was planted.
type canary struct {
	Label  string // what to call it in a finding, e.g. "value of SECRET_1 of group_1/project_2"
	Secret string
}

// finding is a place where a secret was found.
type finding struct {
	Source string // e.g. "log of openbao/openbao-0/openbao-server"
	Label  string
	Offset int64 // bytes from the beginning of the source
}

// String describes the finding without the secret.
func (f finding) String() string {
	return fmt.Sprintf("%s: %s at byte %d", f.Source, f.Label, f.Offset)
}

const (
	chunk   = 1 << 20
	overlap = 8 << 10 // longer than any canary in any encoding, so that none is split between two reads
)

// scanner looks for canaries in the encodings of secret.Encodings, and for
// anything of the shape of a seeded value or of a signed token.
type scanner struct {
	needles []needle // searched always
	values  []needle // seeded values, searched where something begins like one
	prefix  []string // the beginning of a seeded value, in every encoding
	shapes  []shape
	bytes   int64
	sources int
}

// shape is what secrets look like that are not known.
type shape struct {
	label   string
	pattern *regexp.Regexp
}

// token is a JWT with its signature. Rails, users, jobs and the load generator have their own,
// which are too many to be canaries.
const token = `eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}`

type needle struct {
	text  []byte
	label string
}

// newScanner prepares the search.
func newScanner(canaries []canary) *scanner {
	s := &scanner{
		shapes: []shape{
			{"a seeded value of another run or seed", regexp.MustCompile(gitlab.ValuePattern)},
			{"a signed token", regexp.MustCompile(token)},
		},
		prefix: secret.Encodings(gitlab.ValuePrefix),
	}
	seen := map[string]bool{}
	for _, c := range canaries {
		for _, form := range secret.Encodings(c.Secret) {
			switch {
			case seen[form]:
			case strings.HasPrefix(c.Secret, gitlab.ValuePrefix):
				s.values = append(s.values, needle{[]byte(form), c.Label})
			default:
				s.needles = append(s.needles, needle{[]byte(form), c.Label})
			}
			seen[form] = true
		}
	}
	return s
}

// scanned returns how much was searched so far.
func (s *scanner) scanned() (sources int, size int64) { return s.sources, s.bytes }

// scan searches one source to its end. It reports each canary once.
func (s *scanner) scan(source string, r io.Reader) ([]finding, error) {
	s.sources++
	var found []finding
	reported := map[string]bool{}
	report := func(label string, at int64) {
		if !reported[label] {
			reported[label] = true
			found = append(found, finding{source, label, at})
		}
	}
	buf := make([]byte, 0, chunk+overlap)
	var base int64 // offset of buf[0] in the source
	for {
		n, err := io.ReadFull(r, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		s.bytes += int64(n)
		for _, needle := range s.likely(buf) {
			if at := bytes.Index(buf, needle.text); at >= 0 {
				report(needle.label, base+int64(at))
			}
		}
		for _, shape := range s.shapes {
			if at := shape.pattern.FindIndex(buf); at != nil && len(found) == 0 {
				report(shape.label, base+int64(at[0]))
			}
		}
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return found, nil
		case err != nil:
			return found, fmt.Errorf("reading %s: %w", source, err)
		}
		keep := copy(buf, buf[len(buf)-overlap:])
		base += int64(len(buf) - keep)
		buf = buf[:keep]
	}
}

// likely returns the needles that buf may contain. There are hundreds of values in a dozen
// encodings each. A first search for their common prefix makes the search of a large log take
// seconds instead of minutes.
func (s *scanner) likely(buf []byte) []needle {
	if slices.ContainsFunc(s.prefix, func(p string) bool { return bytes.Contains(buf, []byte(p)) }) {
		return slices.Concat(s.needles, s.values)
	}
	return s.needles
}
