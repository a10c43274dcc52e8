// Package result defines the versioned record of a run: what was installed,
// checked, driven and measured, and the verdict on it. Reports are rendered from
// it and verdicts can be derived again from it, so it holds evidence and no secret.
package result

import "time"

// APIVersion is the version of the Result schema that this package writes.
const APIVersion = "steamer/v1"

// Kind is the value of Result.Kind.
const Kind = "Result"

// Verdict is the three-valued judgement of a run, a topology or a check.
type Verdict string

// The verdicts. A check that could not be measured is Inconclusive, never one of the other two.
const (
	Pass         Verdict = "PASS"
	Fail         Verdict = "FAIL"
	Inconclusive Verdict = "INCONCLUSIVE"
)

// Result is one run from plan to verdict.
type Result struct {
	APIVersion  string     `json:"apiVersion"`
	Kind        string     `json:"kind"`
	Run         Run        `json:"run"`
	Verdict     Verdict    `json:"verdict"`
	Reasons     []string   `json:"reasons"`               // why the verdict is what it is, most important first
	Topologies  []Topology `json:"topologies"`            // in the order they ran
	Steps       []Step     `json:"steps"`                 // every step of the run, in the order they started
	NotMeasured []string   `json:"notMeasured,omitempty"` // what a reader might expect and will not find, with the reason
}

// Run identifies a run and what it takes to repeat it.
type Run struct {
	ID        string    `json:"id"` // e.g. "20261123-145501-k3f9"
	Started   time.Time `json:"started"`
	Finished  time.Time `json:"finished"`
	Partial   bool      `json:"partial"`   // interrupted or failed before its end
	Reproduce string    `json:"reproduce"` // the command line that repeats the run
	Profile   string    `json:"profile"`   // e.g. "smoke"
	Tier      string    `json:"tier"`      // GitLab sizing tier, e.g. "12" fetches/s
	Steamer   string    `json:"steamer"`   // Steamer's version and commit
	Host      Host      `json:"host"`
	// EnvironmentLatency in ms is added to every latency limit: what the user said the way to
	// OpenBao costs.
	EnvironmentLatency float64 `json:"environmentLatency,omitempty"`
}

// Host is the machine that ran Steamer.
type Host struct {
	OS        string `json:"os"` // e.g. "Debian GNU/Linux 12 (bookworm)"
	Kernel    string `json:"kernel"`
	CPUs      int    `json:"cpus"` // that Steamer may run on
	MemoryMiB int64  `json:"memoryMiB"`
	Cgroup    string `json:"cgroup"` // "v1" or "v2"
	Engine    string `json:"engine"` // e.g. "docker 20.10.24 (private)"
	// UsableCPUs is how many of CPUs Steamer can use at once, which the quota of its control group
	// may bound; 0 in results that do not have it.
	UsableCPUs float64 `json:"usableCPUs,omitempty"`
}

// Usable is how many CPUs Steamer and what it started could use at once; 0 where nothing is known
// of the host.
func (h Host) Usable() float64 {
	if h.UsableCPUs > 0 {
		return h.UsableCPUs
	}
	return float64(h.CPUs)
}

// Topology is one environment: what was installed and everything measured on it.
type Topology struct {
	Name    string   `json:"name"` // cloud-native or cloud-native-hybrid
	Verdict Verdict  `json:"verdict"`
	Reasons []string `json:"reasons"`
	// TLS says that OpenBao served its API over TLS.
	TLS   bool  `json:"tls,omitempty"`
	Chart Chart `json:"chart"`
	// component to version: kubernetes, openbao, postgresql, helm, kind, k6
	Versions map[string]string `json:"versions"`
	Images   map[string]string `json:"images"` // component to image reference with digest
	Seed     *Seed             `json:"seed,omitempty"`
	// Shards is how many installations shared the scenarios; 0 where there was one.
	Shards    int              `json:"shards,omitempty"`
	Scenarios []Scenario       `json:"scenarios"`
	Load      *Load            `json:"load,omitempty"`
	Resources []ResourceSeries `json:"resources,omitempty"`
	Events    []Event          `json:"events,omitempty"`
	Server    []ServerSeries   `json:"server,omitempty"`   // OpenBao's own metrics, by pod
	Database  *DatabaseUse     `json:"database,omitempty"` // PostgreSQL's own statistics
	Observer  *ObserverUse     `json:"observer,omitempty"` // what observing cost
	// CPU of the whole machine; only where cluster and Steamer share one
	Host *ResourceSeries `json:"host,omitempty"`
	// of a cluster in containers of this machine: everything in each node, the pods included
	Nodes []ResourceSeries `json:"nodes,omitempty"`
	// Steamer's process and the engine's; Throttled is that of Steamer's control group
	Own         *ResourceSeries `json:"own,omitempty"`
	Cost        *Cost           `json:"cost,omitempty"` // derived from the above
	Checks      []Check         `json:"checks"`         // validity conditions and SLOs
	NotMeasured []string        `json:"notMeasured,omitempty"`
}

