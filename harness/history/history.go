// Package history is the log of what clients did and what was done to the server, on one clock:
// the evidence on which a run of faults is judged. A Recorder appends to it while the run lasts,
// so that a killed run leaves a readable file; a Reader returns whole operations, strictly and in
// bounded memory. Package check judges them.
//
// A file is text. Its first line is a Header in JSON. Each further line is one event, in the order
// of time: microseconds of the run's monotonic clock. An operation has two lines, its call and its
// return, about 100 bytes together:
//
//	c 1203456 7 write t3/k12 =7.12 c4
//	r 1204010 7 ok v5 p1 i0a1b2c3d4e5f60718293a4b5c6d7e8f9
//
// Values never stand in it, only the tokens that a workload writes: writer and counter. Anything
// else that a server answers is a digest.
package history

import (
	"fmt"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/result"
)

// APIVersion and Kind are what a history's first line says of itself.
const (
	APIVersion = "steamer/v1"
	Kind       = "History"
)

// FileName is what a history is called in the directory of a run.
const FileName = "history"

// Header is the first line of a history.
type Header struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Started    time.Time `json:"started"`            // wall-clock time of microsecond 0
	Seed       uint64    `json:"seed"`               // of workload and schedule
	Versions   int       `json:"versions,omitempty"` // how many versions of a secret the server keeps; 0 is unknown
	Audit      bool      `json:"audit,omitempty"`    // whether all audit records are in the history
	Server     string    `json:"server,omitempty"`   // version of the server
	Reproduce  string    `json:"reproduce,omitempty"`
	// Chart and Topology are what was installed on a cluster; processes have neither.
	Chart    *result.Chart `json:"chart,omitempty"`
	Topology string        `json:"topology,omitempty"`
}

// OpKind is what a client asked for.
type OpKind uint8

// The kinds of operations. Those of secrets follow KV v2, those of access a register for each
// subject, such as a token or a policy.
const (
	Write    OpKind = iota + 1 // a new version of a secret, with or without check-and-set
	Read                       // the latest version of a secret, or that of a number
	Delete                     // softly, the latest version or that of a number
	Undelete                   // the version of a number
	Destroy                    // the version of a number, for good
	Purge                      // a secret with all versions, after which numbers begin again
	Grant                      // a subject of access from now on
	Revoke                     // a subject of access from now on
	Expire                     // a subject ends by its time to live; recorded by the workload at that time
	Use                        // whether access is granted
)

var opNames = []string{
	Write: "write", Read: "read", Delete: "delete", Undelete: "undelete", Destroy: "destroy", Purge: "purge",
	Grant: "grant", Revoke: "revoke", Expire: "expire", Use: "use",
}

// String is the kind's word in the file.
func (k OpKind) String() string { return nameOf(opNames, int(k)) }

// Access reports whether the operation is about a subject of access instead of a secret.
func (k OpKind) Access() bool { return k >= Grant }

// Result is what came out of an operation.
type Result uint8

// The results. Unknown is the only one after which the operation may or may not have had its
// effect, now or later.
const (
	OK        Result = iota + 1 // done; a read found a value, access was granted
	Deleted                     // a read found a version that is softly deleted
	Destroyed                   // a read found a version that is destroyed
	Absent                      // a read found no such version
	Mismatch                    // a write was refused because of its check-and-set
	Refused                     // access was refused; any other operation had no effect
	Failed                      // refused for another reason: no effect, and nothing was learned
	Unknown                     // no answer, or one that does not say what happened
)

var resultNames = []string{
	OK: "ok", Deleted: "deleted", Destroyed: "destroyed", Absent: "absent", Mismatch: "mismatch",
	Refused: "refused", Failed: "failed", Unknown: "unknown",
}

// String is the result's word in the file.
func (r Result) String() string { return nameOf(resultNames, int(r)) }

func nameOf(names []string, i int) string {
	if i > 0 && i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("unnamed %d", i)
}

// Never is the time of what has not happened by the end of the history.
const Never = int64(1)<<62 - 1

// NoPod is the pod of an answer of which nothing says who gave it.
const NoPod = -1

