package faults

import (
	"fmt"
	"strings"

	"gitlab.com/steamer/steamer/harness/history"
)

// life is what a client does with one subject of access after the other: each is granted, used,
// revoked and used again, and never comes back.
type life struct {
	steps []lifeStep
	key   string
	made  int
	step  int
	last  *history.Op
	tries int
}

// lifeStep is an operation on the subjects of a life, or on some of them.
type lifeStep struct {
	kind history.OpKind
	of   func(key string) string
}

// lifeTries is how often a client tries a step before it goes on with another subject.
const lifeTries = 30

// next is the operation that comes now; what was not decided is done again. A new subject is born.
func (l *life) next(c *client, born func(n int) string) *history.Op {
	switch {
	case l.last == nil:
	case l.last.Result == history.OK || l.last.Result == history.Refused:
		l.step, l.tries = l.step+1, 0
	default:
		l.tries++
	}
	if l.last == nil || l.step == len(l.steps) || l.tries > lifeTries {
		l.made++
		l.step, l.tries = 0, 0
		l.key = born(l.made)
	}
	next := l.steps[l.step]
	l.last = c.op(next.kind, next.of(l.key))
	return l.last
}

// spaceSteps is the life of a namespace with a KV v2.
var spaceSteps = []lifeStep{
	{history.Grant, namespaceOf},
	{history.Use, namespaceOf},
	{history.Grant, mountOf},
	{history.Use, strings.Clone},
	{history.Use, strings.Clone},
	{history.Revoke, strings.Clone},
	{history.Use, strings.Clone},
	{history.Use, namespaceOf},
}

// tokenSteps is the life of a token.
var tokenSteps = []lifeStep{
	{history.Grant, strings.Clone},
	{history.Use, strings.Clone},
	{history.Use, strings.Clone},
	{history.Revoke, strings.Clone},
	{history.Use, strings.Clone},
	{history.Use, strings.Clone},
}

// own is the name of a client's own subject.
func (c *client) own(n int) string { return fmt.Sprintf("c%dn%d", c.id, n) }

func (c *client) someTenant() string { return fmt.Sprintf("t%d", c.rng.IntN(c.tenants)) }

func (c *client) namespace() *history.Op {
	return c.space.next(c, func(n int) string { return spaceKey(c.someTenant(), c.own(n)) })
}

func (c *client) tokens() *history.Op {
	return c.login.next(c, func(n int) string { return c.someTenant() + "/token:" + c.own(n) })
}
