package main

import (
	"slices"
	"strings"
)

// Sample is what was seen at one time. Values are by the names of series; what could not be known is missing.
type Sample struct {
	Seconds float64            `json:"seconds"` // since the load began
	Values  map[string]float64 `json:"values"`
}

// Series is one of the things that are watched, and what became of it.
type Series struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	judgement
}

// watched says how a series is judged. The growth that is allowed is over the time that is judged, four fifths of the run.
type watched struct {
	name, unit string
	band       band
	grows      bool // it has to
}

// Bands: of memory a twentieth; of what is counted, a few, which is less than any leak of half an hour at thousands of items; of work that waits, what would
// be through in a moment; of times, a quarter.
var (
	memoryBand = band{share: 0.05, unit: 1}
	countBand  = band{unit: 5}
	workBand   = band{share: 0.25, unit: 20}
	rateBand   = band{share: 0.05}
	timeBand   = band{share: 0.25, unit: 1}
)

func watchedSeries() []watched {
	return []watched{
		{name: "items answered", unit: "/s", band: rateBand},
		{name: "requests failed", unit: "/s", band: band{unit: 0.001}},
		{name: "median latency", unit: "ms", band: timeBand},
		{name: "p99 latency", unit: "ms", band: timeBand},
		{name: "arrivals posted late", unit: "/s", band: band{share: 0.25, unit: 5}},
		{name: "reviews pending", unit: "", band: workBand},
		{name: "callbacks pending", unit: "", band: workBand},
		{name: "jobs pending", unit: "", band: workBand},
		{name: "log entries outside the tree", unit: "", band: workBand},
		{name: "resident memory", unit: "MiB", band: memoryBand},
		{name: "heap in use", unit: "MiB", band: memoryBand},
		{name: "heap live after GC", unit: "MiB", band: memoryBand},
		{name: "goroutines", unit: "", band: countBand},
		{name: "open files", unit: "", band: countBand},
		{name: "CPU", unit: "cores", band: band{share: 0.05, unit: 0.02}},
		{name: "GC's share of CPU", unit: "%", band: band{share: 0.1, unit: 0.5}},
		{name: "database", unit: "MiB", grows: true},
		{name: "WAL per item", unit: "KiB", band: band{share: 0.1, unit: 0.1}},
		{name: "connections to Postgres", unit: "", band: band{unit: 2}},
		{name: "Redis memory", unit: "MiB", band: band{share: 0.05, unit: 0.25}},
		{name: "Redis keys", unit: "", band: band{unit: 5}},
		{name: "Redis stream entries", unit: "", band: workBand},
		{name: "Redis clients", unit: "", band: band{unit: 2}},
	}
}

// What is known of a table; "log" has "log rows" and so on.
const tableMiB, tableRows, tableDead, tablePerRow, tableDeadShare = " MiB", " rows", " dead rows", " bytes per row", " dead per live row"

const (
	bigTable  = 0.25 // MiB at the end; what is smaller is not judged
	manyRows  = 500  // from so many on, a table's size is judged by its rows
	deadTable = 0.1  // share of dead rows that one is worth a line from
)

// judged are all series of a run.
func judged(samples []Sample) (all []Series) {
	add := func(w watched) {
		hours, values := column(samples, w.name)
		if len(values) == 0 {
			return
		}
		s := Series{Name: w.name, Unit: w.unit, judgement: judge(hours, values, w.band)}
		if w.grows && s.Verdict != tooShort {
			s.Verdict = byDesign
		}
		all = append(all, s)
	}
	for _, w := range watchedSeries() {
		add(w)
	}
	if len(samples) == 0 {
		return all
	}
	last := samples[len(samples)-1].Values
	for _, table := range tablesOf(last) {
		switch grew := growsByRows(samples, table); {
		case last[table+tableMiB] < bigTable:
		case last[table+tableRows] < manyRows:
			add(watched{name: table + tableMiB, unit: "MiB", band: band{share: 0.05, unit: 0.25}, grows: grew})
		default:
			add(watched{name: table + tableMiB, unit: "MiB", grows: true})
			add(watched{name: table + tablePerRow, unit: "B", band: band{share: 0.05}})
			if _, values := column(samples, table+tableDeadShare); slices.Max(values) >= deadTable {
				add(watched{name: table + tableDeadShare, unit: "", band: band{share: 0.25, unit: 0.1}})
			}
		}
	}
	return all
}

// unknown are the series that no sample has: this system's kernel, or an older service, does not tell.
func unknown(samples []Sample) (names []string) {
	for _, w := range watchedSeries() {
		if _, values := column(samples, w.name); len(values) == 0 {
			names = append(names, w.name)
		}
	}
	return names
}

// growsByRows says whether a table has more rows at the end than after the warm-up, by a tenth.
func growsByRows(samples []Sample, table string) bool {
	_, rows := afterWarmUp(column(samples, table+tableRows))
	return len(rows) > 0 && rows[len(rows)-1] > 1.1*rows[0]
}

// column is one series over the samples, in hours.
func column(samples []Sample, name string) (hours, values []float64) {
	for _, s := range samples {
		if v, ok := s.Values[name]; ok {
			hours, values = append(hours, s.Seconds/3600), append(values, v)
		}
	}
	return hours, values
}

func tablesOf(values map[string]float64) (names []string) {
	for name := range values {
		if table, ok := strings.CutSuffix(name, tableRows); ok && !strings.HasSuffix(name, tableDead) {
			names = append(names, table)
		}
	}
	slices.Sort(names)
	return names
}