// Op is one operation of a client.
type Op struct {
	Line   int // of its call in the file
	Client int
	Kind   OpKind
	// Key is the secret, TENANT/NAME, or the subject of access, TENANT/KIND:NAME. A Use may need
	// several subjects, and a Grant or Revoke may be of several, joined by commas.
	Key     string
	Value   Value // what a write writes and a read found
	Version int   // asked for, or acknowledged; 0 is none
	Asked   bool  // whether Version was asked for; else it is from the answer
	CAS     int   // the version that a write expects, NoCAS for none
	Call    int64 // microseconds
	Return  int64 // microseconds; Never for an operation that was open at the end
	Result  Result
	Pod     int      // which answered; NoPod is unknown
	Request [16]byte // OpenBao's request ID; zero is none
	Grace   int64    // microseconds after which a Revoke or Expire has to hold
	// Inline marks a request that brought its login along. The audit records of the login have a
	// request ID of their own, which no answer names.
	Inline bool
}

// NoCAS is the CAS of a write without check-and-set.
const NoCAS = -1

// EventKind is what happened beside the operations of clients.
type EventKind uint8

// The kinds of events.
const (
	Fault  EventKind = iota + 1 // a disturbance, and with its Receipt whether it took effect
	Pod                         // a pod's state from now on
	Lead                        // a pod leads from now on, in a term that only it has
	Commit                      // a pod of a term committed to the database, in the order of commits
	Audit                       // an audit record of a request
	Load                        // load beside the workload begins or ends
	Phase                       // the run's part that begins: Final reads everything again
	Log                         // what a pod's log or the database says of what happened
	Lost                        // the database is one that may lack what ended since Since
)

var eventNames = []string{
	Fault: "fault", Pod: "pod", Lead: "lead", Commit: "commit", Audit: "audit", Load: "load", Phase: "phase",
	Log: "log", Lost: "lost",
}

// String is the kind's word in the file.
func (k EventKind) String() string { return nameOf(eventNames, int(k)) }

// Final is the phase in which every secret is read again after all faults have healed.
const Final = "final"

// States of pods.
const (
	Up      = "up"
	Down    = "down"    // the process is gone
	Frozen  = "frozen"  // the process is stopped and answers nothing
	Sealed  = "sealed"  // it answers no request for data
	Started = "started" // the process runs again, and has not answered yet
	Crashed = "crashed" // the process ended by itself
	Broken  = "broken"  // it does not start any more
)

// Receipts of faults.
const (
	Began        = "began" // announces the fault; exactly one of the others follows
	Confirmed    = "confirmed"
	Mismatched   = "mismatch"
	Inconclusive = "inconclusive"
)

// Parts of an audit record.
const (
	AuditRequest  = "request"
	AuditResponse = "response"
	AuditLeak     = "leak" // a value was found in a record
)

// What becomes of load beside the workload.
const (
	LoadBegins = "begin"
	LoadWrong  = "wrong" // it got a value that is not its secret's
	LoadEnds   = "end"   // with what it got as text
)

// Event is something that happened beside the operations of clients.
type Event struct {
	Line    int
	Time    int64 // microseconds
	Kind    EventKind
	Pod     int      // of Fault, Pod, Lead, Commit and Log; NoPod is none
	Number  int      // of a Fault in the schedule; of the term of Lead and Commit
	Name    string   // of a fault or a phase, such as "kill"; a pod's state; of Audit and Load what of it
	Receipt string   // of a Fault
	Request [16]byte // of Audit
	Text    string   // of Log, at most MaxText bytes
	Since   int64    // of Lost, microseconds
}

// MaxText is how long the text of a Log may be, in bytes.
const MaxText = 240

// words are the names that each kind of event may have; nil is any word.
func words(k EventKind) []string {
	switch k {
	case Pod:
		return []string{Up, Down, Frozen, Sealed, Started, Crashed, Broken}
	case Audit:
		return []string{AuditRequest, AuditResponse, AuditLeak}
	case Load:
		return []string{LoadBegins, LoadWrong, LoadEnds}
	default:
		return nil
	}
}

func receipt(word string) bool {
	return slices.Contains([]string{Began, Confirmed, Mismatched, Inconclusive}, word)
}
