package postgres

import "maps"

// settings are for a machine of two cores that it shares with the server process. Nothing here, except for a
// throwaway server, trades durability for speed.
func settings(c Config) map[string]string {
	all := map[string]string{
		"listen_addresses":     "",
		"timezone":             "UTC",
		"log_timezone":         "UTC",
		"max_connections":      "200",
		"jit":                  "off", // every statement is short; compiling one costs more than running it
		"random_page_cost":     "1.1",
		"log_checkpoints":      "off",
		"shared_buffers":       "256MB",
		"effective_cache_size": "1GB",
		"maintenance_work_mem": "128MB",
		"wal_compression":      "on",
		"max_wal_size":         "2GB",
		"min_wal_size":         "256MB",
		"checkpoint_timeout":   "15min",
		"autovacuum_naptime":   "15s",
	}
	if c.Throwaway {
		maps.Copy(all, map[string]string{
			"fsync":              "off",
			"synchronous_commit": "off",
			"full_page_writes":   "off",
			"wal_level":          "minimal",
			"max_wal_senders":    "0",
			"shared_buffers":     "128MB",
			"max_wal_size":       "1GB",
			"min_wal_size":       "80MB",
			"max_connections":    "300",
		})
	}
	maps.Copy(all, c.Settings)
	return all
}
