package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"hitl"
	"hitl/audit"
)

type callbacksCmd struct {
	List  callbacksListCmd  `cmd:"" help:"Print callbacks that are dead, pending, delivered or withdrawn."`
	Retry callbacksRetryCmd `cmd:"" help:"Send dead callbacks again, with the same id and body."`
}

type callbacksListCmd struct {
	State string `default:"dead" enum:"dead,pending,delivered,withdrawn" help:"dead, pending, delivered, or withdrawn since the decision was undone (default ${default})."`
	Limit int    `default:"50" help:"The newest so many (default ${default})."`
	JSON  bool   `help:"Print JSON."`
}

func (c *callbacksListCmd) Run(ctx context.Context, p program, global *cli) error {
	if c.Limit < 1 {
		return usageError{fmt.Errorf("--limit %d: want 1 or more", c.Limit)}
	}
	_, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	list, err := store.Callbacks(ctx, hitl.CallbackState(c.State), c.Limit)
	if err != nil {
		return err
	}
	if c.JSON {
		if list == nil {
			list = []audit.CallbackStatus{}
		}
		return printJSON(p.stdout, list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintf(p.stdout, "no %s callbacks\n", c.State)
		return err
	}
	rows := make([][]string, len(list))
	for i, cb := range list {
		rows[i] = []string{cb.ID, cb.Source, cb.ItemID, strconv.Itoa(cb.Attempts), cb.CreatedAt.UTC().Format(time.RFC3339), cb.LastError}
	}
	return table(p.stdout, []string{"ID", "SOURCE", "ITEM", "ATTEMPTS", "CREATED", "LAST ERROR"}, rows)
}

type callbacksRetryCmd struct {
	IDs []string `arg:"" optional:"" name:"id" help:"Ids of dead callbacks, as hitl callbacks list prints them."`
	All bool     `help:"All dead callbacks."`
}

func (c *callbacksRetryCmd) Run(ctx context.Context, p program, global *cli) error {
	if c.All == (len(c.IDs) > 0) {
		return usageError{fmt.Errorf("name the callbacks to send again, or say --all")}
	}
	_, store, err := p.openStore(ctx, global)
	if err != nil {
		return err
	}
	defer store.Close()
	n, err := store.RetryCallbacks(ctx, c.IDs...)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(p.stdout, "%d callbacks will be sent again by the running service\n", n); err != nil {
		return err
	}
	if n < len(c.IDs) {
		return fmt.Errorf("%d of the %d named are not dead, or are about an item that was erased", len(c.IDs)-n, len(c.IDs))
	}
	return nil
}
