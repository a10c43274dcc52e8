package openbao

// VaultTables is what Vault expects to find in PostgreSQL, as SQL statements that may be run
// again: its values, and the lock of the active node. OpenBao makes such tables itself.
const VaultTables = `
CREATE TABLE IF NOT EXISTS vault_kv_store (
	parent_path text COLLATE "C" NOT NULL, path text COLLATE "C", key text COLLATE "C", value bytea,
	PRIMARY KEY (path, key)
);
CREATE INDEX IF NOT EXISTS vault_kv_store_parent_path ON vault_kv_store (parent_path);
CREATE TABLE IF NOT EXISTS vault_ha_locks (
	ha_key text COLLATE "C" PRIMARY KEY, ha_identity text COLLATE "C" NOT NULL, ha_value text COLLATE "C",
	valid_until timestamptz NOT NULL
);`
