package main

import (
	"testing"

	"go.uber.org/goleak"

	"hitl/deploy/local/localtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(localtest.Wrap(m)) }
