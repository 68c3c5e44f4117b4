package ingest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"hitl"
)

// hook is what is behind POST /v1/hooks/{source}.
type hook struct {
	verifier verifier
	mapping  *mapping // nil when the source has none
}

// authenticateHook is the middleware of the hooks: it wants the bearer key of the source in the path, or a signature of it over the
// body, which it reads. Sources that do not exist are refused like those whose signature is wrong, at the same cost. Who has proved to be the source
// takes one of its tokens: with a key before the body is read, with a signature after it, since nobody is known before that.
func (a *api) authenticateHook(ctx huma.Context, next func(huma.Context)) {
	sc := scopeOf(ctx.Context())
	name := ctx.Param("source")
	h, exists := a.hooks[name]
	if !exists {
		h.verifier = a.decoy
	}
	var key hitl.Key
	text, known := bearer(sc.r)
	if known {
		key, known = a.keys.find(text, a.Now())
	}
	byKey := known && key.Source == name && key.May(hitl.RightSubmit)
	switch {
	case byKey:
		sc.source, sc.key = name, key
		if p := a.spend(name); p != nil {
			p.write(sc.w)
			return
		}
	case h.verifier.signed(sc.r.Header, a.Now()):
	case known && !key.May(hitl.RightSubmit):
		sc.source, sc.key = key.Source, key
		lacking(hitl.RightSubmit).write(sc.w)
		return
	default:
		unproved().write(sc.w)
		return
	}
	if p := sc.read(a.MaxBody); p != nil {
		p.write(sc.w)
		return
	}
	if !byKey {
		id, ok := h.verifier.verify(sc.r.Header, sc.body, a.Now())
		if !ok || !exists {
			unproved().write(sc.w)
			return
		}
		sc.source, sc.messageID = name, id
		if p := a.spend(name); p != nil {
			p.write(sc.w)
			return
		}
	}
	next(ctx)
}

func unproved() *problem {
	return unauthorized("the key or signature is missing, wrong or older than five minutes")
}

type hookInput struct {
	Source string `path:"source" doc:"Name of the source."`
}

// hookOutput is an itemOutput that may also have no body, for a payload that is no item.
type hookOutput struct {
	Status   int
	Replayed string `header:"Idempotent-Replayed" doc:"true when the id was used before: the stored answer."`
	Body     *item
}

// postHook is POST /v1/hooks/{source}.
func (a *api) postHook(ctx context.Context, in *hookInput) (*hookOutput, error) {
	sc := scopeOf(ctx)
	m := a.hooks[in.Source].mapping
	if m == nil {
		return nil, newProblem(codeNotFound, "the source has no hook")
	}
	body, err := decodeJSON(sc.body, celNumber)
	if err != nil {
		return nil, newProblem(codeMalformed, "the body "+err.Error())
	}
	sub, ok, p := m.apply(ctx, body, hookHeaders(sc.r.Header))
	if p != nil {
		return nil, p
	}
	if !ok {
		return &hookOutput{Status: http.StatusNoContent}, nil
	}
	sub.Source = in.Source
	if m.id == nil {
		sub.ExternalID = sc.messageID // a message that comes again, or is replayed, is the same item
	}
	out, err := a.submit(ctx, sub, "hook")
	if err != nil {
		return nil, err
	}
	return &hookOutput{Status: out.Status, Replayed: out.Replayed, Body: &out.Body}, nil
}
