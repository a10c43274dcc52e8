package observe

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gitlab.com/steamer/steamer/harness/result"
)

// tally is one reading of a database's statistics, cumulative but for the connections.
type tally struct {
	Calls, Rows, Exec            float64
	Commits, Rollbacks, Sessions float64
	Connections, Running, InTx   int
}

// tallySQL reads a tally. It leaves the texts of statements out, which PostgreSQL keeps in a file.
// pg_stat_database.sessions exists since PostgreSQL 14.
const tallySQL = `
SELECT json_build_object('calls', s.calls, 'rows', s.rows, 'exec', s.exec,
	'commits', d.xact_commit, 'rollbacks', d.xact_rollback,
	'sessions', d.sessions, 'connections', a.connections, 'running', a.running, 'intx', a.intx)
FROM pg_stat_database d
CROSS JOIN LATERAL (SELECT coalesce(sum(calls), 0) AS calls, coalesce(sum(rows), 0) AS rows,
	coalesce(sum(total_exec_time), 0) AS exec
	FROM pg_stat_statements(false) WHERE dbid = d.datid) s
CROSS JOIN LATERAL (SELECT count(*) AS connections, count(*) FILTER (WHERE state = 'active') AS running,
	count(*) FILTER (WHERE state LIKE 'idle in transaction%%') AS intx
	FROM pg_stat_activity WHERE datid = d.datid AND backend_type = 'client backend') a
WHERE d.datname = %s`

// statement is the use of one statement so far.
type statement struct {
	ID    string // pg_stat_statements' queryid
	Query string
	Calls int64
	Rows  int64
	Exec  float64
}

// statementsSQL reads each statement of a database. Several users' same statements are one.
const statementsSQL = `
SELECT coalesce(json_agg(json_build_object('id', q.queryid::text, 'query', q.query, 'calls', q.calls,
	'rows', q.rows, 'exec', q.exec)), '[]'::json)
FROM (SELECT s.queryid, left(min(s.query), %d) AS query, sum(s.calls) AS calls, sum(s.rows) AS rows,
	sum(s.total_exec_time) AS exec
	FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
	WHERE d.datname = %s AND s.queryid IS NOT NULL GROUP BY s.queryid) q`

// ownSQL is the execution time in ms of everything in the database that Steamer asks in.
const ownSQL = `SELECT to_json(coalesce(sum(s.total_exec_time), 0))
FROM pg_stat_statements(false) s JOIN pg_database d ON d.oid = s.dbid
WHERE d.datname = current_database()`

// extensionSQL says whether the view is there, so that nothing has to be written where it is. That
// the module is loaded is up to whoever starts PostgreSQL.
const extensionSQL = `SELECT to_json(count(*)) FROM pg_extension WHERE extname = 'pg_stat_statements'`

// createExtensionSQL answers with a line, as every query has to.
const createExtensionSQL = `CREATE EXTENSION pg_stat_statements; SELECT to_json(1)`

// maxQuery is how much of a statement's text is kept, in bytes.
const maxQuery = 300

func (w *databaseWatcher) statements(query func(sql string, into any) error) (map[string]statement, error) {
	var there int
	err := query(extensionSQL, &there)
	if err == nil && there == 0 {
		err = query(createExtensionSQL, &there)
	}
	var list []statement
	if err == nil {
		err = query(fmt.Sprintf(statementsSQL, maxQuery, literal(w.from.Name)), &list)
	}
	if err != nil {
		return nil, err
	}
	all := make(map[string]statement, len(list))
	for _, s := range list {
		all[s.ID] = s
	}
	return all, nil
}

// difference is what was executed between two readings, the longest total time first.
func difference(before, after map[string]statement) []result.Statement {
	var list []result.Statement
	for id, now := range after {
		was := before[id]
		if now.Calls < was.Calls {
			was = statement{} // reset in between
		}
		if now.Calls > was.Calls {
			list = append(list, result.Statement{
				Query: presentable(now.Query), Calls: now.Calls - was.Calls, Rows: now.Rows - was.Rows,
				ExecMs: max(0, now.Exec-was.Exec),
			})
		}
	}
	slices.SortFunc(list, func(a, b result.Statement) int {
		return cmp.Or(cmp.Compare(b.ExecMs, a.ExecMs), cmp.Compare(a.Query, b.Query))
	})
	return list[:min(len(list), result.MaxStatements)]
}

// presentable is a statement's text on one line. PostgreSQL replaces the values only in statements
// that it plans; before version 16 others, such as one that sets a password, are recorded as they
// were sent, so that only their first word is kept.
func presentable(query string) string {
	words := strings.Fields(query)
	if len(words) == 0 {
		return ""
	}
	switch first := strings.ToUpper(words[0]); first {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES":
		return strings.Join(words, " ")
	default:
		return strings.TrimRight(first, ";")
	}
}

// literal quotes a name as an SQL string.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
