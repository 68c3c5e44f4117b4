package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hitl"
	"hitl/audit/verify"
)

// outsider is who checks a service with nothing but its URL.
type outsider struct {
	*world
	public string
	state  string
}

// verifyURL runs hitl verify without a configuration that it could read.
func (o outsider) verifyURL(at string, args ...string) (string, error) {
	return o.hitl(append([]string{"--config", "/nonexistent", "verify", "--url", at, "--key", o.public}, args...)...)
}

// An outsider checks a running service over HTTP, and whatever stands between them and lies is found out.
func TestServiceIsCheckedOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	keys := strings.Fields(w.mustHitl("log", "key", "log.example.org"))
	private, public := keys[0], keys[1]
	o := outsider{w, public, filepath.Join(w.dir, "state.json")}
	if out, err := o.verifyURL(w.url); err == nil || !strings.Contains(err.Error(), "no signed checkpoint") || out != "" {
		t.Errorf("nothing is signed: %v, %s", err, out)
	}
	w.appendConfig("audit: {key: \"" + private + "\", checkpoint_every: 1s}\n")
	it := w.post("a", sureText, http.StatusOK)
	w.post("b", unsureText, http.StatusAccepted)
	old := w.signed("2")
	w.asSuperuser(`INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
		SELECT 'itm_' || i, now(), 'AI_ACCEPTED', '\x01', 'A', 0.5, 'A', '', 'm', 'p', '{}' FROM generate_series(1, 598) i`)
	w.start()
	latest := w.signed("600")

	for _, args := range [][]string{nil, {"--state", o.state}, {"--state", o.state}, {"--witness", w.file("witness.txt", old)}, {"--json"}} {
		out, err := o.verifyURL(w.url, args...)
		if err != nil || !strings.Contains(out, "600") || len(args) == 0 && !strings.Contains(out, "every tile is that of the signed tree") {
			t.Errorf("verify --url %v: %v, printed %s", args, err, out)
		}
	}
	withKey := []string{"--item", it.ID, "--bearer-key", storyKey}
	if out, err := o.verifyURL(w.url+"/", append(withKey, "--state", o.state)...); err != nil || !strings.Contains(out, "of 600 is in the log") ||
		!strings.Contains(out, it.ID+" AI_ACCEPTED") {
		t.Errorf("verify --item: %v, printed %s", err, out)
	}
	// The key comes from the state file, too.
	if out, err := w.hitl("--config", "/nonexistent", "verify", "--url", w.url, "--state", o.state); err != nil {
		t.Errorf("verify with the state's key: %v, %s", err, out)
	}
	w.proveAsSumDB(latest, it)
	w.proveAsTorchwood(public, it)

	otherKeys := strings.Fields(w.mustHitl("log", "key", "log.example.org"))
	fork := newFakeLog(t, private, 600, 100)
	for name, c := range map[string]struct {
		at   string
		args []string
		want string
	}{
		"leaf tile": {
			at:   o.lies(edit("tile/8/0/000", func(b []byte) []byte { b[77] ^= 1; return b })),
			want: "tile/8/0/000 was altered: its hash is not the one in tile/8/1/000.p/2",
		},
		"another leaf tile": {at: o.lies(edit("tile/8/0/001", func(b []byte) []byte { b[8191] ^= 1; return b })), want: "tile/8/0/001 was altered"},
		"edge":              {at: o.lies(edit("tile/8/0/002.p/88", func(b []byte) []byte { b[0] ^= 1; return b })), want: "one of tile/8/0/002.p/88, tile/8/1/000.p/2 was altered"},
		"upper tile":        {at: o.lies(edit("tile/8/1/000.p/2", func(b []byte) []byte { b[0] ^= 1; return b })), want: "tile/8/1/000.p/2 was altered"},
		"cut tile":          {at: o.lies(edit("tile/8/0/001", func(b []byte) []byte { return b[:8160] })), want: "tile/8/0/001 was altered: it has 8160 bytes"},
		"huge tile":         {at: o.lies(edit("tile/8/0/001", func(b []byte) []byte { return make([]byte, 1<<20) })), want: "answered more than 8193 bytes"},
		"missing tile":      {at: o.lies(answers("tile/8/0/001", http.StatusNotFound, "")), want: "tile/8/0/001 answered 404"},
		"rollback":          {at: o.lies(edit("checkpoint", func([]byte) []byte { return []byte(old) })), args: []string{"--state", o.state}, want: "the log was cut: its checkpoint has 2 entries"},
		"all gone":          {at: o.lies(answers("checkpoint", http.StatusNotFound, "")), args: []string{"--state", o.state}, want: "the log was cut: it has no checkpoint any more"},
		"fork":              {at: fork.url, args: []string{"--state", o.state}, want: "the log was forked: it is not the one of the checkpoint in " + o.state + " of size 600"},
		"fork of a witness": {at: fork.url, args: []string{"--witness", w.file("latest.txt", "pasted:\n> "+latest)}, want: "latest.txt of size 600"},
		"unsigned":          {at: o.lies(edit("checkpoint", func(b []byte) []byte { return append(b[:len(b)-9], "AAAAAAA=\n"...) })), want: "the checkpoint that is served is not the log's"},
		"another key":       {at: newFakeLog(t, otherKeys[0], 600, 100).url, want: "it is signed by log.example.org+"},
		"another root": {
			at:   o.lies(edit("checkpoint", func(b []byte) []byte { return []byte(newFakeLog(t, private, 600, 50).signed) })),
			want: "was altered",
		},
		"no log":          {at: o.lies(answers("checkpoint", http.StatusOK, "<html>hello</html>")), want: "serves no log of hitl"},
		"huge checkpoint": {at: o.lies(answers("checkpoint", http.StatusOK, strings.Repeat("x", 1<<20))), want: "answered more than 65536 bytes"},
		"redirect":        {at: o.lies(redirects), want: "redirects are not followed"},
		"broken":          {at: o.lies(answers("checkpoint", http.StatusInternalServerError, "")), want: "answered 500"},
		"slow":            {at: o.lies(hangs("checkpoint", false)), args: []string{"--timeout", "50ms"}, want: "no whole answer within 50ms"},
		"trickling":       {at: o.lies(hangs("tile/8/0/001", true)), args: []string{"--timeout", "50ms"}, want: "no whole answer within 50ms"},
		"nobody there":    {at: "http://127.0.0.1:1", want: "127.0.0.1:1 cannot be reached"},

		"another label": {
			at:   o.lies(edit(it.ID+"/log", func(b []byte) []byte { return replace(b, `"label":"`+it.Label, `"label":"X`) })),
			args: withKey, want: "is not what the log holds: its label differs",
		},
		"another entry": {
			at:   o.lies(edit(it.ID+"/log", func(b []byte) []byte { return replace(b, `"status":"AI_ACCEPTED"`, `"status":"HUMAN_ACCEPTED"`) })),
			args: withKey, want: "its status differs",
		},
		"no entries":    {at: o.lies(edit(it.ID+"/log", func(b []byte) []byte { return replace(b, `"entries":`, `"others":`) })), args: withKey, want: "left out of the entries"},
		"another item":  {at: o.lies(answers("itm_other/log", http.StatusOK, string(w.request(http.MethodGet, "/v1/items/"+it.ID+"/log", nil, nil).body))), args: []string{"--item", "itm_other", "--bearer-key", storyKey}, want: "not of \"itm_other\""},
		"no JSON":       {at: o.lies(answers(it.ID+"/log", http.StatusOK, "{")), args: withKey, want: "read the answer about"},
		"huge answer":   {at: o.lies(answers(it.ID+"/log", http.StatusOK, strings.Repeat(" ", 17<<20))), args: withKey, want: "answered more than 16777216 bytes"},
		"two faces":     {at: o.lies(fork.handler()), args: withKey, want: "the log was forked"},
		"wrong API key": {at: w.url, args: []string{"--item", it.ID, "--bearer-key", "wrong"}, want: "does not take the key"},
		"unknown item":  {at: w.url, args: []string{"--item", "itm_none", "--bearer-key", storyKey}, want: "no item itm_none"},
		"item, cut":     {at: o.lies(edit("checkpoint", func([]byte) []byte { return []byte(old) })), args: append(withKey, "--witness", w.file("more.txt", newFakeLog(t, private, 700, 700).signed)), want: "the log was cut: it had 700 entries"},
		"item, forked":  {at: w.url, args: append(withKey, "--witness", w.file("forked.txt", fork.signed)), want: "the log was forked"},
	} {
		out, err := o.verifyURL(c.at, c.args...)
		if err == nil || !strings.Contains(out+err.Error(), c.want) {
			t.Errorf("%s: want %q, got %v, printed %s", name, c.want, err, out)
		}
		if p := (program{stderr: io.Discard}); err != nil && p.exitCode(t.Context(), err) != exitFailure {
			t.Errorf("%s: exit code %d", name, p.exitCode(t.Context(), err))
		}
	}
	// A proof in a file is held to what it says, too.
	answer := w.request(http.MethodGet, "/v1/items/"+it.ID+"/log", nil, nil).body
	if out, err := w.hitl("verify", "--key", public, "--proof", w.file("proof.json", string(answer))); err != nil {
		t.Errorf("verify --proof: %v, %s", err, out)
	}
	lie := w.file("lie.json", string(replace(answer, `"label":"`+it.Label, `"label":"X`)))
	if out, err := w.hitl("verify", "--key", public, "--proof", lie); err == nil || !strings.Contains(err.Error(), "its label differs") || out != "" {
		t.Errorf("verify --proof of a lie: %v, %s", err, out)
	}
}

