package bot

import "strings"

// A long text is shown in pages, and a page in blocks. 15,000 characters take 90 kB of a view's 250 at most, since the JSON of a character
// has six bytes at most.
const (
	blockUnits = 2500 // of text in one block
	pageBlocks = 6
)

// pages are a text cut into pages, which are cut into blocks. Joined they are the text.
type pages [][]string

// paginate cuts a text into pages, at a line's end or a space where one is near. There is always one, of an empty text an empty one.
func paginate(s string) pages {
	var ps pages
	for len(ps) == 0 || s != "" {
		var page []string
		for s != "" && len(page) < pageBlocks {
			block := prefix(s, blockUnits, units)
			if len(block) < len(s) {
				block = breakable(block)
			}
			page, s = append(page, block), s[len(block):]
		}
		ps = append(ps, page)
	}
	return ps
}

// at returns the page with a number, counted from 0, or the nearest there is, and which that is.
func (ps pages) at(n int) (blocks []string, page int) {
	page = max(0, min(n, len(ps)-1))
	return ps[page], page
}

// breakable ends a block after a line or a word if there is one in its last quarter.
func breakable(block string) string {
	for _, sep := range []string{"\n", " "} {
		if i := strings.LastIndex(block, sep); i > len(block)*3/4 {
			return block[:i+1]
		}
	}
	return block
}
