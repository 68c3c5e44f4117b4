package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// firstRead is the most that is allocated for a body before any of it has arrived.
const firstRead = 64 << 10

// readBody returns the middleware that reads a JSON body of at most limit bytes into the scope. What it refuses, it refuses before
// reading where it can.
func readBody(limit int64) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		sc := scopeOf(ctx.Context())
		if p := sc.read(limit); p != nil {
			p.write(sc.w)
			return
		}
		next(ctx)
	}
}

func (sc *scope) read(limit int64) *problem {
	if p := checkBodyHeaders(sc.r, limit); p != nil {
		return p
	}
	var buf bytes.Buffer
	if n := sc.r.ContentLength; n > 0 {
		buf.Grow(int(min(n, firstRead)) + bytes.MinRead) // what is announced has not come yet
	}
	_, err := buf.ReadFrom(http.MaxBytesReader(sc.w, sc.r.Body, limit))
	var large *http.MaxBytesError
	var network net.Error
	switch {
	case errors.As(err, &large):
		return tooLarge(limit)
	case errors.As(err, &network) && network.Timeout():
		return newProblem(codeReadTimeout, "")
	case err != nil:
		return newProblem(codeMalformed, "the body could not be read to its end")
	case buf.Len() == 0:
		return newProblem(codeMalformed, "the body is empty")
	}
	sc.clearReadDeadline()
	sc.body = buf.Bytes()
	return nil
}

func tooLarge(limit int64) *problem {
	return newProblem(codeTooLarge, fmt.Sprintf("the limit is %d bytes", limit))
}

// checkBodyHeaders wants JSON in UTF-8, not compressed: a small body stays small. A missing content type is taken for JSON.
func checkBodyHeaders(r *http.Request, limit int64) *problem {
	for _, encoding := range r.Header.Values("Content-Encoding") {
		if encoding != "" && !strings.EqualFold(encoding, "identity") {
			p := newProblem(codeUnsupported, "send the body without Content-Encoding")
			p.header = http.Header{"Accept-Encoding": {"identity"}}
			return p
		}
	}
	if given := r.Header.Get("Content-Type"); given != "" {
		mediaType, params, err := mime.ParseMediaType(given)
		isJSON := mediaType == "application/json" || strings.HasPrefix(mediaType, "application/") && strings.HasSuffix(mediaType, "+json")
		charset := params["charset"]
		if err != nil || !isJSON || charset != "" && !strings.EqualFold(charset, "utf-8") {
			p := newProblem(codeUnsupported, "send Content-Type: application/json, in UTF-8")
			p.header = http.Header{"Accept": {"application/json"}}
			return p
		}
	}
	if r.ContentLength > limit {
		return tooLarge(limit)
	}
	return nil
}
