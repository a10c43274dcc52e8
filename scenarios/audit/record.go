package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// The types of a record.
const (
	typeRequest  = "request"
	typeResponse = "response"
)

// hashPrefix is how a value begins that the log holds as an HMAC.
const hashPrefix = "hmac-sha256:"

// record is the part of an audit record that scenarios check.
// Source: openbao/openbao, audit/format.go at v2.4.0.
type record struct {
	Time time.Time `json:"time"`
	Type string    `json:"type"`
	// Error is why the request was refused or failed, in the clear.
	Error string `json:"error"`
	Auth  struct {
		ClientToken string            `json:"client_token"`
		Policies    []string          `json:"policies"`
		Metadata    map[string]string `json:"metadata"`
		EntityID    string            `json:"entity_id"`
	} `json:"auth"`
	Request struct {
		ID            string                `json:"id"`
		Operation     string                `json:"operation"`
		Path          string                `json:"path"` // within the namespace
		Namespace     struct{ Path string } `json:"namespace"`
		ClientToken   string                `json:"client_token"`
		RemoteAddress string                `json:"remote_address"`
		Data          map[string]any        `json:"data"`
	} `json:"request"`
	Response struct {
		Auth struct {
			ClientToken string `json:"client_token"`
		} `json:"auth"`
		Data map[string]any `json:"data"`
	} `json:"response"`
	Line string `json:"-"` // as it was written
}

// Where is the request's whole path, namespace included.
func (r record) Where() string { return r.Request.Namespace.Path + r.Request.Path }

// String describes a record in a line, without data.
func (r record) String() string {
	text := fmt.Sprintf("%s %s %s", r.Type, r.Request.Operation, r.Where())
	if r.Error != "" {
		text += " (" + r.Error + ")"
	}
	return text
}

// parse returns the audit records among the lines of a log that hold one of the marks. It skips
// other lines, such as the server's own log. A damaged record is an error.
func parse(log []byte, marks ...string) (found []record, err error) {
	lines := bufio.NewScanner(bytes.NewReader(log))
	lines.Buffer(nil, 4<<20) // a record holds at most a request of 768 KiB and its answer
	for lines.Scan() {
		line := lines.Text()
		if !containsAny(line, marks) {
			continue
		}
		var r record
		err := json.Unmarshal([]byte(line), &r)
		switch {
		case r.Type != typeRequest && r.Type != typeResponse:
			continue
		case err != nil:
			return nil, fmt.Errorf("audit record: %w", err)
		}
		r.Line = line
		found = append(found, r)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return found, nil
}

func containsAny(line string, marks []string) bool {
	for _, m := range marks {
		if m != "" && strings.Contains(line, m) {
			return true
		}
	}
	return false
}
