package classifier

import (
	"crypto/sha256"

	lru "github.com/hashicorp/golang-lru/v2"

	"hitl"
)

// cache remembers what the network made of the texts that came last, so that one that comes again costs a hash. It belongs to one open model, and goes
// with it: a model that takes another's place never answers with what the other said.
//
// It holds no text, only SHA-256 hashes in memory: erasing an item leaves nothing to be erased here. An entry takes about 200 bytes, and 4 for each label.
type cache struct {
	entries  *lru.Cache[textKey, cached]
	observer Observer
}

// textKey is the SHA-256 hash of a text, byte for byte.
type textKey [sha256.Size]byte

// cached is all that depends on the text: logits that nobody changes, and what the tokenizer told.
type cached struct {
	logits    []float32
	tokens    int
	truncated bool
}

// newCache returns a cache of so many texts; 0: none, nil.
func newCache(size int, observer Observer) *cache {
	if size == 0 {
		return nil
	}
	entries, err := lru.New[textKey, cached](size)
	if err != nil {
		panic(err) // the size is negative, which the options refuse
	}
	return &cache{entries, observer}
}

// get returns the logits of a text, if they are known, and notes in p what else is.
func (c *cache) get(key textKey, p *hitl.Prediction) ([]float32, bool) {
	e, hit := c.entries.Get(key)
	c.observer.CacheAsked(hit)
	if hit {
		p.Tokens, p.Truncated = e.tokens, e.truncated
	}
	return e.logits, hit
}

// put keeps what the network said of a text. What failed is not for it.
func (c *cache) put(key textKey, logits []float32, p *hitl.Prediction) {
	c.entries.Add(key, cached{logits, p.Tokens, p.Truncated})
}
