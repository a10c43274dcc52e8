package faults

import (
	"slices"
	"time"

	"gitlab.com/steamer/steamer/harness/target/local/localbao"
)

// Kind is a fault that can be drawn, as it is listed.
type Kind struct {
	Name string   `json:"name"`
	What string   `json:"what"`
	On   []string `json:"on"` // "processes", "cluster", or both
}

// List is what Kinds names, with what each does.
func List() []Kind {
	list := make([]Kind, len(kinds))
	for i, k := range kinds {
		list[i] = Kind{Name: k.name, What: k.what}
		if k.do != nil {
			list[i].On = append(list[i].On, "processes")
		}
		if onPods[k.name] != nil {
			list[i].On = append(list[i].On, "cluster")
		}
	}
	return list
}

// Place is what faults are done on. The zero value is processes of this machine.
type Place struct {
	// Topology is that of a chart on a cluster; "" is processes.
	Topology string
	// NoEngine says that nothing reaches the cluster's machines, and NoChange that the chart's
	// dialect knows no change of the configuration.
	NoEngine, NoChange bool
}

// lacks is what keeps a kind from being done there, "" for nothing.
func (p Place) lacks(k kind) string {
	switch {
	case p.Topology == "" && k.do == nil:
		return "it needs a cluster"
	case p.Topology != "" && onPods[k.name] == nil:
		return "it needs processes: add --local"
	case p.Topology != "" && p.NoEngine && k.engine:
		return "it needs a cluster of Steamer's own"
	case p.Topology != "" && p.NoChange && k.changes:
		return "the chart's dialect has no change cache-size"
	}
	return ""
}

// kind is a fault and how it is done.
type kind struct {
	name, what string
	shortest   time.Duration
	longest    time.Duration
	// do ends the fault, too, and returns its receipt; nil where it is for pods alone. That of
	// pods is in onPods.
	do      do
	engine  bool // of pods: needs the machines of the cluster
	changes bool // of pods: needs a dialect that can change the configuration
	standby bool // it is for the standby; else for the active node
	moves   bool // the lock has to get another holder
	named   bool // it is drawn only where its name was given
	// weaker is a fault that does part of what this one does: a shrinker tries it instead; "" is
	// none.
	weaker string
}

// on is how the fault is done.
func (k kind) on(cluster bool) do {
	if cluster {
		return onPods[k.name]
	}
	return k.do
}

