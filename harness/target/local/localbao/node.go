package localbao

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"gitlab.com/steamer/steamer/harness/loopback"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// Node is one OpenBao process of a Server. All nodes of a server share its database, so that one
// is active and the others stand by.
type Node struct {
	Address string // base URL of its API
	server  *Server
	config  string   // file
	env     []string // PostgreSQL's URL as the node gets it, and its address for the other nodes
	process *process
}

// newNode chooses the ports of a further node and writes its configuration. The server knows it
// from then on.
func (s *Server) newNode() (*Node, error) {
	api, err := loopback.Ports(2)
	if err != nil {
		return nil, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", api)
	n := &Node{
		server: s, Address: "http://" + address,
		config: filepath.Join(s.dir, fmt.Sprintf("config-%d.json", len(s.nodes))),
	}
	if s.options.TLS {
		n.Address = "https://" + address
	}
	audience := s.Audience
	if audience == "" {
		audience = n.Address
	}
	cluster := fmt.Sprintf("127.0.0.1:%d", api+1)
	raw, err := s.config(address, cluster, audience)
	if err == nil && s.options.TLS {
		raw, err = applyPatch(raw, tlsPatch(s.dir, n.Address))
	}
	if err == nil && s.options.Patch != nil {
		raw, err = applyPatch(raw, s.options.Patch)
	}
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if n.env, err = s.environ(cluster); err != nil {
		return nil, err
	}
	if err := os.WriteFile(n.config, raw, 0o600); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	s.nodes = append(s.nodes, n)
	return n, nil
}

// environ has what the next node reaches through proxies.
func (s *Server) environ(cluster string) ([]string, error) {
	prefix := "BAO_"
	if s.options.Kind == openbao.KindVault {
		prefix = "VAULT_"
	}
	to := s.db
	if s.pool != nil {
		to = &s.pool.database
	}
	storage, err := to.through(s.options.Through)
	if err != nil {
		return nil, err
	}
	if s.options.PgBouncer == "transaction" {
		storage += "&default_query_exec_mode=exec"
	}
	env := []string{prefix + "PG_CONNECTION_URL=" + storage}
	if s.options.Cluster != nil {
		if cluster, err = s.options.Cluster(cluster); err != nil {
			return nil, fmt.Errorf("a way between the nodes: %w", err)
		}
		env = append(env, prefix+"CLUSTER_ADDR=https://"+cluster)
	}
	return append(env, s.options.Env...), nil
}

func (s *Server) config(address, cluster, audience string) ([]byte, error) {
	if s.options.Kind == openbao.KindVault {
		return vaultConfig(address, cluster)
	}
	return config(address, cluster, s.keyFile(), s.AuditLog(), s.Issuer, audience)
}

// Join starts a further OpenBao on the server's database and returns once it stands by.
func (s *Server) Join(ctx context.Context) (*Node, error) {
	n, err := s.newNode()
	if err == nil {
		err = n.Start(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("local OpenBao, node %d: %w", len(s.nodes), err)
	}
	return n, nil
}

// Nodes are the server's OpenBao processes in the order they were started, ended ones included.
func (s *Server) Nodes() []*Node { return append([]*Node(nil), s.nodes...) }

// Start runs the node, again if it ran before, and returns once it is unsealed: active or standby.
func (n *Node) Start(ctx context.Context) error {
	if err := n.launch(); err != nil {
		return err
	}
	if err := n.open(ctx); err != nil {
		return err
	}
	return n.await(ctx, n.server.options.Kind.Title()+" was unsealed", func(h openbao.Health) bool {
		return h.Active() ||
			h.Status == http.StatusTooManyRequests
	})
}

func (n *Node) launch() (err error) {
	cmd := exec.Command(n.server.binary, "server", "-config="+n.config)
	cmd.Dir = n.server.dir
	cmd.Env = environ(n.env...)
	if n.process, err = startProcess(n.server.options.Kind.String(), cmd, syscall.SIGTERM, syscall.SIGKILL); err != nil {
		return err
	}
	if n.server.options.Started != nil {
		return n.server.options.Started(n.PID())
	}
	return nil
}

// client is one of the node's own API. Close it when done.
func (n *Node) client() *openbao.Client {
	return n.server.options.Kind.Client(n.Address, n.server.HTTPClient())
}

func (n *Node) await(ctx context.Context, what string, good func(openbao.Health) bool) error {
	client := n.client()
	defer client.Close()
	return n.process.until(ctx, what, func(ctx context.Context) error {
		h, err := client.Health(ctx)
		if err == nil && !good(h) {
			err = fmt.Errorf("health answers %d", h.Status)
		}
		return err
	})
}

// Config is the node's configuration. It names the file of the unseal key and holds no secret.
func (n *Node) Config() ([]byte, error) { return os.ReadFile(n.config) }

// PID is the node's process ID.
func (n *Node) PID() int { return n.process.cmd.Process.Pid }

// Stop ends the node in order, as a deleted pod ends: it gives up leadership. It returns when the
// process is gone.
func (n *Node) Stop() {
	if n.process != nil {
		n.process.Stop()
	}
}

// Kill ends the node at once, as an out-of-memory kill does. It returns when the process is gone.
func (n *Node) Kill() {
	_ = n.process.cmd.Process.Kill() // an error means that it is gone already
	<-n.process.done
}

// Ended is closed once the process that was started last is gone, for whatever reason. Call it
// while nothing starts the node.
func (n *Node) Ended() <-chan struct{} { return n.process.done }

// Gone reports whether that process is gone. Call it while nothing starts the node.
func (n *Node) Gone() bool {
	select {
	case <-n.Ended():
		return true
	default:
		return false
	}
}

// Health asks the node itself, on a connection of its own. The caller bounds the time.
func (n *Node) Health(ctx context.Context) (openbao.Health, error) {
	client := openbao.New(n.Address, openbao.Trusting(false, n.server.CA))
	defer client.Close()
	return client.Health(ctx)
}

// Log is the end of what the process that was started last wrote. Call it while nothing starts the
// node.
func (n *Node) Log() string { return n.process.log.String() }

// HTTPClient is a client that keeps connections and trusts the server's certificate. Close its
// idle connections when done.
func (s *Server) HTTPClient() *http.Client {
	return openbao.Trusting(true, s.CA)
}
