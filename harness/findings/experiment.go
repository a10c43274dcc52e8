// Package findings runs experiments: the same load on servers that differ in one setting, in turns
// on separate databases, with the ratio of each to a base and its interval. Experiments are data
// (perf/experiments); the page that they make tells a chart's maintainer what to change and by how
// much.
package findings

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/document"
	"gitlab.com/steamer/steamer/harness/exit"
	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/load"
	"gitlab.com/steamer/steamer/harness/result"
	"gitlab.com/steamer/steamer/harness/target/local"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// Dir holds the experiments, relative to the source tree.
const Dir = "perf/experiments"

// Kind is the kind of an experiment's file.
const Kind = "Experiment"

// Experiment is one file of Dir.
type Experiment struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	ID         string `json:"id"`       // the file's name without ".yaml"
	Order      int    `json:"order"`    // place on the page
	Title      string `json:"title"`    // what is varied
	Question   string `json:"question"` // what a maintainer wants to know
	Source     string `json:"source"`   // why it is asked: a default, a documented number
	Load       Load   `json:"load"`
	Rounds     int    `json:"rounds"` // each arm once in each; 6 or more, for an interval of 95 %
	Storm      *Storm `json:"storm,omitempty"`
	// RotateEvery rotates the key of OpenBao's storage under the load, which takes the lock that
	// every storage access needs; 0 does not.
	RotateEvery document.Duration `json:"rotateEvery,omitempty"`
	Arms        []Arm             `json:"arms"` // the first is what the others are compared with
	Expect      []Expectation     `json:"expect,omitempty"`
	NotMeasured []string          `json:"notMeasured,omitempty"`
}

// Load is a closed loop, the same for all arms.
type Load struct {
	Connections int               `json:"connections"` // each with one fetch in flight, 1 to 256
	Reuse       bool              `json:"reuse"`       // keep them open
	Warmup      document.Duration `json:"warmup"`      // of each slice, not measured: 0, or 1 s to 1 min
	Duration    document.Duration `json:"duration"`    // of each slice, measured
	Tenants     int               `json:"tenants"`     // 1 to 1000
}

// Storm makes tokens that are never revoked while the load runs, and measures the load when they
// expire.
type Storm struct {
	After  document.Duration `json:"after"`  // of the measurement, until the logins begin; what lies before is the quiet time to compare with
	Logins int               `json:"logins"` // how many
	TTL    document.Duration `json:"ttl"`    // of the tokens
	Window document.Duration `json:"window"` // how long from the first expiry on the load is looked at
}

// Arm is one server.
type Arm struct {
	Name      string            `json:"name"`
	Config    []map[string]any  `json:"config,omitempty"` // JSON Patch of OpenBao's configuration
	Env       map[string]string `json:"env,omitempty"`    // of OpenBao
	LatencyMs int               `json:"latencyMs,omitempty"`
	Proxy     bool              `json:"proxy,omitempty"`  // the proxy of LatencyMs, also without latency
	Recipe    string            `json:"recipe,omitempty"` // ID; "" is two-level-jwt
	Mode      string            `json:"mode,omitempty"`   // "" is inline
	Tokens    *Tokens           `json:"tokens,omitempty"` // of jobs' logins; nil are the recipe's
	TLS       bool              `json:"tls,omitempty"`
	CPUs      float64           `json:"cpus,omitempty"`
	Change    string            `json:"change,omitempty"` // what a maintainer would do to get from the base here
	Costs     string            `json:"costs,omitempty"`  // what speaks against it
}

// Tokens are those that the role of a JWT login gives to jobs. A zero field leaves the recipe's.
type Tokens struct {
	Type string            `json:"type,omitempty"` // service or batch
	TTL  document.Duration `json:"ttl,omitempty"`  // 1 s to an hour, in whole seconds
}

// Expectation is an effect that the experiment has to find again by itself.
type Expectation struct {
	Finding string  `json:"finding"`        // its name
	Of      string  `json:"of"`             // arm
	Over    string  `json:"over,omitempty"` // arm; "" judges Of's own median
	Metric  string  `json:"metric"`         // one of Metrics
	AtLeast float64 `json:"atLeast,omitempty"`
	AtMost  float64 `json:"atMost,omitempty"`
}

// Metrics are what an expectation can be about: fetches per second, CPU of OpenBao and PostgreSQL
// per fetch, and the share of the quiet throughput throughput that is left in the storm.
func Metrics() []string { return []string{"throughput", "cpu", "stormShare"} }

// Limits of an experiment.
const (
	minRounds = 6 // an interval of 95 % needs 2^-rounds < 0.025
	maxRounds = 50
	maxArms   = 8
)