// signed waits for the checkpoint of a size.
func (w *world) signed(size string) string {
	w.t.Helper()
	var a answer
	w.eventually("a checkpoint of "+size, func() bool {
		a = w.request(http.MethodGet, "/v1/log/checkpoint", nil, nil)
		return a.status == http.StatusOK && strings.HasPrefix(string(a.body), "log.example.org\n"+size+"\n")
	})
	return string(a.body)
}

func (w *world) file(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// proofs are the API's proofs of an item. There is at least one.
func (w *world) proofs(it item) []hitl.EntryProof {
	w.t.Helper()
	var answer verify.ItemLog
	w.request(http.MethodGet, "/v1/items/"+it.ID+"/log", nil, &answer)
	if len(answer.Proof.Proofs) == 0 {
		w.t.Fatalf("item %s has no proofs", it.ID)
	}
	return answer.Proof.Proofs
}

// proveAsSumDB proves an item's entries as clients of the Go checksum database do: with x/mod's own readers and checks.
func (w *world) proveAsSumDB(signed string, it item) {
	w.t.Helper()
	tree, err := tlog.ParseTree([]byte("go.sum database tree\n" + strings.SplitN(signed, "\n", 2)[1]))
	if err != nil {
		w.t.Fatal(err)
	}
	reader := tlog.TileHashReader(tree, servedTiles{w})
	for _, p := range w.proofs(it) {
		proof, err := tlog.ProveRecord(tree.N, p.Position, reader)
		if err == nil {
			err = tlog.CheckRecord(proof, tree.N, tree.Hash, p.Position, tlog.RecordHash(p.Leaf))
		}
		if err != nil {
			w.t.Errorf("position %d: %v", p.Position, err)
		}
	}
}

// lie answers a request itself, or changes what the service has answered; false leaves it to the service.
type lie func(w http.ResponseWriter, r *http.Request, honest func() []byte) bool

// lies starts a server that passes everything on to the service but what it lies about.
func (o outsider) lies(l lie) string {
	o.t.Helper()
	honest := func(r *http.Request) (int, []byte) { // whoever asks may have heard enough, and gone
		req, err := http.NewRequestWithContext(r.Context(), r.Method, o.url+r.URL.Path, nil)
		if err != nil {
			return http.StatusBadGateway, nil
		}
		req.Header.Set("Authorization", r.Header.Get("Authorization"))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return http.StatusBadGateway, nil
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return http.StatusBadGateway, nil
		}
		return res.StatusCode, body
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l(w, r, func() []byte { _, body := honest(r); return body }) {
			return
		}
		status, body := honest(r)
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}))
	o.t.Cleanup(server.Close)
	return server.URL
}

