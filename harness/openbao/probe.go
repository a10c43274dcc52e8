package openbao

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Answering asks which program answers: only OpenBao has inline authentication, and says so when
// the login of a request is to a mount that does not exist. The node must be unsealed.
func (c *Client) Answering(ctx context.Context) (Kind, error) {
	r, err := c.send(ctx, Request{
		Method: http.MethodGet, Path: "sys/mounts",
		Auth: &InlineAuth{Path: "auth/steamer-probe-of-no-mount/login", Role: "none", JWT: "none"},
	})
	switch {
	case err != nil:
		return "", err
	case r.InlineAuthFailed:
		return KindOpenBao, nil
	case r.Status == http.StatusForbidden || r.Status == http.StatusBadRequest:
		return KindVault, nil
	}
	return "", fmt.Errorf("GET sys/mounts with a login that does not exist: status %d: %s", r.Status, r.Message())
}

// Voters reads from the answer to sys/storage/raft/configuration how many nodes vote.
func Voters(r *Response) (int, error) {
	var data struct {
		Config struct {
			Servers []struct {
				Voter bool `json:"voter"`
			} `json:"servers"`
		} `json:"config"`
	}
	if err := json.Unmarshal(r.Data, &data); err != nil || len(data.Config.Servers) == 0 {
		return 0, fmt.Errorf("sys/storage/raft/configuration: status %d and no servers in the answer", r.Status)
	}
	voters := 0
	for _, s := range data.Config.Servers {
		if s.Voter {
			voters++
		}
	}
	return voters, nil
}