// Chart names a chart exactly enough to fetch the same bytes again.
type Chart struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	AppVersion string `json:"appVersion"`
	Source     string `json:"source"` // as the user named it: directory, archive, repository or OCI reference
	Digest     string `json:"digest"` // sha256 over the chart's files
	// Archive is the SHA-256 of the .tgz, as the repository's index or the registry states it;
	// empty for a directory.
	Archive  string `json:"archive,omitempty"`
	Manifest string `json:"manifest,omitempty"` // digest of the OCI manifest; empty for what came from no registry
	// Values is "sha256:" and the SHA-256 of the user's values, as JSON, laid over the chart's and
	// the dialect's; empty for the chart as it is released. Evidence from before it was recorded
	// has none either.
	Values string `json:"values,omitempty"`
}

// Seed is what was provisioned before the checks.
type Seed struct {
	Tenants int            `json:"tenants"`
	Secrets int            `json:"secrets"`
	Recipes map[string]int `json:"recipes"` // recipe ID to number of tenants
	Seconds float64        `json:"seconds"`
	Calls   int            `json:"calls"` // API requests sent
	// HeapBeforeMiB is the active pod's Go heap before the first tenant; 0 where it was not read.
	HeapBeforeMiB float64 `json:"heapBefore,omitempty"`
}

// Load is one k6 run against one topology.
type Load struct {
	Workload    string  `json:"workload"` // script name, e.g. "fetch"
	Profile     string  `json:"profile"`
	Mode        string  `json:"mode"`    // inline, login-read, ...
	Target      string  `json:"target"`  // where the generator sent its requests
	OfferedRate float64 `json:"offered"` // fetches per second asked for
	// fetches per second completed while measuring, see Achieved
	AchievedRate    float64      `json:"achieved"`
	Start           time.Time    `json:"start"`    // start of the warm-up
	WarmupSeconds   float64      `json:"warmup"`   // seconds before measuring started
	MeasuredSeconds float64      `json:"measured"` // seconds measured and judged, excursions not included
	Fetches         int64        `json:"fetches"`  // completed while measuring, successful or not
	Failed          int64        `json:"failed"`   // fetches that got no secret
	Wrong           int64        `json:"wrong"`    // fetches that got a wrong value
	Dropped         int64        `json:"dropped"`  // iterations k6 could not start on time
	Actual          Distribution `json:"actual"`   // latency from the actual start of the request
	// latency from the intended start: free of coordinated omission
	Intended  Distribution     `json:"intended"`
	Statuses  map[string]int64 `json:"statuses"`  // HTTP status (or "error") to fetches
	Series    []Interval       `json:"series"`    // one entry per second, warm-up included
	Generator Generator        `json:"generator"` // what producing the load cost
	// why the recording is incomplete; empty when it is complete
	Partial string             `json:"partial,omitempty"`
	Extra   map[string]float64 `json:"extra,omitempty"`
	Parts   []LoadPart         `json:"parts,omitempty"` // the k6 processes, where there were several

	// What results of before late November 2026 do not have.
	// parts of a fetch while measuring, by name: connect, login, read, ...
	Steps map[string]Distribution `json:"steps,omitempty"`
	// of modes that do several things: latency from the actual start, by what was done
	Kinds    map[string]Distribution `json:"kinds,omitempty"`
	Attempts *Attempts               `json:"attempts,omitempty"` // single requests while measuring
	Stages   []LoadStage             `json:"stages,omitempty"`   // where the rate moved: how it went in each stage
	// what was driven beyond what is judged; not in the totals above
	Excursion *Excursion `json:"excursion,omitempty"`
	Jobs      *Jobs      `json:"jobs,omitempty"` // what the jobs did; nil: not recorded

	// Thresholds are the latency limits of which every second has the number of fetches above, see
	// Interval.Above.
	Thresholds []Threshold `json:"thresholds,omitempty"`
	// NotJudged are the metrics whose objectives the profile is too short for and says so: missed
	// beyond doubt they fail a run, undecided they cost it nothing. No release is decided on such
	// a run.
	NotJudged []string `json:"notJudged,omitempty"`
}

