// Package client submits texts to a hitl service, waits for people's answers, and verifies the callbacks that tell of them. It imports the standard
// library alone, so that its folder can be copied into another module.
//
//	c, err := client.New("https://hitl.example.org", os.Getenv("HITL_KEY"))
//	item, err := c.Submit(ctx, client.Submission{ID: "ticket-4711", Text: "The parcel came broken."})
//	if !item.Final() {
//		item, err = c.Wait(ctx, item.ID) // minutes or days: whatever ctx allows
//	}
//
// # Retries
//
// A request that was answered with 429, 502, 503 or 504, or whose answer was lost, is sent again: after the Retry-After that the service asked for,
// else after a quarter of a second, doubled each time up to 15 s, less up to a half drawn at random. Other answers are final. A submission always has
// an id, its idempotency key, so that one that is sent again is the same item: the caller's, which also survives a crash of the caller, or else one
// that Submit draws. Wait goes on until its context ends; the other calls give up after a minute, see WithRetryFor.
//
// # Errors
//
// What the service answered is an *Error, with its status, code and request id; errors.Is compares it with the sentinels ErrRateLimited, ErrConflict
// and so on. Errors of the network are those of net/http. When ctx ends, errors.Is(err, ctx.Err()) holds.
package client
