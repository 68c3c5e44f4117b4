package ingest

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

const (
	checkpointPath = "/v1/log/checkpoint"
	tilePath       = "/v1/log/tile/{path}"
)

// treeRoutes serve the log's tree to those who want to check it. They hold hashes and a count, nothing of an item, and ask for no key: clients
// of other transparency logs send none.
func (a *api) treeRoutes(h huma.API) {
	responses := func(mediaType string, codes ...code) map[string]*huma.Response {
		out := responses[problem](h, nil, codes...)
		out["200"] = &huma.Response{
			Description: http.StatusText(http.StatusOK),
			Content:     map[string]*huma.MediaType{mediaType: {Schema: &huma.Schema{Type: "string", Format: "binary"}}},
		}
		return out
	}
	huma.Register(h, huma.Operation{
		OperationID: "get-log-checkpoint", Method: http.MethodGet, Path: checkpointPath, Tags: []string{"log"},
		Summary:     "The log's latest signed checkpoint",
		Description: "A signed note (c2sp.org/tlog-checkpoint): name, size and root of the Merkle tree over the whole log. 404: nothing is signed yet.",
		Responses:   responses("text/plain; charset=utf-8", codeNotFound, codeInternal, codeUnavailable),
	}, a.getCheckpoint)
	// OpenAPI knows no parameters with slashes; the router's pattern says that this one has them.
	op := huma.Operation{
		OperationID: "get-log-tile", Method: http.MethodGet, Path: strings.Replace(tilePath, "}", "...}", 1), Tags: []string{"log"},
		Summary:     "A tile of the log's Merkle tree",
		Description: "Up to 256 hashes of 32 bytes. The path is 8/L/N or 8/L/N.p/W, as the Go checksum database names tiles, or L/N or L/N.p/W, as c2sp.org/tlog-tiles does; N is in groups of three digits, x001/234. What was answered once never changes.",
		Responses:   responses("application/octet-stream", codeNotFound, codeInternal, codeUnavailable),
	}
	huma.Register(h, op, a.getTile)
	doc := h.OpenAPI()
	doc.Paths[tilePath] = doc.Paths[op.Path]
	delete(doc.Paths, op.Path)
}

type rawOutput struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

// getCheckpoint is GET /v1/log/checkpoint.
func (a *api) getCheckpoint(ctx context.Context, _ *struct{}) (*rawOutput, error) {
	signed, err := a.Records.LatestCheckpoint(ctx)
	if err != nil {
		return nil, a.readError(ctx, err)
	}
	return &rawOutput{"text/plain; charset=utf-8", "no-cache", []byte(signed)}, nil
}

type getTileInput struct {
	Path string `path:"path" doc:"Which tile; it holds slashes." example:"8/0/x001/234.p/56"`
}

// getTile is GET /v1/log/tile/….
func (a *api) getTile(ctx context.Context, in *getTileInput) (*rawOutput, error) {
	data, err := a.Records.Tile(ctx, in.Path)
	if err != nil {
		return nil, a.readError(ctx, err)
	}
	return &rawOutput{"application/octet-stream", "public, max-age=31536000, immutable", data}, nil
}
