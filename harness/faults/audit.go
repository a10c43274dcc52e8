package faults

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"gitlab.com/steamer/steamer/harness/history"
)

// auditEvery is how often the audit log is read.
const auditEvery = 100 * time.Millisecond

// auditor reads the audit log that all nodes append to.
type auditor struct {
	record *history.Recorder
	log    io.Reader
	rest   []byte // of a line that is not whole yet
}

// followAudit records what is appended to the log at path until ctx ends, and then what is left: a
// record is written before its answer is sent.
func followAudit(ctx context.Context, record *history.Recorder, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	defer func() { _ = file.Close() }()
	a := &auditor{record: record, log: file}
	ticker := time.NewTicker(auditEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if err := a.read(); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	return a.read()
}

func (a *auditor) read() error {
	buffer := make([]byte, 64<<10)
	for {
		n, err := a.log.Read(buffer)
		a.rest = append(a.rest, buffer[:n]...)
		for {
			line, rest, whole := bytes.Cut(a.rest, []byte("\n"))
			if !whole {
				break
			}
			a.line(line)
			a.rest = rest
		}
		switch {
		case errors.Is(err, io.EOF):
			a.rest = bytes.Clone(a.rest)
			return nil
		case err != nil:
			return fmt.Errorf("audit log: %w", err)
		}
	}
}

// written is a value that a client wrote. An audit record has only its hash.
var written = regexp.MustCompile(`t[0-9]+/k[0-9]+/[0-9]+\.[0-9]+`)

// line records one audit record. A node that was killed may have left a part of one, without a
// line end, before the first of the next.
func (a *auditor) line(line []byte) {
	if at := bytes.LastIndex(line, []byte(`{"time":`)); at > 0 {
		line = line[at:]
	}
	var r struct {
		Type    string `json:"type"`
		Request struct {
			ID string `json:"id"`
		} `json:"request"`
	}
	e := history.Event{Kind: history.Audit, Pod: history.NoPod}
	id, ok := [16]byte{}, json.Unmarshal(line, &r) == nil
	if ok {
		id, ok = requestID(r.Request.ID)
	}
	if !ok || r.Type != history.AuditRequest && r.Type != history.AuditResponse {
		return
	}
	e.Name, e.Request = r.Type, id
	a.record.Event(e)
	if written.Match(line) {
		e.Name = history.AuditLeak
		a.record.Event(e)
	}
}

// requestID reads OpenBao's request ID, a UUID.
func requestID(text string) (id [16]byte, ok bool) {
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(raw) != len(id) {
		return id, false
	}
	return [16]byte(raw), true
}