// Read reads the experiments of the source tree whose ID matches the pattern, in the order of the
// page.
func Read(root, pattern string) ([]Experiment, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, exit.Invalidf("--run "+pattern, "use RE2 syntax, e.g. --run '^pool'", "%w", err)
	}
	files, err := filepath.Glob(filepath.Join(root, Dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var all []Experiment
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, exit.Invalidf(file, "make it readable", "%w", err)
		}
		e, err := Parse(file, data)
		if err != nil {
			return nil, err
		}
		if e.ID+".yaml" != filepath.Base(file) {
			return nil, exit.Invalidf(file, "name the file after the ID", "its id is %q", e.ID)
		}
		if re.MatchString(e.ID) {
			all = append(all, e)
		}
	}
	if len(all) == 0 {
		return nil, exit.Invalidf("--run "+pattern, "steamer findings --list shows the IDs", "no experiment's ID matches")
	}
	slices.SortFunc(all, func(a, b Experiment) int { return a.Order - b.Order })
	return all, nil
}

// Parse reads one experiment strictly; name is used in errors, which are of code exit.Invalid.
func Parse(name string, data []byte) (Experiment, error) {
	var e Experiment
	err := codec.DecodeInto(name, data, &e)
	return e, err
}

var codec = document.Codec[Experiment]{
	APIVersion: result.APIVersion, Kind: Kind, YAML: true, Hint: "compare it with the other files of " + Dir,
	Check: func(e *Experiment) error { return e.validate() },
}

