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
		fmt.Fprintln(os.Stderr, ownServers(dir))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// ownServers starts both servers in dir, says where they are and waits to be
// killed.
func ownServers(dir string) error {
	ctx := context.Background()
	pg, err := StartPostgres(ctx, PostgresOptions{Dir: dir + "/postgres"})
	if err != nil {
		return err
	}
	rd, err := StartRedis(ctx, RedisOptions{Dir: dir + "/redis", NoStandIn: true})
	if err != nil {
		return err
	}
	fmt.Println(pg.DSN(), rd.URL(), pg.proc.cmd.Process.Pid, rd.proc.cmd.Process.Pid)
	_, err = os.Stdin.Read(make([]byte, 1))
	return err
}
