package openbao

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	"gitlab.com/steamer/steamer/harness/secret"
)

// Keys are what a server returned when it was initialised: they unseal it, and act as its root.
// They are never written anywhere, and everything that leaves the process withholds them.
type Keys struct{ unseal, root string }

// String keeps the keys out of text.
func (Keys) String() string { return secret.Redacted }

// GoString keeps the keys out of text.
func (Keys) GoString() string { return secret.Redacted }

// Root returns the headers of a request by the root token.
func (k Keys) Root() http.Header { return withToken(nil, k.root) }

// Initialise initialises a server that has an empty storage, with one key that unseals it alone.
func (c *Client) Initialise(ctx context.Context) (Keys, error) {
	const path = "sys/init"
	var answer struct {
		Hex  []string `json:"keys"`
		Keys [][]byte `json:"keys_base64"`
		Root string   `json:"root_token"`
	}
	err := c.plain(ctx, http.MethodPut, path, map[string]int{"secret_shares": 1, "secret_threshold": 1}, &answer)
	if err != nil {
		return Keys{}, err
	}
	secret.Learn(append(answer.Hex, answer.Root)...)
	for _, key := range answer.Keys {
		secret.Learn(string(key))
	}
	if len(answer.Keys) != 1 || answer.Root == "" {
		return Keys{}, fmt.Errorf("PUT %s: %d keys in the answer, want 1 and a token", path, len(answer.Keys))
	}
	return Keys{unseal: base64.StdEncoding.EncodeToString(answer.Keys[0]), root: answer.Root}, nil
}

// Unseal unseals the node that answers. A node that is unsealed already stays as it is.
func (c *Client) Unseal(ctx context.Context, keys Keys) error {
	const path = "sys/unseal"
	var answer struct {
		Sealed bool `json:"sealed"`
	}
	if err := c.plain(ctx, http.MethodPut, path, map[string]string{"key": keys.unseal}, &answer); err != nil {
		return err
	}
	if answer.Sealed {
		return fmt.Errorf("PUT %s: the node took the key and is sealed still", path)
	}
	return nil
}

// plain makes a request whose answer has no envelope.
func (c *Client) plain(ctx context.Context, method, path string, body, answer any) error {
	r, raw, err := c.exchange(ctx, Request{Method: method, Path: path, Body: body})
	if err != nil {
		return err
	}
	if !r.OK() {
		return fmt.Errorf("%s %s: status %d: %s", method, path, r.Status, secret.Redact(r.Message()))
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return fmt.Errorf("%s %s: status %d and no JSON answer", method, path, r.Status)
	}
	return nil
}
