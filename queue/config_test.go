package queue

import (
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/deploy/local/localtest"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	one, two := []string{"a:1"}, []string{"a:1", "b:1"}
	tests := map[string]struct {
		cfg  Config
		want string // "" if it is right
	}{
		"single":            {Config{Addrs: one}, ""},
		"sentinel":          {Config{Addrs: two, Mode: ModeSentinel, MasterName: "m", DB: 2}, ""},
		"cluster":           {Config{Addrs: one, Mode: ModeCluster}, ""},
		"no address":        {Config{}, "no address"},
		"two singles":       {Config{Addrs: two}, "one address"},
		"nameless master":   {Config{Addrs: one, Mode: ModeSentinel}, "master's name"},
		"needless master":   {Config{Addrs: one, MasterName: "m"}, "only sentinel mode"},
		"cluster database":  {Config{Addrs: one, Mode: ModeCluster, DB: 1}, "only database 0"},
		"unknown mode":      {Config{Addrs: one, Mode: "ring"}, `"ring"`},
		"tag in the prefix": {Config{Addrs: one, Prefix: "{x}"}, "hash tag"},
		"short stall":       {Config{Addrs: one, StallAfter: 1}, "stall time"},
		"long stall":        {Config{Addrs: one, StallAfter: 48 * time.Hour}, "stall time"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.cfg.withDefaults().validate()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil {
				if _, err := Open(t.Context(), tt.cfg); err == nil {
					t.Error("opened")
				}
			}
		})
	}
}

// A cluster runs a script only if all its keys have the same hash tag: what
// is between the first { and the next }.
func TestKeysShareHashTag(t *testing.T) {
	t.Parallel()
	c := &Client{cfg: Config{Prefix: "hitl"}}
	for _, queue := range []string{"support", "a b", "ünïcode", "x:y"} {
		keys, err := c.keys(queue)
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) != keyStreams+len(hitl.Priorities()) {
			t.Errorf("keys %q", keys)
		}
		seen := map[string]bool{}
		for _, key := range append(keys, c.leaseKey(queue)) {
			_, rest, _ := strings.Cut(key, "{")
			tag, _, ok := strings.Cut(rest, "}")
			if !ok || tag != queue {
				t.Errorf("key %q has the hash tag %q, want %q", key, tag, queue)
			}
			if seen[key] {
				t.Errorf("key %q twice", key)
			}
			seen[key] = true
		}
	}
}

func TestWrongArguments(t *testing.T) {
	t.Parallel()
	c := open(t, at(localtest.Redis(t)))
	ctx := t.Context()
	calls := map[string]error{
		"unknown priority": c.Add(ctx, support, Entry{"r", "soon"}),
		"no id":            c.Add(ctx, support, Entry{"", hitl.PriorityUrgent}),
		"no queue":         c.Add(ctx, "", Entry{"r", hitl.PriorityUrgent}),
		"braces":           c.Done(ctx, "a}b", "r"),
		"release":          c.Release(ctx, "{", "r"),
	}
	_, calls["no consumer"] = c.Next(ctx, support, "", 1, 0)
	_, calls["no limit"] = c.Next(ctx, support, "a", 0, 0)
	_, calls["next"] = c.Next(ctx, "", "a", 1, 0)
	_, calls["len"] = c.Len(ctx, "")
	_, calls["has"] = c.Has(ctx, "", "r")
	_, calls["list"] = c.List(ctx, "", 1)
	_, calls["depths"] = c.Depths(ctx, "")
	_, calls["epoch"] = c.Epoch(ctx, "")
	_, calls["rebuild"] = c.Rebuild(ctx, "", newLedger(), nil)
	for name, err := range calls {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if n, err := c.Len(ctx, support); err != nil || n != 0 {
		t.Errorf("%d added, %v", n, err)
	}
}
