package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"hitl"
)

func TestRuleLanguage(t *testing.T) {
	t.Parallel()
	item := dull()
	item.Text, item.Subject = "Grüße! Order 1234 is LATE", "anna"
	item.Metadata = map[string]any{
		"total": 120.5, "vip": true, "count": json.Number("3"), "tags": []any{"a", "b"}, "deep": map[string]any{"x": "y"}, "none": nil,
	}
	pred := says("POSITIVE", 0.9)
	for when, want := range map[string]bool{
		`item.id == "itm_1" && item.source == "orders" && item.external_id == "7" && item.subject == "anna"`:       true,
		`item.text.matches("(?i)order [0-9]{4}")`:                                                                  true,
		`item.text.lowerAscii().contains("late") && item.text.size() == 25`:                                        true,
		`item.text.split(" ").exists(w, w.startsWith("12"))`:                                                       true,
		`item.metadata.total > 120`:                                                                                true,
		`item.metadata.count == 3 && item.metadata.vip == true`:                                                    true,
		`"a" in item.metadata.tags && item.metadata.deep.x == "y"`:                                                 true,
		`has(item.metadata.missing) && item.metadata.missing > 1`:                                                  false,
		`item.metadata[?"missing"].orValue(0) > 1`:                                                                 false,
		`item.metadata.none == null`:                                                                               true,
		`item.metadata.map(k, k) == ["count", "deep", "none", "tags", "total", "vip"]`:                             true,
		`item.received_at.getDayOfWeek() == 0 && item.received_at.getHours() == 12`:                                true,
		`item.received_at > timestamp("2026-01-01T00:00:00Z")`:                                                     true,
		`prediction.label == "POSITIVE" && prediction.confidence > 0.8 && prediction.model == "m1"`:                true,
		`prediction.tokens < 5 && !prediction.truncated`:                                                           true,
		`prediction.confidence < 1`:                                                                                true,
		`prediction.scores.NEGATIVE > 0.05 && prediction.scores["POSITIVE"] - prediction.scores["NEGATIVE"] < 0.9`: true,
		`prediction.scores.exists(l, l != prediction.label && prediction.scores[l] > 0.4)`:                         false,
	} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			_, outcomes := withRule(t, when).Explain(item, pred, nil)
			if o := outcomes[0]; o.Holds != want || o.Err != nil {
				t.Errorf("holds %v, %v; want %v", o.Holds, o.Err, want)
			}
		})
	}
}

func TestBadRulesPointAtTheirPlace(t *testing.T) {
	t.Parallel()
	for when, want := range map[string]string{
		`itm.text == ""`:                             "when:1:1: undeclared reference to 'itm'",
		`item.txt == ""`:                             "when:1:5: undefined field 'txt'\n | item.txt == \"\"\n | ....^",
		"true &&\n item.text":                        "when:2:6: expected type 'bool' but found 'string'",
		`item.text`:                                  "is of type string, must be bool",
		`item.metadata.vip`:                          "is of type dyn, must be bool",
		`item.text ==`:                               "when:1:13: Syntax error",
		`item.text > 3`:                              "no matching overload",
		`item.text.matches("(")`:                     "when:1:19: invalid matches argument",
		`item.text.matches("(abcdefghij){900}")`:     "regex program size",
		`item.text.matches(item.subject)`:            "when:1:23: matches takes only a constant here",
		`matches(item.text, item.subject)`:           "matches takes only a constant here",
		`item.text.replace("", item.text) == ""`:     "replace takes only a constant here",
		`item.text.indexOf(item.subject) > 0`:        "indexOf takes only a constant here",
		`["a"].join(item.text) == ""`:                "join is not available in rules",
		`"%s".format([item.text]) == ""`:             "format is not available in rules",
		`item == item`:                               "item can only be asked for its fields",
		`dyn(prediction).label == ""`:                "prediction can only be asked for its fields",
		`[1].all(a, [1].all(b, [1].all(c, c == a)))`: "nesting",
		strings.Repeat("true && ", 2000) + "true":    "size exceeds limit",
		strings.Repeat("(", 1000):                    "recursion",
		`duration("soon") > duration("1s")`:          "invalid duration argument",
	} {
		_, err := New(Spec{Name: "p", Queue: "q", Rules: []Rule{{Name: "r", When: when}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s\n got: %.300v\nwant: %s", when, err, want)
		} else if !strings.Contains(err.Error(), `policy "p": rules[0] "r"`) {
			t.Errorf("the error does not name its rule: %v", err)
		}
	}
}

// The largest text that intake takes, of words made to be slow, must not stall a rule: it ends by its cost limit, and holds.
func TestHostileText(t *testing.T) {
	t.Parallel()
	item := dull()
	item.Text = strings.Repeat("aaaaaaaab ", hitl.MaxTextBytes/10)
	for _, when := range []string{
		`item.text.split("").all(c, item.text.contains(c))`,
		`item.text.split("").map(c, item.text.split("")).size() > 3`,
		`item.text.split(" ").all(a, item.text.split(" ").all(b, a == b || true))`,
	} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			_, outcomes := withRule(t, when).Explain(item, says("POSITIVE", 1), nil)
			if o := outcomes[0]; o.Err == nil || !o.Holds || !strings.Contains(o.Err.Error(), "cost limit") {
				t.Errorf("outcome = %+v", o)
			}
		})
	}
	ordinary := withRule(t, `item.text.matches("(?i)(refund|money back|charge.?back)") || item.text.lowerAscii().contains("lawyer")`)
	if _, outcomes := ordinary.Explain(item, says("POSITIVE", 1), nil); outcomes[0].Err != nil {
		t.Errorf("an ordinary rule fails on the largest text: %v", outcomes[0].Err)
	}
}

// Macros over a map visit it in order, so what a rule does never depends on Go's.
func TestMapsAreOrdered(t *testing.T) {
	t.Parallel()
	item := dull()
	item.Metadata = map[string]any{}
	for i := range 50 {
		item.Metadata[fmt.Sprint(i)] = map[string]any{"b": 1, "a": 2, "c": 3}
	}
	p := withRule(t, `item.metadata.map(k, k)[7] == "15" && item.metadata["3"].map(k, k) == ["a", "b", "c"]`)
	for range 100 {
		if _, o := p.Explain(item, says("POSITIVE", 1), nil); !o[0].Holds || o[0].Err != nil {
			t.Fatalf("outcome = %+v", o)
		}
	}
}
