package faults

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"gitlab.com/steamer/steamer/harness/history"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

func (n *nemesis) killInDelete(ctx context.Context, victim *node, s Step) (string, error) {
	return n.inDelete(ctx, victim, s, victim.Kill)
}

func (n *nemesis) termInDelete(ctx context.Context, victim *node, s Step) (string, error) {
	return n.inDelete(ctx, victim, s, victim.Stop)
}

// inDelete makes a namespace with a KV v2 and a secret, deletes it and ends its node.
func (n *nemesis) inDelete(ctx context.Context, victim *node, s Step, end func()) (string, error) {
	key := n.fresh(victim)
	if err := n.spaces.furnish(ctx, key); err != nil {
		return "", err
	}
	n.undone = n.spaces.op(history.Revoke, key)
	n.spaces.do(ctx, n.undone)
	if err := wait.Pause(ctx, time.Duration(s.Length)); err != nil {
		return "", err
	}
	return n.end(ctx, victim, Step{Fault: s.Fault}, end)
}

// killInCreate ends the node while the request for a new namespace waits for its answer.
func (n *nemesis) killInCreate(ctx context.Context, victim *node, s Step) (string, error) {
	n.undone = n.spaces.op(history.Grant, namespaceOf(n.fresh(victim)))
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		n.spaces.do(ctx, n.undone)
	}()
	err := wait.Pause(ctx, time.Duration(s.Length))
	var proof string
	if err == nil {
		proof, err = n.end(ctx, victim, Step{Fault: s.Fault}, victim.Kill)
	}
	<-answered
	return proof, err
}

// hangUpInCreate has the client give up, which ends the request in the node, too.
func (n *nemesis) hangUpInCreate(ctx context.Context, victim *node, s Step) (string, error) {
	n.undone = n.spaces.op(history.Grant, namespaceOf(n.fresh(victim)))
	n.spaces.limit = max(time.Millisecond, time.Duration(s.Length))
	n.spaces.do(ctx, n.undone)
	n.spaces.limit = lateLimit
	if err := wait.Pause(ctx, time.Second); err != nil {
		return "", err
	}
	return n.end(ctx, victim, Step{Fault: s.Fault}, victim.Stop)
}

// deletedEach is how many namespaces each late client deletes.
const deletedEach = 4

// deleteMany makes namespaces, and has all late clients delete them, and nothing else.
func (n *nemesis) deleteMany(ctx context.Context, victim *node, _ Step) (string, error) {
	var keys []string
	for range deletedEach * lateClients {
		key := n.fresh(victim)
		if err := n.spaces.furnish(ctx, key); err != nil {
			return "", err
		}
		keys = append(keys, key)
	}
	var deleting sync.WaitGroup
	var deleted atomic.Int32
	for i, c := range n.late {
		deleting.Go(func() {
			for _, key := range keys[deletedEach*i : deletedEach*(i+1)] {
				c.at = victim.pod
				o := c.op(history.Revoke, key)
				if c.do(ctx, o); o.Result == history.OK {
					deleted.Add(1)
				}
			}
		})
	}
	deleting.Wait()
	return confirmed(int(deleted.Load())), wait.Pause(ctx, lockTime)
}

// fresh is a namespace that was never there, with its mount.
func (n *nemesis) fresh(by *node) string {
	n.made++
	n.spaces.at = by.pod
	return spaceKey("t0", fmt.Sprintf("f%d", n.made))
}

// again does again what a fault interrupted, until it is acknowledged, and shows what came out: a
// namespace can be used, or not any more. A new one is deleted after that.
func (n *nemesis) again(ctx context.Context) error {
	o := n.undone
	n.undone = nil
	if o == nil {
		return nil
	}
	repeat := func(kind history.OpKind, key string, done func(*history.Op) bool) error {
		_, err := wait.Until(ctx, wait.For{What: "it is done again: " + kind.String() + " " + key, Deadline: recoverTime},
			func(ctx context.Context) error {
				next := n.spaces.op(kind, key)
				if n.spaces.do(ctx, next); !done(next) {
					return fmt.Errorf("it is %s", next.Result)
				}
				return nil
			})
		return err
	}
	acknowledged := func(o *history.Op) bool { return o.Result == history.OK }
	decided := func(o *history.Op) bool { return o.Result == history.OK || o.Result == history.Refused }
	err := repeat(o.Kind, o.Key, acknowledged)
	if err == nil {
		err = repeat(history.Use, o.Key, decided)
	}
	if err == nil && o.Kind == history.Grant {
		err = repeat(history.Revoke, o.Key, acknowledged)
	}
	return err
}

// spaceKey is a namespace below a tenant, and the KV v2 in it.
func spaceKey(tenant, name string) string {
	return fmt.Sprintf("%s/namespace:%s,%s/mount:%s", tenant, name, tenant, name)
}

// namespaceOf is the namespace of a spaceKey, and mountOf its KV v2.
func namespaceOf(key string) string {
	first, _, _ := strings.Cut(key, ",")
	return first
}

func mountOf(key string) string {
	_, second, _ := strings.Cut(key, ",")
	return second
}

// furnish makes a namespace with a KV v2 and a secret.
func (c *client) furnish(ctx context.Context, key string) error {
	for _, part := range []string{namespaceOf(key), mountOf(key)} {
		o := c.op(history.Grant, part)
		if c.do(ctx, o); o.Result != history.OK {
			return fmt.Errorf("%s was not made: %s", part, o.Result)
		}
	}
	tenant, _, name := subjectParts(key)
	address, _ := c.ways[c.at].reach()
	client := openbao.New(address, c.http)
	if err := c.upgraded(ctx, client, tenant+"/"+name); err != nil {
		return err
	}
	_, err := c.call(ctx, client, tenant+"/"+name+"/"+mount+"/data/k0",
		map[string]any{"data": map[string]string{"token": "none"}})
	return err
}

// What a new namespace has: mounts cubbyhole, identity and sys, and logins by token.
const (
	ownMounts = 3
	ownLogins = 1
)

// storedParts are the paths below a namespace's own.
var storedParts = map[string][]string{
	"mounts": {"core/mounts/", "core/local-mounts/"}, "logins": {"core/auth/", "core/local-auth/"},
	"policies": {"sys/policy/"},
}

// halfNamespaces says what is stored of namespaces that are not whole. Storage is encrypted but
// for its paths.
func halfNamespaces(ctx context.Context, url string) ([]string, error) {
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	rows, err := db.Query(ctx, "SELECT path, key FROM openbao_kv_store WHERE path LIKE '%namespaces/%'")
	if err != nil {
		return nil, err
	}
	entries, parts := map[string]bool{}, map[string]map[string]int{}
	var path, key string
	_, err = pgx.ForEachRow(rows, []any{&path, &key}, func() error {
		if strings.HasSuffix(path, "core/namespaces/") {
			entries[key] = true
			return nil
		}
		_, rest, _ := strings.Cut(path, "namespaces/")
		id, rest, _ := strings.Cut(rest, "/")
		if parts[id] == nil {
			parts[id] = map[string]int{}
		}
		for part, prefixes := range storedParts {
			if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(rest, prefix) }) {
				parts[id][part]++
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, id := range slices.Sorted(maps.Keys(entries)) {
		has := parts[id]
		if has["mounts"] < ownMounts || has["logins"] < ownLogins {
			lines = append(lines, fmt.Sprintf("storage has the entry of namespace %s, with %d mounts (a whole one has %d or "+
				"more), %d logins (%d or more), %d policies", id, has["mounts"], ownMounts, has["logins"], ownLogins,
				has["policies"]))
		}
	}
	return lines, nil
}
