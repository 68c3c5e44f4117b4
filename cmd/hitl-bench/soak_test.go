package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestCheckSoak(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		o    options
		want string
	}{
		"good":       {options{Soak: 30 * time.Minute, Share: 0.8}, ""},
		"all of it":  {options{Soak: shortestSoak, Share: 1}, ""},
		"quick":      {options{Soak: time.Hour, Share: 0.8, Quick: true}, "--soak 20s"},
		"rows":       {options{Soak: time.Hour, Share: 0.8, Only: []string{"ingest"}}, "--only"},
		"runs":       {options{Soak: time.Hour, Share: 0.8, Runs: 5}, "--runs"},
		"too short":  {options{Soak: time.Second, Share: 0.8}, "30m"},
		"negative":   {options{Soak: -time.Hour, Share: 0.8}, "too short"},
		"no share":   {options{Soak: time.Hour}, "--share"},
		"over share": {options{Soak: time.Hour, Share: 80}, "--share 80"},
	} {
		var stdout, stderr bytes.Buffer
		err := test.o.checkSoak()
		if test.want != "" { // and the command must say so before it starts anything
			err = run(t.Context(), test.o, &stdout, &stderr)
		}
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if stdout.Len() > 0 || stderr.Len() > 0 {
			t.Errorf("%s: it began: %s%s", name, &stdout, &stderr)
		}
	}
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	var r receipts
	for _, n := range []int{0, 63, 64, 64, 100_000, 0} {
		if err := r.read(strings.NewReader(fmt.Sprintf(`{"type":"item.decided","data":{"external_id":"order-%d"}}`, n))); err != nil {
			t.Fatal(err)
		}
	}
	if r.distinct() != 4 || r.repeated() != 2 {
		t.Errorf("%d different and %d repeated, want 4 and 2", r.distinct(), r.repeated())
	}
	for _, bad := range []string{``, `{}`, `{"type":"item.decided","data":{"external_id":"order-x"}}`, `{"type":"item.reopened","data":{"external_id":"order-5"}}`} {
		if err := r.read(strings.NewReader(bad)); err == nil {
			t.Errorf("%q counts as a callback", bad)
		}
	}
}

func TestParseMetrics(t *testing.T) {
	t.Parallel()
	got, err := parseMetrics(strings.NewReader("# HELP go_goroutines x\n# TYPE go_goroutines gauge\ngo_goroutines 12\n" +
		"process_resident_memory_bytes 1.5e+08\nhitl_items_total{source=\"a b\"} 7\n"))
	if err != nil || len(got) != 2 || got["go_goroutines"] != 12 || got["process_resident_memory_bytes"] != 1.5e8 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := parseMetrics(strings.NewReader("a b\n")); err == nil {
		t.Error("a metric without a number passes")
	}
}

// TestJudged looks at a run of which is known what grows: the report must name just that.
func TestJudged(t *testing.T) {
	t.Parallel()
	var samples []Sample
	for i := range 180 {
		hour := float64(i) / 360
		v := map[string]float64{
			"items answered": 1000, "resident memory": 100 + 60*hour, "goroutines": 200, "database": 100 + 1000*hour,
			"log" + tableMiB: 10 + 500*hour, "log" + tableRows: 10_000 + 1e6*hour, "log" + tablePerRow: 540, "log" + tableDead: 0, "log" + tableDeadShare: 0,
			"reviews" + tableMiB: 5 + 10*hour, "reviews" + tableRows: 2000 + 1000*hour, "reviews" + tablePerRow: 700 + 400*hour, "reviews" + tableDead: 9000,
			"reviews" + tableDeadShare: 4 + hour/100, "timers" + tableMiB: 0.03, "timers" + tableRows: 7,
			"attempts" + tableMiB: 1 + 20*hour, "attempts" + tableRows: 4, "log_tiles" + tableMiB: 1 + hour, "log_tiles" + tableRows: 10 + 100*hour,
		}
		if i == 90 {
			delete(v, "goroutines") // a sample may lack something
		}
		samples = append(samples, Sample{Seconds: 10 * float64(i), Values: v})
	}
	got := map[string]verdict{}
	r := SoakReport{Length: 1800, Series: judged(samples), Samples: samples, Checks: []Check{equal("items", 4, 4), equal("callbacks", 3, 4)}}
	for _, s := range r.Series {
		got[s.Name] = s.Verdict
	}
	want := map[string]verdict{
		"items answered": flat, "resident memory": grows, "goroutines": flat, "database": byDesign, "log" + tableMiB: byDesign, "log" + tablePerRow: flat,
		"reviews" + tableMiB: byDesign, "reviews" + tablePerRow: grows, "reviews" + tableDeadShare: flat, "attempts" + tableMiB: grows,
		"log_tiles" + tableMiB: byDesign,
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s: %q, want %q", name, got[name], want[name])
		}
	}
	if lacking := strings.Join(unknown(samples), ", "); !strings.Contains(lacking, "heap in use, ") || strings.Contains(lacking, "goroutines") {
		t.Errorf("unknown: %s", lacking)
	}
	if len(got) != len(want) {
		t.Errorf("there are %d series, want %d: %v", len(got), len(want), got)
	}

	var table, object bytes.Buffer
	if err := errors.Join(r.print(&table, false), r.print(&object, true)); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"grows 60.0/h", "by design", "over the 24m0s judged", "FAILED  callbacks: 3, want 4", "ok      items: 4"} {
		if !strings.Contains(table.String(), words) {
			t.Errorf("the report lacks %q:\n%s", words, &table)
		}
	}
	var back SoakReport
	if err := json.Unmarshal(object.Bytes(), &back); err != nil || len(back.Samples) != len(samples) || len(back.Series) != len(r.Series) {
		t.Errorf("the object holds %d samples and %d series: %v", len(back.Samples), len(back.Series), err)
	}
	if memory := back.Series[1]; memory.Name != "resident memory" || math.Abs(memory.PerHour-60) > 0.01 {
		t.Errorf("the slope is lost: %+v", memory)
	}
	if err := r.failure(); err == nil || err.Error() != "callbacks: 3, want 4" {
		t.Errorf("growth is no failure and what was lost is: %v", err)
	}
}
