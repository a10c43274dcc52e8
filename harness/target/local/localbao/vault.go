package localbao

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
)

// prepareVault makes the tables that Vault expects in PostgreSQL and does not make itself.
func (d *database) prepareVault(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, d.URL())
	if err != nil {
		return fmt.Errorf("tables of Vault: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, openbao.VaultTables); err != nil {
		return fmt.Errorf("tables of Vault: %w", err)
	}
	return nil
}

// initialise initialises the first node of an empty storage, unseals it and makes Rails' login.
// The server keeps the key.
func (n *Node) initialise(ctx context.Context) (err error) {
	client := n.client()
	defer client.Close()
	if err := n.answers(ctx); err != nil {
		return err
	}
	if n.server.keys, err = client.Initialise(ctx); err != nil {
		return err
	}
	if err := client.Unseal(ctx, n.server.keys); err != nil {
		return err
	}
	if err := n.await(ctx, "Vault was active", openbao.Health.Active); err != nil {
		return err
	}
	return gitlab.SetUp(ctx, n.server.options.Kind, client, n.server.keys, n.server.Issuer, n.server.Audience,
		n.server.AuditLog())
}

// answers waits until the node's API answers, whatever its state is.
func (n *Node) answers(ctx context.Context) error {
	return n.await(ctx, "the API answered", func(openbao.Health) bool { return true })
}

// open unseals a node of an initialised Vault. OpenBao unseals itself.
func (n *Node) open(ctx context.Context) error {
	if n.server.options.Kind != openbao.KindVault {
		return nil
	}
	if err := n.answers(ctx); err != nil {
		return err
	}
	client := n.client()
	defer client.Close()
	return client.Unseal(ctx, n.server.keys)
}
