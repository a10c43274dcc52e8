package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"maps"
	"net/http"
	"time"

	"github.com/tidwall/gjson"

	"gitlab.com/steamer/steamer/perf/fixture"
)

// Operate makes one operation of Rails on a project: the wanted one, or the nearest possible one.
// The calls and their order are those of GitLab EE:
// app/services/concerns/secrets_management/secrets/{create,update,delete}_ service_helpers.rb and
// ci_policies/base_secret_refresher.rb. Calls by the owner and by Rails itself alternate.
//
// As in Rails, a second write to a project does not begin while one is in progress: the next free
// project after the chosen one takes its place. If none is free, the result is of class busy.
func (c *Client) Operate(ctx context.Context, want Operation, choice Choice, part Part) Result {
	res := Result{Start: time.Now(), Kind: string(want), Steps: make([]StepTime, 0, 16)}
	tenant, ok := c.Plan.lease(choice.tenant, part)
	if !ok {
		res.fail("", 0, classBusy)
		return res
	}
	t := &c.Plan.tenants[tenant]
	defer t.written.mu.Unlock()
	o := operation{Client: c, ctx: ctx, res: &res, t: t, w: t.written}
	kind := t.written.possible(want)
	res.Kind = string(kind)
	slot := o.choose(kind)
	var digest *fixture.Digest
	switch kind {
	case opCreate:
		digest = o.create(slot)
	case opUpdate:
		digest = o.update(slot)
	case opDelete:
		o.remove(slot)
	case opList:
		o.list()
	}
	res.Duration = time.Since(res.Start)
	if res.Outcome == Failed || res.Outcome == Interrupted {
		t.written.known = false // how far it came is unknown: the next operation lists
	}
	if c.Verify && digest != nil && res.Outcome == OK {
		o.verify(slot, digest)
	}
	if !c.Reuse {
		c.Close()
	}
	return res
}

// lease locks the first project of part that no VU works on. It begins with the one at the given
// number, modulo the size of part.
func (p *Plan) lease(from int, part Part) (int, bool) {
	n := part.to - part.from
	for i := range n {
		tenant := part.from + (from+i)%n
		if p.tenants[tenant].written.mu.TryLock() {
			return tenant, true
		}
	}
	return 0, false
}

// operation is one operation in progress.
type operation struct {
	*Client
	ctx context.Context //nolint:containedctx // lives as long as the call of Operate
	res *Result
	t   *tenant
	w   *written
}

func (o *operation) choose(kind Operation) int {
	switch n := o.w.count(); kind {
	case opCreate:
		return o.w.nth(false, pick(o.Rand, perTenant-n))
	case opUpdate, opDelete:
		return o.w.nth(true, pick(o.Rand, n))
	}
	return 0
}

// request makes one call by the owner, or by Rails itself.
func (o *operation) request(step Step, owner bool, method, path, body string, want ...int) (answer, bool) {
	headers := o.Plan.rails
	if owner {
		headers = o.w.owner
	}
	q := &request{method: method, path: path, header: headers[pick(o.Rand, len(headers))], body: body, rails: true}
	if body != "" {
		q.header = maps.Clone(q.header)
		q.header["Content-Type"] = []string{"application/json"}
	}
	resp, ok := o.timed(o.ctx, o.res, step, q, false, want...)
	if !o.Reuse {
		o.Close()
	}
	return resp, ok
}

func (o *operation) create(slot int) *fixture.Digest {
	name := slotName(slot)
	value, digest := o.value()
	_, ok := o.request(stepCount, true, http.MethodGet, o.w.names, "", http.StatusOK, http.StatusNotFound)
	if !ok {
		return nil
	}
	if _, ok = o.request(stepReadMetadata, true, http.MethodGet, o.w.metadata+name, "", http.StatusNotFound); !ok {
		return nil
	}
	if !o.writeValue(name, value, `{"cas":0}`) || !o.writeMetadata(name, `"description":"written under load"`, 0) ||
		!o.grant(name) ||
		!o.writeMetadata(name, `"description":"written under load","create_completed_at":"`+now()+`"`, 1) {
		return nil
	}
	o.w.exists[slot] = true
	return digest
}