func (e Experiment) validate() error {
	duration, warmup := time.Duration(e.Load.Duration), time.Duration(e.Load.Warmup)
	switch {
	case !regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`).MatchString(e.ID):
		return fmt.Errorf("id %q: want small letters, digits and dashes", e.ID)
	case e.Title == "" || e.Question == "" || e.Source == "":
		return fmt.Errorf("title, question and source must be set")
	case e.Load.Connections < 1 || e.Load.Connections > 256 || e.Load.Tenants < 1 || e.Load.Tenants > 1000:
		return fmt.Errorf("load: %d connections, %d tenants: want 1 to 256 and 1 to 1000", e.Load.Connections, e.Load.Tenants)
	case duration < 2*time.Second || duration > 10*time.Minute || !load.ValidWarmup(warmup) || warmup > time.Minute:
		return fmt.Errorf("load: warmup %s, duration %s: want 0s or 1s to 1m, and 2s to 10m", warmup, duration)
	case e.Rounds < minRounds || e.Rounds > maxRounds:
		return fmt.Errorf("rounds %d: want %d to %d", e.Rounds, minRounds, maxRounds)
	case len(e.Arms) < 2 || len(e.Arms) > maxArms:
		return fmt.Errorf("%d arms: want 2 to %d", len(e.Arms), maxArms)
	}
	if every := time.Duration(e.RotateEvery); every != 0 && (every < 500*time.Millisecond || every > duration) ||
		every != 0 && e.Storm != nil {
		return fmt.Errorf("rotateEvery %s: want 500ms to the load's %s, and no storm", every, duration)
	}
	for i, a := range e.Arms {
		if err := a.validate(); err != nil {
			return fmt.Errorf("arm %q: %w", a.Name, err)
		}
		if slices.ContainsFunc(e.Arms[:i], func(b Arm) bool { return a.Name == b.Name }) {
			return fmt.Errorf("arm %q: named twice", a.Name)
		}
	}
	for _, x := range e.Expect {
		if err := e.expectable(x); err != nil {
			return fmt.Errorf("expect %q: %w", x.Finding, err)
		}
	}
	return e.Storm.validate(duration)
}

// Expected is about how long the experiment takes: a server is up and has its tenants after some
// seconds, and k6 starts in one or two.
func (e Experiment) Expected() time.Duration {
	const up, start = 7 * time.Second, 2 * time.Second
	slice := time.Duration(e.Load.Warmup) + time.Duration(e.Load.Duration) + start
	runs := time.Duration(e.Rounds * len(e.Arms))
	if e.Storm != nil {
		return runs * (slice + up)
	}
	return runs*slice + time.Duration(len(e.Arms))*up
}

func (s *Storm) validate(length time.Duration) error {
	if s == nil {
		return nil
	}
	after, ttl, window := time.Duration(s.After), time.Duration(s.TTL), time.Duration(s.Window)
	switch {
	case s.Logins < 100 || s.Logins > 100_000:
		return fmt.Errorf("storm: %d logins: want 100 to 100000", s.Logins)
	case after < 2*time.Second || ttl < 5*time.Second || window < 3*time.Second:
		return fmt.Errorf("storm: after %s, ttl %s, window %s: want at least 2s, 5s and 3s", after, ttl, window)
	case after+ttl+window > length:
		return fmt.Errorf("storm: after, ttl and window are %s, longer than the load's %s", after+ttl+window, length)
	}
	return nil
}

func (a Arm) validate() error {
	if err := a.Tokens.validate(); err != nil {
		return err
	}
	_, err := a.recipes(nil)
	switch {
	case a.Name == "":
		return fmt.Errorf("it has no name")
	case a.LatencyMs < 0 || a.LatencyMs > 1000:
		return fmt.Errorf("latencyMs %d: want 0 to 1000", a.LatencyMs)
	case !(a.CPUs >= 0) || a.CPUs > 1024:
		return fmt.Errorf("cpus %g: want 0, for none, to 1024", a.CPUs)
	case a.Mode != "" && !slices.Contains(load.Modes(), a.Mode):
		return fmt.Errorf("mode %q: want one of %q", a.Mode, load.Modes())
	}
	return err
}

func (e Experiment) expectable(x Expectation) error {
	has := func(name string) bool { return slices.ContainsFunc(e.Arms, func(a Arm) bool { return a.Name == name }) }
	switch {
	case x.Finding == "" || !has(x.Of) || x.Over != "" && !has(x.Over):
		return fmt.Errorf("of %q, over %q: want names of arms, and a finding", x.Of, x.Over)
	case !slices.Contains(Metrics(), x.Metric):
		return fmt.Errorf("metric %q: want one of %q", x.Metric, Metrics())
	case x.Metric == "stormShare" && e.Storm == nil:
		return fmt.Errorf("stormShare needs a storm")
	case (x.AtLeast > 0) == (x.AtMost > 0):
		return fmt.Errorf("want one of atLeast and atMost, above 0")
	}
	return nil
}

// recipes returns the arm's recipe, with other tokens where the arm or a storm wants them.
func (a Arm) recipes(storm *Storm) ([]*gitlab.Recipe, error) {
	all, err := gitlab.Recipes()
	if err != nil {
		return nil, err
	}
	want := a.Recipe
	if want == "" {
		want = "two-level-jwt"
	}
	i := slices.IndexFunc(all, func(r *gitlab.Recipe) bool { return r.ID == want })
	if i < 0 {
		return nil, fmt.Errorf("recipe %q: no recipe has that ID", want)
	}
	var tokens Tokens
	if a.Tokens != nil {
		tokens = *a.Tokens
	}
	if storm != nil {
		tokens.TTL = storm.TTL
	}
	found := all[i].SetTokens(tokens.Type, time.Duration(tokens.TTL)) // Recipes has just parsed it: it is ours to change
	if a.Tokens != nil && !found {
		return nil, fmt.Errorf("tokens: recipe %q has no role that says what tokens it gives", want)
	}
	return all[i : i+1], nil
}

func (t *Tokens) validate() error {
	if t == nil {
		return nil
	}
	ttl := time.Duration(t.TTL)
	switch {
	case t.Type != "" && t.Type != "service" && t.Type != "batch":
		return fmt.Errorf("tokens: type %q: want service or batch", t.Type)
	case ttl != 0 && (ttl < time.Second || ttl > time.Hour || ttl%time.Second != 0):
		return fmt.Errorf("tokens: ttl %s: want 1s to 1h in whole seconds", ttl)
	case t.Type == "" && ttl == 0:
		return fmt.Errorf("tokens: want a type or a ttl")
	}
	return nil
}

// spec is the arm's target.
func (a Arm) spec(e Experiment) (local.Spec, error) {
	recipes, err := a.recipes(e.Storm)
	if err != nil {
		return local.Spec{}, err
	}
	s := local.Spec{
		Server: localbao.Options{TLS: a.TLS}, Latency: time.Duration(a.LatencyMs) * time.Millisecond, Proxy: a.Proxy,
		CPUs: a.CPUs, WatchPool: true, Recipes: recipes,
	}
	for key, value := range a.Env {
		s.Server.Env = append(s.Server.Env, key+"="+value)
	}
	slices.Sort(s.Server.Env)
	if len(a.Config) > 0 {
		s.Server.Patch, err = json.Marshal(a.Config)
	}
	return s, err
}

// profile is the load of one slice on the arm.
func (a Arm) profile(l Load) load.Profile {
	mode := a.Mode
	if mode == "" {
		mode = load.Inline
	}
	return load.Profile{
		APIVersion: result.APIVersion, Kind: "Profile", Name: "saturate", Workload: "saturate", Mode: mode,
		Warmup: l.Warmup, Duration: l.Duration, Rate: load.Rate{PerSecond: 1}, // a closed loop has no rate
		Connections: load.Connections{Reuse: l.Reuse}, VUs: load.VUs{Initial: l.Connections, Max: l.Connections},
	}
}

// While is the condition that an experiment makes, in words; "" for none.
func (e *Experiment) While() string {
	switch {
	case e.Storm != nil:
		return "while tokens expire"
	case e.RotateEvery > 0:
		return fmt.Sprintf("while the key is rotated every %s", time.Duration(e.RotateEvery))
	}
	return ""
}
