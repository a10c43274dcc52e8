package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"gitlab.com/steamer/steamer/harness/gitlab"
	"gitlab.com/steamer/steamer/harness/openbao"
	"gitlab.com/steamer/steamer/harness/scenario"
	"gitlab.com/steamer/steamer/scenarios/internal/tenancy"
)

// The secrets that owners write before and during a change.
const (
	writtenBefore = "STEAMER_WRITTEN_BEFORE"
	writtenDuring = "STEAMER_WRITTEN_DURING"
)

// writes are an owner's: one before a change, and one after the other while it lasts. Each value
// is the number of its write.
type writes struct {
	env    *scenario.Env // with connections of its own
	tenant gitlab.Tenant
	cancel context.CancelFunc
	done   sync.WaitGroup

	// tried and stored are the last write that was sent, and the last that was answered with
	// success.
	tried, stored int
}

// write begins to write. The caller calls readBack, and stop in any case.
func write(ctx context.Context, t scenario.T, env *scenario.Env) *writes {
	t.Helper()
	own := *env
	own.Client = env.Kind.Client(env.Address, openbao.Trusting(false, env.CA))
	w := &writes{env: &own, tenant: env.Tenants[0]}
	require.NoError(t, w.put(ctx, writtenBefore, 1), "an owner's write before the change")
	ctx, w.cancel = context.WithCancel(ctx)
	w.done.Go(func() {
		ticker := time.NewTicker(env.Timeouts.Poll)
		defer ticker.Stop()
		for {
			w.tried++
			one, cancel := context.WithTimeout(ctx, env.Timeouts.Try)
			if w.put(one, writtenDuring, w.tried) == nil {
				w.stored = w.tried
			}
			cancel()
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return w
}

// put stores the number of a write as an owner does.
func (w *writes) put(ctx context.Context, name string, number int) error {
	body := map[string]any{"data": map[string]any{"value": strconv.Itoa(number)}}
	answer, err := tenancy.AsUser(ctx, w.env, w.tenant, http.MethodPost, w.path(name), body)
	if err == nil && !answer.OK() {
		err = fmt.Errorf("write %d of %s at %s: status %d: %s", number, name, w.tenant.Name, answer.Status, answer.Message())
	}
	return err
}

func (w *writes) path(name string) string { return w.tenant.SecretPath + "/" + name }

// stop ends the writes and removes what they made, also when ctx has ended.
func (w *writes) stop(ctx context.Context) {
	w.cancel()
	w.done.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.env.Timeouts.Fetch)
	defer cancel()
	for _, name := range []string{writtenBefore, writtenDuring} {
		// Only other names are read by others, so that what cannot be removed does no harm.
		_, _ = w.env.Rails(ctx, http.MethodDelete, metadataPath(w.path(name)), nil)
	}
	w.env.Client.Close()
}

// readBack checks that no write is lost that OpenBao confirmed.
func (w *writes) readBack(ctx context.Context, t scenario.T) {
	t.Helper()
	w.cancel()
	w.done.Wait()
	t.Measure("owner_writes", float64(w.tried))
	for _, written := range []struct {
		name        string
		least, most int
	}{{writtenBefore, 1, 1}, {writtenDuring, w.stored, w.tried}} {
		if written.least == 0 {
			t.Errorf("none of an owner's %d writes during the change was confirmed", w.tried)
			continue
		}
		number, err := w.get(ctx, written.name)
		require.NoError(t, err, "reading back what an owner wrote")
		if number < written.least || number > written.most {
			t.Errorf("%s holds write %d of an owner, but OpenBao confirmed write %d", written.name, number, written.least)
		}
	}
}

// get reads a number back, as Rails, because owners may not read values.
func (w *writes) get(ctx context.Context, name string) (int, error) {
	answer, err := w.env.Rails(ctx, http.MethodGet, w.path(name), nil)
	if err != nil {
		return 0, err
	}
	if !answer.OK() {
		return 0, fmt.Errorf("%s at %s: status %d: %s", name, w.tenant.Name, answer.Status, answer.Message())
	}
	var content struct {
		Data struct {
			Value string `json:"value"`
		} `json:"data"`
	}
	if err := json.Unmarshal(answer.Data, &content); err != nil {
		return 0, fmt.Errorf("%s at %s: %w", name, w.tenant.Name, err)
	}
	return strconv.Atoi(content.Data.Value)
}

// metadataPath is the path of all versions of the secret with this data path.
func metadataPath(data string) string { return strings.Replace(data, "/data/", "/metadata/", 1) }
