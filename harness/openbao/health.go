package openbao

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Health is a node's answer to sys/health.
type Health struct {
	// 200 active, 429 standby, 501 not initialised, 503 sealed, 500 storage trouble; Vault also
	// 472 to 474: a secondary of disaster recovery, a performance standby, a standby without its
	// active node
	Status      int    `json:"-"`
	Initialized bool   `json:"initialized"`
	Sealed      bool   `json:"sealed"`
	Standby     bool   `json:"standby"`
	Version     string `json:"version"`
	ClusterName string `json:"cluster_name"`
}

// Active reports an initialised, unsealed node that is no standby.
func (h Health) Active() bool {
	return h.Status == http.StatusOK && h.Initialized && !h.Sealed && !h.Standby
}

// Health asks a node for its state. A sealed or standby node is no error.
func (c *Client) Health(ctx context.Context) (Health, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.address+"/v1/sys/health", nil)
	if err != nil {
		return Health{}, fmt.Errorf("sys/health: %w", err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return Health{}, fmt.Errorf("sys/health: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	h := Health{Status: res.StatusCode}
	if err := json.NewDecoder(http.MaxBytesReader(nil, res.Body, maxBody)).Decode(&h); err != nil {
		return h, fmt.Errorf("sys/health: status %d and no JSON answer", res.StatusCode)
	}
	return h, nil
}

// Leading is a node's answer to sys/leader about itself.
type Leading struct {
	Self  bool      `json:"is_self"`     // it holds the lock, as far as it knows
	Since time.Time `json:"active_time"` // when it became active; zero where it is not
}

// Leading asks a node whether it leads.
func (c *Client) Leading(ctx context.Context) (Leading, error) {
	var answer Leading
	return answer, c.plain(ctx, http.MethodGet, "sys/leader", nil, &answer)
}
