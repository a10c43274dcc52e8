package result

import "time"

// ServerSeries are OpenBao's own metrics of one pod, sampled about once a second.
type ServerSeries struct {
	Pod     string         `json:"pod"`
	Samples []ServerSample `json:"samples"`
}

// ServerSample is one reading of a pod's metrics. Names in brackets are OpenBao's, without their
// prefix. OpenBao's postgres_get is left out: transactional reads, and so all fetches, do not
// count in it; DatabaseUse has them.
type ServerSample struct {
	At time.Time `json:"at"`
	// requests handled per second since the previous sample (core_handle_request)
	Requests       float64 `json:"rps"`
	HandleMs       float64 `json:"handleMs,omitempty"`       // their mean time in OpenBao in ms; 0 where there was none
	InFlight       float64 `json:"inFlight,omitempty"`       // requests being handled (core_in_flight_requests)
	Active         bool    `json:"active,omitempty"`         // core_active
	Unsealed       bool    `json:"unsealed,omitempty"`       // core_unsealed
	LeadershipLost int64   `json:"leadershipLost,omitempty"` // times since the process started (core_leadership_lost)
	// allocated Go objects, garbage included (runtime_alloc_bytes)
	HeapMiB    float64 `json:"heap"`
	Goroutines int64   `json:"goroutines"`       // runtime_num_goroutines
	Leases     int64   `json:"leases,omitempty"` // that the expiration manager holds (expire_num_leases)
}

// DatabaseUse is what OpenBao's database did, by PostgreSQL's own statistics, those of Steamer's
// session left out.
type DatabaseUse struct {
	Samples []DatabaseSample `json:"samples"` // about one a second
	// Statements are the differences from before the load to after it, the longest total time
	// first, at most MaxStatements.
	Statements []Statement `json:"statements,omitempty"`
	Window     Window      `json:"window"` // that Statements are about
}

// MaxStatements is how many statements a DatabaseUse lists.
const MaxStatements = 30

// DatabaseSample is one reading. Rates are per second since the previous sample.
type DatabaseSample struct {
	At         time.Time `json:"at"`
	Statements float64   `json:"statements"` // executed, BEGIN, COMMIT and ROLLBACK included (pg_stat_statements.calls)
	Rows       float64   `json:"rows"`       // returned or changed
	ExecMs     float64   `json:"execMs"`     // ms of execution per second (pg_stat_statements.total_exec_time)
	// pg_stat_database.xact_commit; sessions report it once a second, idle ones after ten
	Commits float64 `json:"commits"`
	// pg_stat_database.xact_rollback; OpenBao ends transactions that only read so
	Rollbacks   float64 `json:"rollbacks"`
	Sessions    float64 `json:"sessions"`    // connections opened per second
	Connections int     `json:"connections"` // open (pg_stat_activity)
	Running     int     `json:"running"`     // of them executing a statement
	InTx        int     `json:"inTx"`        // of them idle in a transaction
}

// Statement is one normalised statement's use of the database.
type Statement struct {
	// Query is the text as PostgreSQL normalised it: it has $1, $2, … in place of values. Of
	// statements that PostgreSQL does not normalise there is only the first word.
	Query  string  `json:"query"`
	Calls  int64   `json:"calls"`
	Rows   int64   `json:"rows"`
	ExecMs float64 `json:"execMs"` // total execution time in ms
}

// GeneratorSample is one reading of the k6 process.
type GeneratorSample struct {
	At       time.Time `json:"at"`
	CPUCores float64   `json:"cpu"` // since the previous sample
	RSSMiB   float64   `json:"rss"`
	Sockets  int       `json:"sockets"` // open
	Threads  int       `json:"threads"`
}

// Collections is the work of k6's garbage collector over its life, by its own trace.
type Collections struct {
	Cycles   int     `json:"cycles"`
	CPUShare float64 `json:"cpuShare"` // of the CPU time available to the process since its start, 0 to 1
	PauseMs  float64 `json:"pauseMs"`  // longest stop of the world of one cycle
	LiveMiB  float64 `json:"liveMiB"`  // heap marked live by the last cycle
}

// LoadPart is one of several k6 processes that drove a load together.
type LoadPart struct {
	Name        string       `json:"name"`        // pod or process
	Segment     string       `json:"segment"`     // k6 execution segment, e.g. "1/3:2/3"; empty: unknown
	Fetches     int64        `json:"fetches"`     // completed while measuring
	Dropped     int64        `json:"dropped"`     // while measuring
	LateSeconds float64      `json:"lateSeconds"` // of its first interval, after that of the earliest
	MaxVUs      int          `json:"maxVUs"`
	CPUSeconds  float64      `json:"cpuSeconds,omitempty"` // of the process, by its own account; 0: unknown
	MaxRSSMiB   float64      `json:"maxRSSMiB,omitempty"`  // likewise
	CPUs        int          `json:"cpus,omitempty"`       // that it could use at once
	Collections *Collections `json:"collections,omitempty"`
	Problem     string       `json:"problem,omitempty"` // why its recording is incomplete
}

// ObserverUse is what observing cost: the CPU time of Steamer's own process and of the processes
// it keeps for observing, while load ran.
type ObserverUse struct {
	Seconds    float64 `json:"seconds"`    // that observation took
	CPUSeconds float64 `json:"cpuSeconds"` // progress display and reading of k6's log included
}

// Cores is the mean use in CPU cores.
func (u ObserverUse) Cores() float64 {
	if u.Seconds <= 0 {
		return 0
	}
	return u.CPUSeconds / u.Seconds
}
