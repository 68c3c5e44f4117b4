package queue_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"hitl"
	"hitl/deploy/local"
	"hitl/queue"
)

func Example() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// urgent rev_2
	// normal rev_1
}

func run(ctx context.Context) error {
	server, err := local.StartRedis(ctx, local.RedisOptions{})
	if err != nil {
		return err
	}
	defer func() { _ = server.Stop(ctx) }()

	client, err := queue.Open(ctx, queue.Config{Addrs: []string{server.Addr()}, Password: server.Password()})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()

	err = client.Add(ctx, "support",
		queue.Entry{ReviewID: "rev_1", Priority: hitl.PriorityNormal},
		queue.Entry{ReviewID: "rev_2", Priority: hitl.PriorityUrgent})
	if err != nil {
		return err
	}
	taken, err := client.Next(ctx, "support", "replica-1", 10, time.Second)
	if err != nil {
		return err
	}
	for _, d := range taken {
		fmt.Println(d.Priority, d.ReviewID)
		if err := client.Done(ctx, "support", d.ReviewID); err != nil {
			return err
		}
	}
	return nil
}
