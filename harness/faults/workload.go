package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// answerTime bounds one request of a client. It is shorter than a lock holds, so that clients of a
// frozen node go on with the other one.
const answerTime = 4 * time.Second

// hangUps is how many requests of a hundred a client gives up within hangUpTime, so that some
// writes happen without an answer in each run.
const (
	hangUps    = 2
	hangUpTime = 5 * time.Millisecond
)

// keepVersions is how many versions OpenBao keeps of a secret by default.
const keepVersions = 10

// weight is how often clients do something, relative to the others.
type weight struct {
	n  int
	do func(*client) *history.Op
}

// weights is the mix of operations: mostly by version, so that versions order nearly everything.
var weights = []weight{
	{20, func(c *client) *history.Op { return c.write(false) }},
	{15, func(c *client) *history.Op { return c.write(true) }},
	{25, func(c *client) *history.Op { return c.on(history.Read, false) }},
	{15, func(c *client) *history.Op { return c.on(history.Read, true) }},
	{4, func(c *client) *history.Op { return c.on(history.Delete, true) }},
	{4, func(c *client) *history.Op { return c.on(history.Undelete, true) }},
	{2, func(c *client) *history.Op { return c.on(history.Destroy, true) }},
	{1, func(c *client) *history.Op { return c.on(history.Delete, false) }},
	{2, func(c *client) *history.Op { return c.policy(history.Grant) }},
	{2, func(c *client) *history.Op { return c.policy(history.Revoke) }},
	{10, func(c *client) *history.Op { return c.policy(history.Use) }},
	{3, (*client).tokens},
	{2, func(c *client) *history.Op { return c.role(history.Grant) }},
	{1, func(c *client) *history.Op { return c.role(history.Revoke) }},
	{6, func(c *client) *history.Op { return c.useRole(true) }},
	{2, func(c *client) *history.Op { return c.useRole(false) }},
}

// spaceWeights come in addition where namespaces come and go.
var spaceWeights = []weight{{6, (*client).namespace}}

// pool is what all clients share.
type pool struct {
	record  *history.Recorder
	nodes   []*node
	ways    []way  // of clients: directly to each node, in the order of nodes, and on a cluster by the Service
	ca      []byte // of the API; nil for plain HTTP
	token   string // may do everything
	tenants int
	secrets int  // of each tenant
	spaces  bool // namespaces come and go
	keys    *keyring
	fetches *fetches // nil for none

	mu       sync.Mutex
	versions map[string]int    // the highest version that was seen, to aim at
	readers  map[string]string // a token for each policy, by its subject
}

func (p *pool) saw(key string, version int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.versions[key] = max(p.versions[key], version)
}

func (p *pool) latest(key string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.versions[key]
}

// client is one that does one operation after the other. Half of them keep connections and half
// make one for each request; as many begin by each way.
type client struct {
	*pool
	id      int
	rng     *rand.Rand
	http    *http.Client
	at      int // way that it sends by
	counter int
	limit   time.Duration // of one request

	space, login life
	ownToken     string // of login
}

func newClient(p *pool, id int, seed uint64) *client {
	return &client{
		pool: p, id: id, rng: rand.New(rand.NewPCG(seed, uint64(id)+1)), http: openbao.Trusting(id%4 < 2, p.ca),
		at:    id % len(p.ways),
		limit: answerTime, space: life{steps: spaceSteps}, login: life{steps: tokenSteps},
	}
}

// run does operations, one in each turn, until turns end.
func (c *client) run(ctx context.Context, turns <-chan struct{}) {
	defer c.http.CloseIdleConnections()
	mix, total := weights, 0
	if c.spaces {
		mix = slices.Concat(weights, spaceWeights)
	}
	for _, w := range mix {
		total += w.n
	}
	for range turns {
		c.limit = answerTime
		if c.rng.IntN(100) < hangUps {
			c.limit = time.Duration(c.rng.Int64N(int64(hangUpTime)))
		}
		at := c.rng.IntN(total)
		for _, w := range mix {
			if at -= w.n; at < 0 {
				c.do(ctx, w.do(c))
				break
			}
		}
	}
}

func (c *client) key() string {
	return fmt.Sprintf("t%d/k%d", c.rng.IntN(c.tenants), c.rng.IntN(c.secrets))
}

func (c *client) op(kind history.OpKind, key string) *history.Op {
	return &history.Op{Client: c.id, Kind: kind, Key: key, CAS: history.NoCAS, Pod: history.NoPod}
}