func edit(path string, change func([]byte) []byte) lie {
	return func(w http.ResponseWriter, r *http.Request, honest func() []byte) bool {
		if !strings.HasSuffix(r.URL.Path, "/"+path) {
			return false
		}
		_, _ = w.Write(change(honest()))
		return true
	}
}

func answers(path string, status int, body string) lie {
	return func(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
		if !strings.HasSuffix(r.URL.Path, "/"+path) {
			return false
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}

func redirects(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
	http.Redirect(w, r, (&url.URL{Scheme: "http", Host: "127.0.0.1:1"}).String(), http.StatusFound)
	return true
}

// hangs never comes to an end, after a beginning or without one.
func hangs(path string, begins bool) lie {
	return func(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
		if !strings.HasSuffix(r.URL.Path, "/"+path) {
			return false
		}
		if begins {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
		return true
	}
}

func replace(b []byte, old, by string) []byte {
	if !strings.Contains(string(b), old) {
		return []byte("the test replaces nothing: no " + old)
	}
	return []byte(strings.Replace(string(b), old, by, 1))
}

// fakeLog serves another log of n entries, signed by a key.
type fakeLog struct {
	url    string
	signed string
	files  map[string][]byte
}

func newFakeLog(t *testing.T, private string, n, seed int) *fakeLog {
	t.Helper()
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeLog{files: map[string][]byte{}}
	put := func(level int, n int64, hashes []tlog.Hash) {
		f.files["/v1/log/"+tlog.Tile{H: 8, L: level, N: n, W: len(hashes)}.Path()] = verify.JoinHashes(hashes)
	}
	var tree verify.Tree
	for i := range n {
		tree.Append(tlog.RecordHash([]byte{byte(seed), byte(seed >> 8), byte(i), byte(i >> 8), byte(i >> 16)}), put)
	}
	tree.Edge(put)
	if f.signed, err = verify.SignCheckpoint(verify.Checkpoint{Size: tree.Size(), Root: tree.Root()}, signer); err != nil {
		t.Fatal(err)
	}
	f.files["/v1/log/checkpoint"] = []byte(f.signed)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, ok := f.files[r.URL.Path]; ok {
			_, _ = w.Write(body)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// handler shows the fake log to everybody and the honest proofs to the owner of one item.
func (f *fakeLog) handler() lie {
	return func(w http.ResponseWriter, r *http.Request, _ func() []byte) bool {
		body, ok := f.files[r.URL.Path]
		if ok {
			_, _ = w.Write(body)
		}
		return ok
	}
}

// A long log says how far its check has come.
func TestLongLogShowsProgress(t *testing.T) {
	t.Parallel()
	w := &world{t: t, dir: t.TempDir()}
	keys := strings.Fields(w.mustHitl("log", "key", "log.example.org"))
	long := newFakeLog(t, keys[0], progressEvery+5, 0)
	var out, errOut strings.Builder
	p := program{stdin: strings.NewReader(""), stdout: &out, stderr: &errOut, env: os.LookupEnv}
	err := p.run(t.Context(), []string{"verify", "--url", long.url, "--key", keys[1], "--json"})
	var report verify.Report
	if err != nil || json.Unmarshal([]byte(out.String()), &report) != nil || report.Signed != progressEvery+5 {
		t.Errorf("%v, printed %s", err, out.String())
	}
	if errOut.String() != "262144 of 262149 entries\n" {
		t.Errorf("standard error: %q", errOut.String())
	}
}
