package result

import "gitlab.com/steamer/steamer/harness/document"

var codec = document.Codec[Result]{
	APIVersion: APIVersion, Kind: Kind, Hint: "name the result.json of a finished run", Check: (*Result).validate,
}

// Encode renders r as indented JSON after checking it. It fails on values JSON
// cannot hold (NaN, infinities) and on anything Decode would refuse.
func Encode(r *Result) ([]byte, error) { return codec.Encode(r) }

// Decode parses what Encode wrote. name is only used in errors, which are of
// code exit.Invalid: truncated and foreign documents, unknown fields, and
// documents written by a newer Steamer are refused, each by name.
func Decode(name string, data []byte) (*Result, error) { return codec.Decode(name, data) }

// ReadFile reads the result at path. A missing or unreadable file, like a malformed
// one, is an error of code exit.Invalid.
func ReadFile(path string) (*Result, error) { return codec.ReadFile(path) }

// WriteFile writes r to path so that a reader sees the old file or the whole new
// one, never a part. Errors of writing are of code exit.Environment.
func WriteFile(path string, r *Result) error { return codec.WriteFile(path, r) }
