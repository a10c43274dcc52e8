package check

import (
	"fmt"
	"slices"

	"gitlab.com/steamer/steamer/harness/history"
)

// podState is a pod's state and since when.
type podState struct {
	state string
	since int64
	line  int
}

// leaders follows terms and commits.
type leaders struct {
	pods    map[int]int // of each term
	last    int         // term that began last
	commits int         // highest term that committed
}

// fault is a disturbance and what its receipt says.
type fault struct {
	name, receipt string
	line          int
}

// event takes something beside the operations in.
func (c *checker) event(e *history.Event) {
	switch e.Kind {
	case history.Audit:
		c.record(e)
		return
	case history.Commit:
		c.commit(e)
		return
	case history.Pod:
		c.pods[e.Pod] = podState{e.Name, e.Time, e.Line}
		c.ended(e)
	case history.Log:
		c.logs[e.Pod] = append(c.logs[e.Pod], c.step(e))
		if e.Pod != history.NoPod {
			return
		}
	case history.Load:
		c.loaded(e)
	case history.Lost:
		c.losses = append(c.losses, loss{e.Since, e.Time})
	case history.Lead:
		c.lead(e)
	case history.Fault:
		c.receipt(e)
	case history.Phase:
		c.final = c.final || e.Name == history.Final
	}
	c.events = append(c.events, Moment{Time: e.Time, Line: e.Line, Text: describeEvent(e)})
}

// loaded takes in what became of load beside the workload. Nobody writes what it fetches.
func (c *checker) loaded(e *history.Event) {
	switch e.Name {
	case history.LoadWrong:
		c.violateAt("C2", "load beside the workload", e.Text, c.step(e))
	case history.LoadEnds:
		c.report.Load = e.Text
	}
}

// ended holds a pod that crashed or does not start against S13 and S11. The violation has the log
// of the last crash, and what is known of the database.
func (c *checker) ended(e *history.Event) {
	where, step := fmt.Sprintf("pod %d", e.Pod), []Step{c.step(e)}
	switch e.Name {
	case history.Crashed:
		c.crash = c.logs[e.Pod]
		c.violateAt("S13", where, "it ended by itself"+c.lastFault(), append(step, c.crash...)...)
		delete(c.logs, e.Pod)
	case history.Broken:
		c.violateAt("S11", where, "it does not start any more"+c.lastFault(),
			slices.Concat(step, c.crash, c.logs[history.NoPod])...)
	}
}

// lastFault says after which fault something happened, and after how many of its kind.
func (c *checker) lastFault() string {
	last, of := -1, 0
	for number := range c.faults {
		last = max(last, number)
	}
	if last < 0 {
		return ""
	}
	for _, f := range c.faults {
		if f.name == c.faults[last].name {
			of++
		}
	}
	return fmt.Sprintf(", after fault %d (%s, number %d of its kind)", last, c.faults[last].name, of)
}

func (c *checker) step(e *history.Event) Step {
	return Step{Line: e.Line, Call: e.Time, Return: e.Time, Client: -1, Pod: -1, Text: describeEvent(e)}
}

// lead begins a term: S6 allows each one pod, and no earlier number again.
func (c *checker) lead(e *history.Event) {
	other, known := c.leads.pods[e.Number]
	switch {
	case known && other != e.Pod:
		c.violateAt("S6", "leader", fmt.Sprintf("pods %d and %d both lead in term %d", other, e.Pod, e.Number), c.step(e))
	case !known && e.Number < c.leads.last:
		c.violateAt("S6", "leader", fmt.Sprintf("term %d begins after term %d", e.Number, c.leads.last), c.step(e))
	case !known:
		if c.leads.last >= 0 {
			c.takeovers++
			if c.open > 0 {
				c.inFlight++
			}
		}
		c.leads.last, c.leads.pods[e.Number] = e.Number, e.Pod
	}
}

// commit holds a commit against those before it: S6.
func (c *checker) commit(e *history.Event) {
	c.report.Commits++
	if pod, known := c.leads.pods[e.Number]; known && pod != e.Pod {
		c.violateAt("S6", "leader", fmt.Sprintf("pod %d commits in term %d, which is pod %d's", e.Pod, e.Number, pod),
			c.step(e))
	}
	if e.Number < c.leads.commits {
		c.violateAt("S6", "leader", fmt.Sprintf("a commit of term %d follows one of term %d", e.Number, c.leads.commits),
			c.step(e))
	}
	c.leads.commits = max(c.leads.commits, e.Number)
}

// receipt notes a fault, or whether it took effect.
func (c *checker) receipt(e *history.Event) {
	f := c.faults[e.Number]
	if f == nil {
		f = &fault{name: e.Name, line: e.Line}
		c.faults[e.Number] = f
	}
	if e.Receipt != history.Began {
		f.receipt = e.Receipt
	}
}

// answeredBy holds an answer against the state of its pod: S5. Only a pod that was out of service
// all the time between call and return cannot have answered.
func (c *checker) answeredBy(o *history.Op) {
	pod, known := c.pods[o.Pod]
	if !known || o.Pod == history.NoPod || o.Result == history.Unknown || o.Result == history.Failed ||
		pod.since > o.Call {
		return
	}
	out := slices.Contains([]string{history.Down, history.Frozen, history.Crashed}, pod.state)
	if out || pod.state == history.Sealed && o.Result != history.Refused && o.Result != history.Mismatch {
		c.violateAt("S5", fmt.Sprintf("pod %d", o.Pod), "it answers while it is "+pod.state,
			Step{Line: pod.line, Call: pod.since, Return: pod.since, Text: fmt.Sprintf("pod %d is %s", o.Pod, pod.state)},
			stepOf(o))
	}
}