func (o *operation) update(slot int) *fixture.Digest {
	name := slotName(slot)
	value, digest := o.value()
	resp, ok := o.request(stepReadMetadata, true, http.MethodGet, o.w.metadata+name, "", http.StatusOK)
	if !ok {
		return nil
	}
	version, started := gjson.GetBytes(resp.body, "data.current_metadata_version").Int(), now()
	fields := `"description":"written under load","create_completed_at":"` + started + `","update_started_at":"` +
		started + `"`
	// Metadata first, since its version is what two writers would disagree about.
	if !o.writeMetadata(name, fields, version) || !o.writeValue(name, value, "null") || !o.grant(name) ||
		!o.writeMetadata(name, fields+`,"update_completed_at":"`+now()+`"`, version+1) {
		return nil
	}
	return digest
}

func (o *operation) remove(slot int) {
	name := slotName(slot)
	if _, ok := o.request(stepReadMetadata, true, http.MethodGet, o.w.metadata+name, "", http.StatusOK); !ok {
		return
	}
	if _, ok := o.request(stepDelete, true, http.MethodDelete, o.w.metadata+name, "", http.StatusNoContent); !ok {
		return
	}
	o.w.exists[slot] = false
	resp, ok := o.request(stepList, false, http.MethodGet, o.w.list, "", http.StatusOK, http.StatusNotFound)
	if !ok {
		return
	}
	if globals(resp.body) == 0 {
		o.request(stepDeletePolicy, false, http.MethodDelete, o.w.policy, "", http.StatusNoContent, http.StatusNotFound)
		return
	}
	o.withdraw(name)
}

// list asks for all secrets and compares them with what is known. A written secret that is missing
// is a wrong answer, and so is a deleted one that is there.
func (o *operation) list() {
	resp, ok := o.request(stepList, true, http.MethodGet, o.w.list, "", http.StatusOK, http.StatusNotFound)
	if !ok {
		return
	}
	var seen [perTenant]bool
	info := gjson.GetBytes(resp.body, "data.key_info")
	for i := range seen {
		seen[i] = info.Get(slotName(i)).Exists()
	}
	if o.w.known && seen != o.w.exists {
		o.res.Outcome, o.res.Class, o.res.FailedStep = Wrong, classValue, stepList
	}
	o.w.known, o.w.exists = true, seen
}

// globals counts the secrets of a list that are bound to nothing, which is what the policy
// pipelines/global holds.
func globals(body []byte) (n int) {
	gjson.GetBytes(body, "data.key_info").ForEach(func(_, secret gjson.Result) bool {
		custom := secret.Get("custom_metadata")
		if custom.Get("environment").Str == "*" && custom.Get("branch").Str == "*" {
			n++
		}
		return true
	})
	return n
}

// verify lets a job fetch what was written. The operation's duration does not include it.
func (o *operation) verify(slot int, digest *fixture.Digest) {
	before := *o.res
	q := &request{
		method: http.MethodGet, path: o.w.data + slotName(slot), header: o.t.jobs[pick(o.Rand, len(o.t.jobs))].header,
		repeatable: true,
	}
	resp, ok := o.timed(o.ctx, o.res, stepVerify, q, o.Retry, http.StatusOK)
	if ok {
		o.judge(digest, resp, o.res)
	}
	switch o.res.Outcome {
	case OK, Interrupted: // the operation itself was complete
		o.res.Outcome, o.res.Status = before.Outcome, before.Status
	default:
		o.res.FailedStep = stepVerify
	}
}

// value makes a new value in the form of all of Steamer's values, so that a search for leaks finds
// it.
func (o *operation) value() (string, *fixture.Digest) {
	var random [32]byte
	for i := range random {
		random[i] = byte(o.Rand.Uint32()) // #nosec G115 -- the low byte is what is wanted
	}
	value := "steamer-v1-" + lowerBase32.EncodeToString(random[:])
	digest := fixture.Digest(sha256.Sum256([]byte(value)))
	return value, &digest
}

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(
	base32.NoPadding) //nolint:gochecknoglobals // constant

func now() string { return time.Now().UTC().Format(time.RFC3339) }
