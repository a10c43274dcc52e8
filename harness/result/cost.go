package result

import (
	"fmt"
	"math"
)

// Cost is what work cost while measuring. A nil field could not be measured; Unknown says why, by
// the field's JSON name.
type Cost struct {
	OpenBaoCPU    *float64 `json:"openbaoCPU,omitempty"`    // CPU-ms of all OpenBao pods per fetch
	PostgreSQLCPU *float64 `json:"postgresqlCPU,omitempty"` // CPU-ms of PostgreSQL per fetch
	GeneratorCPU  *float64 `json:"generatorCPU,omitempty"`  // CPU-ms of k6 per fetch, its start and the warm-up included
	// that PostgreSQL executed per fetch, BEGIN, COMMIT and ROLLBACK included
	Statements   *float64 `json:"statements,omitempty"`
	Transactions *float64 `json:"transactions,omitempty"` // commits and rollbacks per fetch
	Rows         *float64 `json:"rows,omitempty"`         // that PostgreSQL returned or changed per fetch
	ExecMs       *float64 `json:"execMs,omitempty"`       // execution time in PostgreSQL per fetch in ms
	Sessions     *float64 `json:"sessions,omitempty"`     // connections opened to PostgreSQL per fetch
	// MiBPer1000Tenants is the growth of the active pod's Go heap from before the seed to under
	// load, per 1,000 tenants, in MiB.
	MiBPer1000Tenants *float64 `json:"mibPer1000Tenants,omitempty"`

	Unknown map[string]string `json:"unknown,omitempty"`
}

// CostRow is one cost, for a table.
type CostRow struct {
	ID     string // JSON name of the field
	Title  string
	Unit   string
	Value  *float64 // nil: unknown
	Reason string   // why it is unknown
}

// Table lists the costs in the order in which to show them.
func (c *Cost) Table() []CostRow {
	rows := []CostRow{
		{ID: "openbaoCPU", Title: "CPU of OpenBao per fetch", Unit: "ms", Value: c.OpenBaoCPU},
		{ID: "postgresqlCPU", Title: "CPU of PostgreSQL per fetch", Unit: "ms", Value: c.PostgreSQLCPU},
		{ID: "generatorCPU", Title: "CPU of k6 per fetch", Unit: "ms", Value: c.GeneratorCPU},
		{ID: "statements", Title: "statements per fetch", Value: c.Statements},
		{ID: "transactions", Title: "transactions per fetch", Value: c.Transactions},
		{ID: "rows", Title: "rows per fetch", Value: c.Rows},
		{ID: "execMs", Title: "execution time in PostgreSQL per fetch", Unit: "ms", Value: c.ExecMs},
		{ID: "sessions", Title: "connections opened to PostgreSQL per fetch", Value: c.Sessions},
		{ID: "mibPer1000Tenants", Title: "heap of OpenBao per 1,000 tenants", Unit: "MiB", Value: c.MiBPer1000Tenants},
	}
	for i := range rows {
		rows[i].Reason = c.Unknown[rows[i].ID]
	}
	return rows
}

// minTenants is how many tenants a difference of two heaps has to hold to be told from garbage: at
// the megabyte that GitLab's sizing assumes for each, that many exceed what Go's collector lets a
// heap of this size grow to between two cycles.
const minTenants = 200

// minFetches is how many fetches a cost per fetch needs: background work of a second must not
// dominate it.
const minFetches = 100

// DeriveCost computes what the load on a topology cost from what was observed; nil without load.
func (t *Topology) DeriveCost() *Cost {
	if t.Load == nil {
		return nil
	}
	c := &Cost{Unknown: map[string]string{}}
	c.cpu(t)
	c.database(t)
	if heap, err := t.heapGrowth(); err != nil {
		c.Unknown["mibPer1000Tenants"] = err.Error()
	} else {
		c.MiBPer1000Tenants = &heap
	}
	return c
}

func (c *Cost) cpu(t *Topology) {
	for id, of := range map[string]struct {
		component string
		to        **float64
	}{"openbaoCPU": {"openbao", &c.OpenBaoCPU}, "postgresqlCPU": {"postgresql", &c.PostgreSQLCPU}} {
		if ms, ok := t.CPUPerFetch(of.component); ok {
			*of.to = &ms
		} else {
			c.Unknown[id] = fmt.Sprintf("no fetches, or CPU samples of a container of %s cover less than %g %% of the "+
				"measured time", of.component, 100*MinCoverage)
		}
	}
	all := int64(0)
	for _, iv := range t.Load.Series {
		all += iv.Fetches
	}
	if ms := 1000 * t.Load.Generator.CPUSeconds; ms > 0 && all > 0 {
		per := ms / float64(all)
		c.GeneratorCPU = &per
	} else {
		c.Unknown["generatorCPU"] = "the generator's CPU time was not recorded"
	}
}

func (c *Cost) database(t *Topology) {
	fields := map[string]struct {
		to   **float64
		rate func(DatabaseSample) float64
	}{
		"statements":   {&c.Statements, func(s DatabaseSample) float64 { return s.Statements }},
		"transactions": {&c.Transactions, func(s DatabaseSample) float64 { return s.Commits + s.Rollbacks }},
		"rows":         {&c.Rows, func(s DatabaseSample) float64 { return s.Rows }},
		"execMs":       {&c.ExecMs, func(s DatabaseSample) float64 { return s.ExecMs }},
		"sessions":     {&c.Sessions, func(s DatabaseSample) float64 { return s.Sessions }},
	}
	w := t.Load.Measured()
	for id, f := range fields {
		if t.Database == nil {
			c.Unknown[id] = "PostgreSQL's statistics were not read"
			continue
		}
		total, covered := t.Database.Total(w, f.rate)
		switch {
		case t.Load.Completed() < minFetches:
			c.Unknown[id] = fmt.Sprintf("%d fetches are too few, it takes %d", t.Load.Completed(), minFetches)
		case covered < MinCoverage*w.To.Sub(w.From).Seconds():
			c.Unknown[id] = fmt.Sprintf("PostgreSQL's statistics cover less than %g %% of the measured time", 100*MinCoverage)
		default:
			per := total / float64(t.Load.Completed())
			*f.to = &per
		}
	}
}

// Total integrates a rate over w; covered is the part of w in seconds that the samples cover.
func (d *DatabaseUse) Total(w Window, rate func(DatabaseSample) float64) (total, covered float64) {
	for i := 1; i < len(d.Samples); i++ {
		seconds := w.overlap(d.Samples[i-1].At, d.Samples[i].At)
		total += rate(d.Samples[i]) * seconds
		covered += seconds
	}
	return total, covered
}

// heapGrowth compares least heaps, because garbage only ever adds to them.
func (t *Topology) heapGrowth() (float64, error) {
	if t.Seed == nil || t.Seed.HeapBeforeMiB <= 0 {
		return 0, fmt.Errorf("the heap was not read before the seed")
	}
	if t.Seed.Tenants < minTenants {
		return 0, fmt.Errorf("%d tenants are too few to tell their memory from garbage, it takes %d", t.Seed.Tenants,
			minTenants)
	}
	least := math.Inf(1)
	for _, series := range t.Server {
		for _, s := range series.Samples {
			if s.Active && t.Load.Whole().Contains(s.At) {
				least = min(least, s.HeapMiB)
			}
		}
	}
	if math.IsInf(least, 1) {
		return 0, fmt.Errorf("the active pod's metrics were not read under load")
	}
	return 1000 * (least - t.Seed.HeapBeforeMiB) / float64(t.Seed.Tenants), nil
}
