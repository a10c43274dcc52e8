package record

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/secret"
	"gitlab.com/steamer/steamer/harness/target/local/localbao"
	"gitlab.com/steamer/steamer/harness/wait"
)

// takeoverTime bounds a takeover: a lock holds for 15 s, and a crowded machine is slow.
const takeoverTime = time.Minute

// failWrites has PostgreSQL refuse what OpenBao stores, but for its lock, and allowWrites ends
// that.
const (
	failWrites = `CREATE FUNCTION steamer_refuse() RETURNS trigger LANGUAGE plpgsql
AS 'BEGIN RAISE EXCEPTION ''refused by Steamer''; END';
CREATE TRIGGER steamer_refuse BEFORE INSERT OR UPDATE OR DELETE ON openbao_kv_store
FOR EACH STATEMENT EXECUTE FUNCTION steamer_refuse()`
	allowWrites = `DROP FUNCTION steamer_refuse CASCADE`
)

// Of the row of the lock by which OpenBao elects a leader.
const (
	removeLock = `DELETE FROM openbao_ha_locks`
	takeLock   = `UPDATE openbao_ha_locks SET ha_identity = 'taken', ha_value = 'taken',
valid_until = NOW() + INTERVAL '1 minute'`
	readLock = `SELECT ha_identity FROM openbao_ha_locks WHERE NOW() <= valid_until`
)

// bench is a system of processes.
type bench struct {
	server  *localbao.Server
	db      *pgx.Conn
	rails   *gitlab.Issuer
	admin   string
	version string
}

func startBench(ctx context.Context, o localbao.Options) (*bench, error) {
	server, err := localbao.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	b := &bench{server: server}
	if err := b.prepare(ctx); err != nil {
		b.stop()
		return nil, err
	}
	return b, nil
}

func (b *bench) prepare(ctx context.Context) (err error) {
	if _, err = b.server.Join(ctx); err != nil {
		return err
	}
	if b.db, err = pgx.Connect(ctx, b.server.DatabaseURL()); err != nil {
		return err
	}
	h, err := b.server.Nodes()[0].Health(ctx)
	if err != nil {
		return err
	}
	b.version = h.Version
	if b.rails, err = b.server.Trust(); err != nil {
		return err
	}
	auth, err := b.login()
	if err != nil {
		return err
	}
	client := openbao.New(b.server.Address, b.server.HTTPClient())
	defer client.Close()
	r, err := client.Do(ctx, openbao.Request{
		Method: http.MethodPost, Path: auth.Path, Body: map[string]string{"role": auth.Role, "jwt": auth.JWT},
	})
	if err != nil {
		return err
	}
	var answer struct {
		Token string `json:"client_token"`
	}
	if json.Unmarshal(r.Auth, &answer) != nil || answer.Token == "" {
		return fmt.Errorf("logging in: status %d: %s", r.Status, r.Message())
	}
	b.admin = answer.Token
	secret.Learn(b.admin)
	return nil
}

func (b *bench) stop() {
	for _, n := range b.server.Nodes() {
		_ = syscall.Kill(n.PID(), syscall.SIGCONT) // a stopped process cannot end in order
	}
	if b.db != nil {
		_ = b.db.Close(context.Background())
	}
	b.server.Stop()
}

func (b *bench) token() string { return b.admin }

func (b *bench) login() (*openbao.InlineAuth, error) { return b.rails.RailsAuth(b.server.Audience) }

func (b *bench) audit() ([]byte, error) { return os.ReadFile(b.server.AuditLog()) }

func (b *bench) gone(at string) bool { return b.process(at).Gone() }

func (b *bench) process(at string) *localbao.Node {
	if at == second {
		return b.server.Nodes()[1]
	}
	return b.server.Nodes()[0]
}

func (b *bench) node(ctx context.Context, at string) (string, error) {
	if at != leader {
		return b.process(at).Address, nil
	}
	return b.leads(ctx, b.server.Nodes()...)
}

// leads waits until one of some nodes leads, and returns its address.
func (b *bench) leads(ctx context.Context, nodes ...*localbao.Node) (address string, err error) {
	_, err = wait.Until(ctx, wait.For{
		What: "a node leads", Interval: 50 * time.Millisecond, Deadline: takeoverTime, Each: time.Second,
	}, func(ctx context.Context) error {
		for _, n := range nodes {
			if h, err := n.Health(ctx); err == nil && h.Active() {
				address = n.Address
				return nil
			}
		}
		return errors.New("none does")
	})
	return address, err
}

func (b *bench) lock(ctx context.Context) (holder string, err error) {
	err = b.db.QueryRow(ctx, readLock).Scan(&holder)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return holder, err
}

func (b *bench) act(ctx context.Context, action, at string, limit time.Duration) error {
	n := b.process(at)
	switch action {
	case "step-down":
		return b.stepDown(ctx)
	case "freeze":
		return syscall.Kill(n.PID(), syscall.SIGSTOP)
	case "wake":
		return syscall.Kill(n.PID(), syscall.SIGCONT)
	case "kill":
		n.Kill()
		return nil
	case "start":
		return n.Start(ctx)
	case "await-leader":
		_, err := b.leads(ctx, n)
		return err
	case "remove-lock":
		return b.change(ctx, removeLock)
	case "take-lock":
		return b.change(ctx, takeLock)
	case "fail-writes":
		_, err := b.db.Exec(ctx, failWrites)
		return err
	case "allow-writes":
		_, err := b.db.Exec(ctx, allowWrites)
		return err
	default: // pause
		return wait.Pause(ctx, limit)
	}
}

// change changes the row of the lock.
func (b *bench) change(ctx context.Context, statement string) error {
	tag, err := b.db.Exec(ctx, statement)
	if err == nil && tag.RowsAffected() != 1 {
		err = fmt.Errorf("the lock has %d rows", tag.RowsAffected())
	}
	return err
}

// stepDown asks the node that leads to give that up, and waits until another term has begun.
func (b *bench) stepDown(ctx context.Context) error {
	before, err := b.lock(ctx)
	if err != nil {
		return err
	}
	address, err := b.node(ctx, leader)
	if err != nil {
		return err
	}
	client := openbao.New(address, b.server.HTTPClient())
	defer client.Close()
	r, err := client.Do(ctx, openbao.Request{
		Method: http.MethodPut, Path: "sys/step-down", Header: http.Header{openbao.HeaderToken: {b.admin}},
	})
	if err == nil && !r.OK() {
		err = fmt.Errorf("sys/step-down: status %d: %s", r.Status, r.Message())
	}
	if err != nil {
		return err
	}
	_, err = wait.Until(ctx, wait.For{
		What: "another term begins", Interval: 50 * time.Millisecond, Deadline: takeoverTime,
	}, func(ctx context.Context) error {
		now, err := b.lock(ctx)
		if err == nil && (now == "" || now == before) {
			err = errors.New("the lock has no other holder")
		}
		return err
	})
	if err == nil {
		_, err = b.node(ctx, leader)
	}
	return err
}
