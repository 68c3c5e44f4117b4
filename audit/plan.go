package audit

// inOrder makes Postgres read in the order of an index for the rest of a transaction, whatever its figures say, where a query has an ORDER BY and a LIMIT: they
// are of how many rows wait, and old when it matters. Then it would read all that waits, sort it, and take the first.
const inOrder = `SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true)`
