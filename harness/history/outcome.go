package history

import (
	"encoding/json"
	"errors"
	"net"
	"strings"
)

// Answer is what a client got for one request.
type Answer struct {
	Err    error           // no whole answer; the rest is empty
	Status int             // of HTTP
	JSON   bool            // the body is a JSON document, or there is none
	Data   json.RawMessage // .data of the body
	Errors []string        // .errors of the body
}

// Outcome decides what an answer says about an operation of a kind. What may or may not have
// happened is Unknown, never Failed: a checker that takes an unknown write for one without effect
// reports violations that are none.
func Outcome(kind OpKind, a Answer) Result {
	for _, rule := range outcomes {
		if rule.applies(kind, a) {
			return rule.result(a)
		}
	}
	return Unknown
}

// outcomeRule is a row of the table that decides. The first row that applies does; what none of
// them names is Unknown.
type outcomeRule struct {
	id      string
	because string
	applies func(OpKind, Answer) bool
	result  func(Answer) Result
}

var outcomes = []outcomeRule{
	{
		"not-sent", "no connection was made, so that no server saw the request",
		func(_ OpKind, a Answer) bool { return notSent(a.Err) }, always(Failed),
	},
	{
		"no-answer", "timeout, reset or end of the connection: it may have been done, or will be",
		func(_ OpKind, a Answer) bool { return a.Err != nil }, always(Unknown),
	},
	{
		"redirect", "a standby that lost the active node while it forwarded answers with a redirect",
		func(_ OpKind, a Answer) bool { return a.Status/100 == 3 }, always(Unknown),
	},
	{
		"server-error", "5xx: a commit whose answer was lost ends so, as does a sealed or lost server",
		func(_ OpKind, a Answer) bool { return a.Status/100 == 5 }, always(Unknown),
	},
	{
		"health-code", "a proxy passed the code of a probe on",
		func(_ OpKind, a Answer) bool { return a.Status >= 472 && a.Status <= 474 }, always(Unknown),
	},
	{
		"no-document", "not OpenBao's answer: from a proxy, or cut off",
		func(_ OpKind, a Answer) bool { return !a.JSON }, always(Unknown),
	},
	{
		"wrapped", "an error of forwarding, of the connection or of the database inside a 4xx",
		func(_ OpKind, a Answer) bool { return a.Status/100 == 4 && wrapped(a.Errors) }, always(Unknown),
	},
	{
		"mismatch", "the check-and-set was compared and refused before anything was written",
		func(k OpKind, a Answer) bool {
			return k == Write && a.Status == 400 && contains(a.Errors, "did not match the current version")
		}, always(Mismatch),
	},
	{
		"upgrading", "a KV v2 that was mounted a moment ago refuses everything until it is set up",
		func(_ OpKind, a Answer) bool {
			return a.Status == 400 && contains(a.Errors, "upgrading from non-versioned to versioned data")
		}, always(Failed),
	},
	{
		"in-use", "a mount that is granted again is there already",
		func(k OpKind, a Answer) bool {
			return k == Grant && a.Status == 400 && contains(a.Errors, "path is already in use")
		}, always(OK),
	},
	{
		"no-route", "the mount or namespace that access needs is not there",
		func(k OpKind, a Answer) bool {
			return k == Use && a.Status == 404 && contains(a.Errors, "no handler for route")
		},
		always(Refused),
	},
	{
		"refused", "permission denied, or a login refused",
		func(k OpKind, a Answer) bool {
			return a.Status == 403 || k == Use && a.Status == 400 && len(a.Errors) > 0
		},
		always(Refused),
	},
	{
		"absent", "nothing there, without an error: a version is deleted, destroyed or was never written",
		func(k OpKind, a Answer) bool { return k == Read && a.Status == 404 && len(a.Errors) == 0 }, found,
	},
	{
		"rejected", "another 4xx with OpenBao's error: nothing was done",
		func(_ OpKind, a Answer) bool { return a.Status/100 == 4 && len(a.Errors) > 0 }, always(Failed),
	},
	{
		"unnumbered", "2xx without the version that was written or read: it was done, and nothing says where in the order",
		func(k OpKind, a Answer) bool {
			return a.Status/100 == 2 && (k == Write || k == Read) && VersionOf(k, a.Data) == 0
		}, always(Unknown),
	},
	{"done", "2xx", func(_ OpKind, a Answer) bool { return a.Status/100 == 2 }, always(OK)},
}

func always(r Result) func(Answer) Result { return func(Answer) Result { return r } }

// notSent reports whether a request cannot have left this machine: the connection for it was
// refused or could not be made.
func notSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// traces are texts of errors under which a request may have been done, also where the status says
// otherwise.
var traces = []string{
	"context canceled", "context deadline exceeded", "rpc error", "forward", "eof", "connection reset",
	"connection refused", "broken pipe", "transport is closing", "i/o timeout", "conn closed", "standby",
	"sealed", "sqlstate", "commit", "timed out", "shutting down", "no active", "active context",
}

func wrapped(texts []string) bool {
	for _, trace := range traces {
		if contains(texts, trace) {
			return true
		}
	}
	return false
}

func contains(texts []string, part string) bool {
	for _, text := range texts {
		if strings.Contains(strings.ToLower(text), part) {
			return true
		}
	}
	return false
}

// metadata is what an answer to a read of KV v2 says of the version.
type metadata struct {
	Version      int    `json:"version"`
	DeletionTime string `json:"deletion_time"`
	Destroyed    bool   `json:"destroyed"`
}

// VersionOf is the version that an answer to a Read or a Write names; 0 is none.
func VersionOf(kind OpKind, data json.RawMessage) int {
	if kind == Write {
		var written metadata
		if json.Unmarshal(data, &written) != nil {
			return 0
		}
		return written.Version
	}
	var read struct {
		Metadata metadata `json:"metadata"`
	}
	if json.Unmarshal(data, &read) != nil {
		return 0
	}
	return read.Metadata.Version
}

// found is what a 404 without an error says of a version. One that was deleted before it was
// destroyed has both marks.
func found(a Answer) Result {
	var data struct {
		Metadata *metadata `json:"metadata"`
	}
	if len(a.Data) == 0 {
		return Absent
	}
	switch err := json.Unmarshal(a.Data, &data); {
	case err != nil || data.Metadata == nil:
		return Unknown
	case data.Metadata.Destroyed:
		return Destroyed
	case data.Metadata.DeletionTime != "":
		return Deleted
	}
	return Unknown
}