// Distribution summarises a latency histogram, in milliseconds.
type Distribution struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
	Min   float64 `json:"min"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
	HDR   string  `json:"hdr,omitempty"` // the histogram itself: HdrHistogram V2 compressed, base64, microseconds
}

// Interval is one second of load. Latencies are in milliseconds from the intended start.
type Interval struct {
	Offset  float64 `json:"t"`     // seconds since Load.Start at which the interval begins
	Phase   string  `json:"phase"` // "warmup", "measure" or "excursion"
	Fetches int64   `json:"n"`
	Failed  int64   `json:"failed"`
	Wrong   int64   `json:"wrong"`
	Dropped int64   `json:"dropped"`
	P50     float64 `json:"p50"`
	P95     float64 `json:"p95"`
	P99     float64 `json:"p99"`
	Max     float64 `json:"max"`

	// What results of before December 2026 do not have.

	// Above is how many fetches were above each of Load.Thresholds, in their order. A fetch that
	// failed counts as above, however fast it did; so does one in the histogram's bucket that
	// holds the limit, which is 0.1 % wide. Empty is unknown, as it is for all below that is 0.
	Above []int64 `json:"above,omitempty"`
	// Mean and ActualMean are mean latencies in ms, from the intended and from the actual start.
	Mean       float64 `json:"mean,omitempty"`
	ActualMean float64 `json:"actualMean,omitempty"`
	// Attempts are single requests, AttemptsFailed those without a usable answer.
	Attempts       int64 `json:"attempts,omitempty"`
	AttemptsFailed int64 `json:"attemptsFailed,omitempty"`
}

// Starts from which a latency is measured.
const (
	FromIntended = "intended" // on the schedule
	FromActual   = "actual"   // of the request
)

// Threshold is a latency limit whose violations were counted.
type Threshold struct {
	From  string  `json:"from"`  // FromIntended or FromActual
	Limit float64 `json:"limit"` // in ms; the limit itself is not above
}

// Generator is what the load generator itself used.
type Generator struct {
	Version    string  `json:"version"`    // k6's version line
	CPUSeconds float64 `json:"cpuSeconds"` // user and system time of the whole k6 process
	MaxRSSMiB  float64 `json:"maxRSSMiB"`
	// mean fraction of the host's CPUs that Steamer can use, used while it ran, 0 to 1; 0: unknown
	CPUShare   float64 `json:"cpuShare"`
	MaxVUs     int     `json:"maxVUs"`
	InitialVUs int     `json:"initialVUs,omitempty"` // made before the start; 0: unknown
	// Samples are about one a second; Collections is nil where k6's trace was not read. Both are
	// of a local k6 only, see LoadPart for pods.
	Samples     []GeneratorSample `json:"samples,omitempty"`
	Collections *Collections      `json:"collections,omitempty"`
}

// ResourceSeries is the use of CPU and memory by one container, sampled about once a second.
type ResourceSeries struct {
	Component string `json:"component"` // openbao, postgresql or gitlab-stub
	Name      string `json:"name"`      // pod/container or container name
	Role      string `json:"role,omitempty"`
	// CPURequest and CPULimit are in cores and MemoryLimit in MiB, as the container was started; 0
	// means none.
	CPURequest  float64 `json:"cpuRequest,omitempty"`
	CPULimit    float64 `json:"cpuLimit,omitempty"`
	MemoryLimit float64 `json:"memLimit,omitempty"`
	// Coarse is true where the samples come from a kubelet's summary: 10 to 15 s apart, and
	// without throttling.
	Coarse bool `json:"coarse,omitempty"`
	// Ended is when the container had ended, by its last sample; zero for one that ran until
	// observation ended, and in results that do not have it.
	Ended   time.Time        `json:"ended,omitzero"`
	Samples []ResourceSample `json:"samples"`
}

// ResourceSample is one reading. CPU is the mean since the previous sample.
type ResourceSample struct {
	At        time.Time `json:"at"`
	CPUCores  float64   `json:"cpu"`
	MemoryMiB float64   `json:"mem"`                 // working set
	Throttled float64   `json:"throttled,omitempty"` // fraction of CFS periods throttled since the previous sample, 0 to 1
	Active    bool      `json:"active,omitempty"`    // the pod was marked as the active one
	// Of the host only: cores spent on interrupts and what follows them in the kernel, and memory
	// in MiB that a process could still get.
	Interrupts   float64 `json:"irq,omitempty"`
	AvailableMiB float64 `json:"available,omitempty"`
}

// Event is a moment worth marking on the timeline.
type Event struct {
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"` // leadership, restart, replacement, fault, phase, kubernetes, database
	Detail string    `json:"detail"`
	// Of a restart or replacement, where it is known: what it happened to, and why in Kubernetes'
	// own words.
	Component string `json:"component,omitempty"` // openbao, postgresql, ...
	Name      string `json:"name,omitempty"`      // pod/container, or pod
	Reason    string `json:"reason,omitempty"`    // e.g. OOMKilled, Error, Evicted, PreemptionByScheduler
	ExitCode  int    `json:"exitCode,omitempty"`  // of the container that ended
	Message   string `json:"message,omitempty"`   // the kubelet's, of an eviction
	// Planned is true when Steamer caused the event on purpose, so that it does not make a
	// measurement invalid.
	Planned bool `json:"planned,omitempty"`
}

