package bot

import (
	"crypto/sha256"
	"encoding/json"
	"sync"
)

// drawn remembers what this process last drew where, so that the refresh which follows every click does not spend chat.update's few
// calls on what the click's own answer has drawn already. Forgetting costs a call, nothing else.
type drawn struct {
	mu   sync.Mutex
	seen map[string][sha256.Size]byte // by channel and ts
}

const maxDrawn = 4096

func (d *drawn) has(channel, ts string, m message) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	sum, ok := d.seen[channel+" "+ts]
	return ok && sum == digest(m)
}

func (d *drawn) put(channel, ts string, m message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen == nil || len(d.seen) >= maxDrawn {
		d.seen = map[string][sha256.Size]byte{}
	}
	d.seen[channel+" "+ts] = digest(m)
}

func digest(m message) [sha256.Size]byte {
	b, err := json.Marshal(m)
	if err != nil {
		return [sha256.Size]byte{} // cannot happen; a call would fail the same way
	}
	return sha256.Sum256(b)
}