func (c *client) write(cas bool) *history.Op {
	o := c.op(history.Write, c.key())
	c.counter++
	o.Value = history.Value{Writer: c.id, Counter: c.counter}
	if cas {
		o.CAS = c.latest(o.Key)
	}
	return o
}

// on is an operation on the latest version, or on one of those that should be kept.
func (c *client) on(kind history.OpKind, byVersion bool) *history.Op {
	o := c.op(kind, c.key())
	if byVersion {
		o.Asked, o.Version = true, max(1, c.latest(o.Key)-c.rng.IntN(keepVersions))
	}
	return o
}

// policy is an operation on a policy: whoever has a token of it may read while it is there.
func (c *client) policy(kind history.OpKind) *history.Op {
	return c.op(kind, fmt.Sprintf("t%d/policy:p%d", c.rng.IntN(c.tenants), c.rng.IntN(policies)))
}

// policies is how many policies come and go in each tenant.
const policies = 3

// do does one operation and records it.
func (c *client) do(ctx context.Context, o *history.Op) {
	request := c.request(o)
	address, pod := c.ways[c.at].reach()
	to := openbao.New(address, c.http)
	c.record.Call(o)
	limited, cancel := context.WithTimeout(ctx, c.limit)
	response, err := to.Do(limited, request)
	cancel()
	a := history.Answer{Err: err}
	if err == nil {
		a = history.Answer{Status: response.Status, JSON: !response.Foreign, Data: response.Data, Errors: response.Errors}
		o.Pod = pod
		o.Request, _ = requestID(response.RequestID) // some answers have none
	}
	c.conclude(o, a)
	if o == c.login.last && o.Kind == history.Grant && o.Result == history.OK {
		if c.ownToken, err = tokenOf(response, nil); err != nil {
			o.Result = history.Unknown
		}
	}
	c.record.Return(o)
	if o.Result == history.Unknown || err != nil {
		c.at = (c.at + 1) % len(c.ways)
	}
}

// conclude notes what an answer says.
func (c *client) conclude(o *history.Op, a history.Answer) {
	o.Result = history.Outcome(o.Kind, a)
	if o.Kind == history.Use && a.Err == nil && a.JSON && a.Status == http.StatusNotFound && len(a.Errors) == 0 {
		o.Result = history.OK // access was granted, and there is nothing to read
	}
	found := o.Result == history.OK && (o.Kind == history.Write || o.Kind == history.Read) ||
		o.Result == history.Deleted || o.Result == history.Destroyed
	if !found {
		return
	}
	version := history.VersionOf(o.Kind, a.Data)
	c.saw(o.Key, version)
	if o.Asked && version != o.Version {
		o.Result = history.Unknown // an answer about another version: the next reads show whether it is so
		return
	}
	o.Version = version
	if o.Kind == history.Read && o.Result == history.OK {
		var read struct {
			Data struct {
				Token string `json:"token"`
			} `json:"data"`
		}
		_ = json.Unmarshal(a.Data, &read) // what is no token is a foreign value
		o.Value = history.ValueOf(o.Key, read.Data.Token)
	}
}

// request is the call of KV v2, or of access.
func (c *client) request(o *history.Op) openbao.Request {
	if o.Kind.Access() {
		return c.accessRequest(o)
	}
	type m = map[string]any
	tenant, name, _ := strings.Cut(o.Key, "/")
	r := openbao.Request{Header: http.Header{openbao.HeaderToken: {c.token}}}
	path := func(part string) string { return tenant + "/" + mount + "/" + part + "/" + name }
	versions := m{"versions": []int{o.Version}}
	switch o.Kind {
	case history.Write:
		body := m{"data": m{"token": o.Value.Token(o.Key)}}
		if o.CAS != history.NoCAS {
			body["options"] = m{"cas": o.CAS}
		}
		r.Method, r.Path, r.Body = http.MethodPost, path("data"), body
	case history.Read:
		r.Method, r.Path = http.MethodGet, path("data")
		if o.Asked {
			r.Path += fmt.Sprintf("?version=%d", o.Version)
		}
	case history.Delete:
		r.Method, r.Path = http.MethodDelete, path("data")
		if o.Asked {
			r.Method, r.Path, r.Body = http.MethodPost, path("delete"), versions
		}
	case history.Undelete:
		r.Method, r.Path, r.Body = http.MethodPost, path("undelete"), versions
	case history.Destroy:
		r.Method, r.Path, r.Body = http.MethodPut, path("destroy"), versions
	}
	return r
}

// mount is the KV v2 of each tenant.
const mount = "secrets"

const readPolicy = `path "` + mount + `/data/*" { capabilities = ["read"] }`
