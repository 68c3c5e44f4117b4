package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hitl"
	"hitl/classifier/starter"
)

// modelOf posts a text, and returns the version of the model that judged it.
func (w *world) modelOf(text string) (item, string) {
	w.t.Helper()
	var it item
	resp := w.request(http.MethodPost, "/v1/items", map[string]any{"id": fmt.Sprint("m-", time.Now().UnixNano()), "text": text}, &it)
	if resp.status >= 300 {
		w.t.Fatalf("POST: status %d: %s", resp.status, resp.body)
	}
	var one struct {
		Model string `json:"model"`
	}
	w.request(http.MethodGet, "/v1/items/"+it.ID, nil, &one)
	return it, one.Model
}

// A classifier begins with labels and nothing else: people answer, a model learns from them, an owner has it run, and it accepts nothing that was not promised.
// Rollback goes back to people alone. All of it while the service runs, and after a new start.
func TestFromLabelsToModel(t *testing.T) {
	t.Parallel()
	labels := []string{"billing", "delivery", "account", "product", "other"}
	w := newWorld(t, func(s *storySettings) {
		s.Model, s.Labels, s.Queue, s.Backlog = "", labels, "    owners: {users: [U0ANA]}", 10000
	})
	w.appendConfig("audit: {key: \"" + strings.Fields(w.mustHitl("log", "key", "log.example.org"))[0] + "\", checkpoint_every: 1s}\n")
	if out := w.mustHitl("policy", "show", "sentiment", "--format", "table"); !strings.Contains(out, "confidence whatever it is") {
		t.Errorf("policy: %s", out)
	}
	examples, err := exampleFile(tickets).examples(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	store := w.ledger()
	for i, e := range examples {
		it := w.post(fmt.Sprint("t-", i), e.Text, http.StatusAccepted)
		if !slices.Contains(it.Triggers, hitl.TriggerNoModel) || it.AILabel != "" || it.Review == nil {
			t.Fatalf("without a model: %+v", it)
		}
		d := hitl.Decision{ReviewID: it.Review.ID, Round: 1, Status: hitl.HumanCorrected, Label: e.Label, Reviewer: hitl.Reviewer{Team: "T0SLACKSIM", User: "U0BEN"}, At: time.Now()}
		if _, _, err := store.Decide(t.Context(), d, nil); err != nil {
			t.Fatal(err)
		}
	}
	w.mustHitl("train", "--classifier", "sentiment", "--propose")
	var list []listedModel
	if err := json.Unmarshal([]byte(w.mustHitl("model", "list", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].State != "proposed" || len(list[0].Labels) != 4 {
		t.Fatalf("the registry has %+v", list)
	}
	w.eventually("the owner accepts the model", func() bool {
		for _, m := range w.sim.Messages(reviewChannel) {
			if strings.Contains(m.Text, "Proposal: another model for sentiment") {
				w.click("U0ANA", m, "Accept")
				return true
			}
		}
		return false
	})
	runs := func() bool { _, version := w.modelOf("My parcel never came."); return version == list[0].Version }
	w.eventually("the model runs", runs)
	it, _ := w.modelOf("My parcel has not arrived yet")
	if it.Status != hitl.HumanReview || !slices.Equal(it.Triggers, []hitl.Trigger{hitl.TriggerLowConfidence}) || !slices.Contains(list[0].Labels, it.AILabel) {
		t.Errorf("with a model and no promise: %+v", it)
	}
	d := hitl.Decision{ReviewID: it.Review.ID, Round: 1, Status: hitl.HumanCorrected, Label: "other", Reviewer: hitl.Reviewer{Team: "T0SLACKSIM", User: "U0BEN"}, At: time.Now()}
	if _, _, err := store.Decide(t.Context(), d, nil); err != nil {
		t.Errorf("a label that only people know: %v", err)
	}
	w.stop()
	w.start()
	if !runs() { // from the first item on
		t.Error("the promoted model does not run after a new start")
	}
	w.mustHitl("model", "rollback", "--by", "cli/ben")
	w.eventually("people alone answer", func() bool {
		it, _ := w.modelOf("My parcel never came.")
		return slices.Equal(it.Triggers, []hitl.Trigger{hitl.TriggerNoModel})
	})
	if _, err := w.hitl("model", "rollback"); err == nil || !strings.Contains(err.Error(), "nothing to go back to") {
		t.Errorf("a second time: %v", err)
	}
	if out := w.mustHitl("verify"); !strings.Contains(out, "nothing was altered") {
		t.Errorf("verify: %s", out)
	}
}

// altered returns a folder with the starter under another version, and, if labels are given, with other labels.
func altered(t *testing.T, note string, labels ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := os.CopyFS(dir, starter.FS()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.TrimRight(string(data), "\n}") + fmt.Sprintf(",\n\"note\": %q}\n", note)
	for i, from := range []string{"NEGATIVE", "POSITIVE"}[:len(labels)] {
		text = strings.ReplaceAll(text, `"`+from+`"`, `"`+labels[i]+`"`)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Models that were made elsewhere are added, promoted one after the other and taken back one after the other, while items come in; none is refused, and each
// names the model that judged it.
func TestPromoteAndRollBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, configured := w.modelOf(sureText)
	var versions []string
	for i := range 3 {
		out := w.mustHitl("model", "add", altered(t, fmt.Sprint("number ", i)))
		versions = append(versions, strings.Fields(out)[2])
	}
	if out := w.mustHitl("model", "add", altered(t, "number 1")); !strings.Contains(out, "has model "+versions[1]+" already") {
		t.Errorf("a second time: %s", out)
	}
	seen := map[string]bool{}
	runs := func(what, version string) {
		t.Helper()
		w.eventually(what, func() bool {
			it, v := w.modelOf(sureText)
			seen[v] = true
			return it.Status == hitl.AIAccepted && strings.HasPrefix(v, "sha256:"+version)
		})
	}
	for i, v := range versions {
		w.mustHitl("model", "promote", v)
		runs(fmt.Sprint("promoted ", i), v)
	}
	for i := range []int{1, 0} {
		w.mustHitl("model", "rollback")
		runs(fmt.Sprint("rolled back ", i), versions[1-i])
	}
	w.mustHitl("model", "rollback")
	runs("rolled back to the configured one", strings.TrimPrefix(configured, "sha256:"))
	if len(seen) != 4 {
		t.Errorf("items were judged by %v", seen)
	}
	if _, err := w.hitl("model", "rollback"); err == nil || !strings.Contains(err.Error(), "nothing to go back to") {
		t.Errorf("rolled back to nothing: %v", err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"model", "promote", "zzzz"}, "not found"},
		{[]string{"model", "promote", ""}, "not found"},
		{[]string{"model", "add", t.TempDir()}, "no model.onnx"},
		{[]string{"model", "list", "--classifier", "none"}, "is not configured"},
		{[]string{"train", "--classifier", "sentiment", "--data", tickets, "--propose"}, "can't be used together"},
		{[]string{"train", "--data", tickets}, "--out"},
	} {
		if _, err := w.hitl(c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.args, err)
		}
	}
}

// What cannot run does not take the place of what does: a policy that names labels that the model has not, a registry that has lost it.
func TestPromotedModelThatDoesNotFit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if out := w.mustHitl("model", "add", altered(t, "ok")); !strings.Contains(out, "added model") {
		t.Fatal(out)
	}
	w.stop()
	data, err := os.ReadFile(w.configFile())
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), "    queue: support\n    rules:", "    queue: support\n    always_review: [NEGATIVE]\n    rules:", 1)
	if err := os.WriteFile(w.configFile(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	if _, err := w.hitl("model", "add", altered(t, "other labels", "bad", "good")); err == nil || !strings.Contains(err.Error(), `the model has no label "NEGATIVE"`) {
		t.Errorf("labels that do not fit: %v", err)
	}
	_, configured := w.modelOf(sureText)
	var list []listedModel
	if err := json.Unmarshal([]byte(w.mustHitl("model", "list", "--json")), &list); err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := os.Remove(filepath.Join(w.dir, "models", "sentiment", strings.TrimPrefix(list[0].Version, "sha256:"), "model.onnx")); err != nil {
		t.Fatal(err)
	}
	w.mustHitl("model", "promote", list[0].Version)
	w.eventually("the service says that it cannot", func() bool { return strings.Contains(w.logs.String(), "an accepted change cannot be applied") })
	if it, version := w.modelOf(sureText); version != configured || it.Status != hitl.AIAccepted {
		t.Errorf("judged by %s: %+v", version, it)
	}
	w.stop()
	w.start() // with the configured model
	if _, version := w.modelOf(sureText); version != configured {
		t.Errorf("after a new start judged by %s", version)
	}
}