// kinds are the faults. A leader loses its lock after 15 s without renewing it.
var kinds = []kind{
	{
		name: "term-active", what: "end the active node in order (SIGTERM), and start it again",
		longest: 2 * time.Second, do: (*nemesis).term, moves: true, weaker: "step-down",
	},
	{
		name: "kill-active", what: "kill the active node (SIGKILL), and start it again",
		longest: 2 * time.Second, do: (*nemesis).kill, moves: true, weaker: "term-active",
	},
	{
		name: "freeze-active", what: "stop the active node (SIGSTOP) until the other leads, and let it go on",
		longest: 5 * time.Second, do: (*nemesis).freeze, moves: true, weaker: "pause-active",
	},
	{
		name:     "freeze-late",
		what:     "the same, with access that the other node revokes meanwhile, and requests that wait in the first",
		shortest: 300 * time.Millisecond, longest: time.Second, do: (*nemesis).freeze, moves: true, weaker: "freeze-active",
	},
	{
		name: "pause-active", what: "stop the active node for less than its lock holds",
		shortest: time.Second, longest: 6 * time.Second, do: (*nemesis).freeze,
	},
	{
		name: "term-standby", what: "end the standby in order, and start it again",
		longest: 2 * time.Second, do: (*nemesis).term, standby: true,
	},
	{
		name: "kill-standby", what: "kill the standby, and start it again",
		longest: 2 * time.Second, do: (*nemesis).kill, standby: true, weaker: "term-standby",
	},
	{
		name: "pause-standby", what: "stop the standby, and let it go on",
		shortest: time.Second, longest: 6 * time.Second, do: (*nemesis).freeze, standby: true,
	},
	{
		name: "step-down", what: "ask the active node to give up leadership", do: (*nemesis).stepDown,
		moves: true,
	},
	{
		name: "seal-active", what: "seal the active node, and start it again once the other leads",
		longest: 2 * time.Second, do: (*nemesis).seal, moves: true, weaker: "step-down",
	},
	{
		name: "commit-before", what: "cut the active node's connections to PostgreSQL right before commits reach it",
		do: (*nemesis).commitBefore, weaker: "db-cut",
	},
	{
		name: "commit-after",
		what: "cut the active node's connections right after PostgreSQL committed, before the node knows",
		do:   (*nemesis).commitAfter, weaker: "db-cut",
	},
	{name: "db-cut", what: "cut all connections of the active node to PostgreSQL", do: cutWay(toDatabase)},
	{
		name: "db-refuse", what: "the same, and refuse new ones for a while",
		shortest: time.Second, longest: 20 * time.Second, do: refuseWay(toDatabase), weaker: "db-cut",
	},
	{
		name: "db-delay", what: "hold each message between the active node and PostgreSQL for 200 ms, both ways",
		shortest: time.Second, longest: 8 * time.Second, do: delayWay(toDatabase),
	},
	{
		name:     "db-half-open",
		what:     "have vanish what the active node and PostgreSQL send each other, with connections open, then reset them",
		shortest: time.Second, longest: 20 * time.Second, do: loseWay(toDatabase), weaker: "db-refuse",
	},
	{
		name:     "db-late",
		what:     "the same until the other node leads, with access that it revokes, and requests that wait in the first",
		shortest: 300 * time.Millisecond, longest: time.Second, do: (*nemesis).dbLate, moves: true, weaker: "db-half-open",
	},
	{
		name: "pg-terminate", what: "pg_terminate_backend of the active node's connections", do: (*nemesis).pgTerminate,
	},
	{
		name: "pg-restart", what: "restart PostgreSQL in order (fast shutdown)",
		longest: 2 * time.Second, do: (*nemesis).pgRestart, weaker: "pg-terminate",
	},
	{
		name: "pg-crash", what: "restart PostgreSQL without a checkpoint (immediate shutdown), so that it recovers",
		longest: 2 * time.Second, do: (*nemesis).pgCrash, weaker: "pg-restart",
	},
	{
		name: "pg-read-only", what: "default_transaction_read_only for a while",
		shortest: time.Second, longest: 8 * time.Second, do: (*nemesis).pgReadOnly,
	},
	{
		name: "pg-full", what: "take all connections of PostgreSQL, and end those of the active node",
		shortest: time.Second, longest: 8 * time.Second, do: (*nemesis).pgFull, weaker: "pg-terminate",
	},
	{
		name: "pg-promote", what: "end PostgreSQL at once, and have a synchronous replica take its place",
		longest: 2 * time.Second, do: (*nemesis).pgPromote, weaker: "pg-crash",
	},
	{
		name:     "pg-promote-behind",
		what:     "the same, with an asynchronous replica that lacks what was committed last",
		shortest: 200 * time.Millisecond, longest: 2 * time.Second, do: (*nemesis).pgPromoteBehind, weaker: "pg-promote",
	},
	{
		name: "client-refuse", what: "cut all connections of clients to the active node, and refuse new ones for a while",
		shortest: time.Second, longest: 5 * time.Second, do: refuseWay(fromClients),
	},
	{
		name: "client-delay", what: "hold each message between clients and the active node for 200 ms, both ways",
		shortest: time.Second, longest: 5 * time.Second, do: delayWay(fromClients),
	},
	{
		name:     "client-half-open",
		what:     "have vanish what clients and the active node send each other, with connections open, then reset them",
		shortest: time.Second, longest: 5 * time.Second, do: loseWay(fromClients), weaker: "client-refuse",
	},
	{
		name: "peer-refuse", what: "cut all connections of the standby to the active node, and refuse new ones for a while",
		shortest: 2 * time.Second, longest: 8 * time.Second, do: betweenNodes(refuseWay(fromPeers)),
	},
	{
		name: "peer-delay", what: "hold each message between the nodes for 200 ms, both ways",
		shortest: time.Second, longest: 5 * time.Second, do: betweenNodes(delayWay(fromPeers)),
	},
	{
		name:     "peer-half-open",
		what:     "have vanish what the nodes send each other, with connections open, then reset them",
		shortest: time.Second, longest: 8 * time.Second, do: betweenNodes(loseWay(fromPeers)), weaker: "peer-refuse",
	},
	{
		name: "issuer-abort", what: "rotate the key of logins while its issuer ends each connection",
		longest: 8 * time.Second, do: issuer(localbao.Aborts), weaker: "issuer-error",
	},
	{
		name: "issuer-hang", what: "rotate the key of logins while its issuer answers nothing",
		longest: 8 * time.Second, do: issuer(localbao.Hangs), weaker: "issuer-abort",
	},
	{
		name: "issuer-error", what: "rotate the key of logins while its issuer answers 500",
		longest: 8 * time.Second, do: issuer(localbao.Errors),
	},
	{
		name: "audit-gone", what: "have the active node not find its audit log, nor make another one",
		shortest: 500 * time.Millisecond, longest: 3 * time.Second, do: (*nemesis).auditGone,
	},
	{
		name: "audit-slow", what: "have the active node write its audit log to a pipe that takes 80 KB/s",
		shortest: time.Second, longest: 5 * time.Second, do: (*nemesis).auditSlow,
	},
	{
		name: "audit-stuck", what: "have the active node write its audit log to a pipe that takes nothing",
		shortest: 2 * time.Second, longest: 5 * time.Second, do: (*nemesis).auditStuck, weaker: "audit-slow",
	},
	{
		name: "pod-delete-active", what: "delete the active pod; the length is its grace period",
		shortest: time.Second, longest: 30 * time.Second, moves: true,
	},
	{
		name: "pod-delete-standby", what: "delete the standby's pod; the length is its grace period",
		shortest: time.Second, longest: 30 * time.Second, standby: true,
	},
	{
		name: "drain", what: "evict all pods as a drain of their nodes does, each when the disruption budget allows it",
		moves: true,
	},
	{
		name: "config-change", what: "upgrade the release with another configuration, which replaces all pods",
		changes: true, moves: true,
	},
	{
		name: "net-db-drop", what: "drop what the active pod and PostgreSQL send each other, for a while",
		shortest: time.Second, longest: 20 * time.Second, engine: true,
	},
	{
		name: "net-db-reset", what: "reset what the active pod and PostgreSQL send each other, for a while",
		shortest: time.Second, longest: 20 * time.Second, engine: true,
	},
	{
		name: "net-pods-drop", what: "drop what the active pod and the others send each other, for a while",
		shortest: time.Second, longest: 20 * time.Second, engine: true,
	},
	// the length is the time from the request, or from the acknowledgement of a deletion, which
	// goes on in the background
	{
		name: "kill-in-namespace-delete", what: "kill the active node while it deletes a namespace",
		longest: 150 * time.Millisecond, do: (*nemesis).killInDelete, moves: true, weaker: "term-in-namespace-delete",
	},
	{
		name: "kill-in-namespace-create", what: "kill the active node while it creates a namespace",
		longest: 100 * time.Millisecond, do: (*nemesis).killInCreate, moves: true, weaker: "hang-up-in-namespace-create",
	},
	{
		name: "term-in-namespace-delete", what: "end the active node in order while it deletes a namespace",
		longest: 150 * time.Millisecond, do: (*nemesis).termInDelete, moves: true,
	},
	{
		name:    "hang-up-in-namespace-create",
		what:    "have a client give up while it creates a namespace, and end the active node in order a second later",
		longest: 100 * time.Millisecond, do: (*nemesis).hangUpInCreate, moves: true,
	},
	{
		name: "delete-namespaces",
		what: "delete 64 namespaces by 16 clients, which needs no fault; only by name, since OpenBao 2.4.0 hangs",
		do:   (*nemesis).deleteMany, named: true,
	},
	{
		name: "term-all", what: "end all nodes in order at once, and start them again",
		longest: 2 * time.Second, do: onAll((*nemesis).term), moves: true, weaker: "term-active",
	},
	{
		name: "kill-all", what: "kill all nodes at once, and start them again",
		longest: 2 * time.Second, do: onAll((*nemesis).kill), moves: true, weaker: "kill-active",
	},
	{
		name: "pause-all", what: "stop all nodes at once for less than the lock holds",
		shortest: time.Second, longest: 6 * time.Second, do: onAll((*nemesis).freeze), weaker: "pause-active",
	},
}

// kindOf is the kind of a name that is in Kinds.
func kindOf(name string) kind {
	return kinds[slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })]
}

// Kinds are the names of the faults.
func Kinds() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}
