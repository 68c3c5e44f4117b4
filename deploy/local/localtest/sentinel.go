package localtest

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"hitl/deploy/local"
)

// SentinelMaster is what the Sentinels of RedisSentinel call their master.
const SentinelMaster = "cards"

// Sentinels are a Redis master, two replicas of it, and three Sentinels that
// make one of the replicas the master when it is gone for half a second.
type Sentinels struct {
	Master    *local.Redis // the first one
	Replicas  []*local.Redis
	sentinels []*local.Redis
}

// RedisSentinel returns servers of this test's own, which know each other; they
// are stopped when the test ends. Where there is no redis-server the test is
// skipped, and says so; where servers are required it fails.
func RedisSentinel(t testing.TB) *Sentinels {
	t.Helper()
	s := &Sentinels{Master: PrivateRedis(t, local.RedisOptions{NoStandIn: true, NoPassword: true, Settings: []string{"repl-diskless-sync-delay 0"}})}
	host, port, err := net.SplitHostPort(s.Master.Addr())
	if err != nil {
		t.Fatal(err)
	}
	master := host + " " + port
	for range 2 {
		s.Replicas = append(s.Replicas, PrivateRedis(t, local.RedisOptions{
			NoStandIn: true, NoPassword: true, Settings: []string{"replicaof " + master, "repl-diskless-sync-delay 0"},
		}))
	}
	for range 3 {
		s.sentinels = append(s.sentinels, PrivateRedis(t, local.RedisOptions{NoStandIn: true, NoPassword: true, Sentinel: true, Settings: []string{
			"sentinel monitor " + SentinelMaster + " " + master + " 2",
			"sentinel down-after-milliseconds " + SentinelMaster + " 500",
			"sentinel failover-timeout " + SentinelMaster + " 3000",
		}}))
	}
	err = together(t.Context(), "the Sentinels to know each other and the replicas", func(ctx context.Context) bool {
		for _, r := range s.sentinels {
			if known := s.ask(ctx, r, "num-slaves"); known != "2" {
				return false
			}
			if known := s.ask(ctx, r, "num-other-sentinels"); known != "2" {
				return false
			}
		}
		for _, r := range s.Replicas {
			client := redis.NewClient(&redis.Options{Addr: r.Addr()})
			info, err := client.Info(ctx, "replication").Result()
			_ = client.Close()
			if err != nil || !strings.Contains(info, "master_link_status:up") {
				return false
			}
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Addrs are the Sentinels' addresses.
func (s *Sentinels) Addrs() []string {
	var addrs []string
	for _, r := range s.sentinels {
		addrs = append(addrs, r.Addr())
	}
	return addrs
}

// AwaitFailover waits until the Sentinels name another master than the first.
func (s *Sentinels) AwaitFailover(t testing.TB) {
	t.Helper()
	_, old, err := net.SplitHostPort(s.Master.Addr())
	if err != nil {
		t.Fatal(err)
	}
	err = together(t.Context(), "the Sentinels to name another master", func(ctx context.Context) bool {
		port := s.ask(ctx, s.sentinels[0], "port")
		return port != "" && port != old
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ask returns one field of what a Sentinel knows of the master, "" if it does
// not answer.
func (s *Sentinels) ask(ctx context.Context, sentinel *local.Redis, field string) string {
	client := redis.NewSentinelClient(&redis.Options{Addr: sentinel.Addr()})
	defer func() { _ = client.Close() }()
	master, err := client.Master(ctx, SentinelMaster).Result()
	if err != nil {
		return ""
	}
	return fmt.Sprint(master[field])
}
