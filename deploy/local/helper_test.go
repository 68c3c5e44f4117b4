package local

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain lets the test binary play the part of a program that starts
// servers and is then killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("HITL_LOCAL_TEST_OWNER"); dir != "" {
		os.Exit(ownServers(dir))
	}
	goleak.VerifyTestMain(m)
}

// ownServers starts both servers in dir, says where they are and waits to be
// killed.
func ownServers(dir string) int {
	ctx := context.Background()
	pg, err := StartPostgres(ctx, PostgresOptions{Dir: dir + "/postgres"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	rd, err := StartRedis(ctx, RedisOptions{Dir: dir + "/redis", NoStandIn: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(pg.DSN(), rd.URL(), pg.proc.cmd.Process.Pid, rd.proc.cmd.Process.Pid)
	_, _ = os.Stdin.Read(make([]byte, 1))
	return 1
}
