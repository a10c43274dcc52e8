package config

import (
	"context"
	"strconv"
	"strings"

	"gitlab.com/steamer/steamer/harness/scenario"
)

// remote selects the connections over the network: the administrator's own come through a socket.
const remote = "FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) " +
	"WHERE a.datname = current_database() AND a.client_addr IS NOT NULL"

func count(ctx context.Context, env *scenario.Env, query string) (int, error) {
	text, err := env.Database.Query(ctx, query)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(text))
}
