package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
)

// endpointCounters is one endpoint's part of /-/counters.
type endpointCounters struct {
	Requests int64            `json:"requests"`
	InFlight int64            `json:"in_flight"`
	Statuses map[string]int64 `json:"statuses"`
}

// counters is the answer of /-/counters. All numbers count since the process began.
type counters struct {
	Connections int64                       `json:"connections"`
	Endpoints   map[string]endpointCounters `json:"endpoints"`
	Records     int64                       `json:"audit_records"`
	RecordBytes int64                       `json:"audit_bytes"`
	Faults      map[string]fault            `json:"faults"`
}

// endpoints names what /-/control can disturb and /-/counters reports.
func (s *stub) endpoints() map[string]*endpoint {
	return map[string]*endpoint{"discovery": &s.discovery, "keys": &s.keys, "audit": &s.audit}
}

func (s *stub) serveCounters(w http.ResponseWriter, _ *http.Request) {
	c := counters{
		Connections: s.connections.Load(),
		Endpoints:   map[string]endpointCounters{},
		Records:     s.records.Load(),
		RecordBytes: s.recordBytes.Load(),
		Faults:      map[string]fault{},
	}
	for name, e := range s.endpoints() {
		statuses := map[string]int64{}
		e.statuses.Range(func(status, n any) bool {
			statuses[strconv.Itoa(status.(int))] = n.(*atomic.Int64).Load()
			return true
		})
		c.Endpoints[name] = endpointCounters{Requests: e.requests.Load(), InFlight: e.inFlight.Load(), Statuses: statuses}
		c.Faults[name], _ = e.current()
	}
	writeJSON(w, http.StatusOK, c)
}

// serveControl sets faults, for example {"audit":{"status":500,"delay":"100ms"}}; an empty object
// for an endpoint lifts its fault.
func (s *stub) serveControl(w http.ResponseWriter, r *http.Request) {
	if err := s.setFaults(r.Body); err != nil {
		fail(w, http.StatusBadRequest, "control: "+err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// setFaults reads faults in JSON and sets them. All are checked before the first is set.
func (s *stub) setFaults(text io.Reader) error {
	faults, err := decodeFaults(text)
	if err != nil {
		return err
	}
	known := s.endpoints()
	for name := range faults {
		if known[name] == nil {
			return fmt.Errorf("no endpoint %q: there are audit, discovery and keys", name)
		}
	}
	for name, f := range faults {
		known[name].set(f)
		s.log.Info("fault set", "endpoint", name, "status", f.Status, "delay", f.Delay, "blackhole", f.Blackhole)
	}
	return nil
}

// servePublish replaces the key set at once, which a changed ConfigMap does within a minute or
// two.
func (s *stub) servePublish(w http.ResponseWriter, r *http.Request) {
	keys, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxKeys))
	if err == nil {
		err = checkKeys(keys)
	}
	if err != nil {
		fail(w, http.StatusBadRequest, "keys: "+err.Error())
		return
	}
	s.published.Store(&keys)
	s.log.Info("key set published")
	w.WriteHeader(http.StatusNoContent)
}

// serveWithdraw goes back to the key set in the file.
func (s *stub) serveWithdraw(w http.ResponseWriter, _ *http.Request) {
	s.published.Store(nil)
	s.log.Info("key set of the file again")
	w.WriteHeader(http.StatusNoContent)
}