// Check is one judged condition with its evidence.
type Check struct {
	ID       string  `json:"id"`    // e.g. "slo/p99" or "valid/dropped-iterations"
	Kind     string  `json:"kind"`  // "slo" or "validity"
	Title    string  `json:"title"` // e.g. "p99 from the intended start"
	Verdict  Verdict `json:"verdict"`
	Measured string  `json:"measured"` // value with unit, e.g. "8.1 ms"
	Limit    string  `json:"limit"`    // e.g. "<= 10 ms"
	Headroom float64 `json:"headroom"` // (limit-measured)/limit, negative when missed; 0 when not meaningful
	Source   string  `json:"source,omitempty"`
	Reason   string  `json:"reason,omitempty"` // set when the verdict is not PASS
	// Informational is true for a check that is shown but takes no part in the verdict,
	// for example a quantile that the profile says it is too short for.
	Informational bool `json:"informational,omitempty"`
	// Owner is whose fault a missed validity condition is: OwnerMachine or OwnerSubject.
	// Objectives, and evidence of Steamer releases that did not tell the two apart, have none.
	Owner string `json:"owner,omitempty"`
	// Bounds say what the measurement says of the process behind it; nil where it was not judged
	// so.
	Bounds *Bounds `json:"bounds,omitempty"`
}

// Bounds are one-sided bounds, each at a level of its own (docs/method.md), by which a check was
// judged.
type Bounds struct {
	// Of is what is bounded: "share" from 0 to 1 of fetches above the limit, or that failed; or
	// "mean" in ms.
	Of       string  `json:"of"`
	Measured float64 `json:"measured"`
	Lower    float64 `json:"lower"`
	Upper    float64 `json:"upper"`
	Allowed  float64 `json:"allowed"` // missed where Lower is above it, held where Upper is not
	// Count is the number of fetches that are in a share, Effective how many independent ones say
	// as much as those that were measured.
	Count     int64   `json:"count,omitempty"`
	Effective float64 `json:"effective,omitempty"`
}

// The owners of a validity condition. What is the machine's makes the measurement say nothing and
// is only ever INCONCLUSIVE. What is the subject's is a finding that no other run removes: FAIL
// where it is proven, else INCONCLUSIVE.
const (
	OwnerMachine = "machine"
	OwnerSubject = "subject"
)

// Step is one step of the run.
type Step struct {
	Name     string    `json:"name"`
	Topology string    `json:"topology,omitempty"`
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	Error    string    `json:"error,omitempty"`
}
