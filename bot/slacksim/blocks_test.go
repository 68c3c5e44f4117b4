package slacksim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func x(n int) string { return strings.Repeat("x", n) }

func textObject(kind, s string) string { return fmt.Sprintf(`{"type":%q,"text":%q}`, kind, s) }

func button(extra string) string {
	return `{"type":"button","action_id":"a","text":` + textObject("plain_text", "b") + extra + `}`
}

func actions(elements ...string) string {
	return `{"type":"actions","elements":[` + strings.Join(elements, ",") + `]}`
}

func input(element string) string {
	return `{"type":"input","label":` + textObject("plain_text", "l") + `,"element":` + element + `}`
}

func option(text, value string) string {
	return fmt.Sprintf(`{"text":%s,"value":%q}`, textObject("plain_text", text), value)
}

func times(n int, s string) string { return strings.TrimSuffix(strings.Repeat(s+",", n), ",") }

func chartOf(chart string) string {
	return `{"type":"data_visualization","title":"t","chart":` + chart + `}`
}

func bars(categories, series string) string {
	return chartOf(`{"type":"bar","axis_config":{"categories":[` + categories + `]},"series":[` + series + `]}`)
}

// TestBlocks tries every limit from both sides: want is "" where the block is allowed.
func TestBlocks(t *testing.T) {
	t.Parallel()
	const point = `{"label":"a","value":1}`
	opts := func(n int) string { return `"options":[` + times(n, option("o", "v")) + `]` }
	sel := func(fields string) string { return `{"type":"static_select","action_id":"s",` + fields + `}` }
	for _, tc := range []struct {
		name, blocks, want string
		where              surface
	}{
		{"50 blocks", times(50, `{"type":"divider"}`), "", onMessage},
		{"51 blocks", times(51, `{"type":"divider"}`), "no more than 50 items allowed [json-pointer:/blocks]", onMessage},
		{"100 in a modal", times(100, `{"type":"divider"}`), "", onModal},
		{"101 in a modal", times(101, `{"type":"divider"}`), "no more than 100 items allowed [json-pointer:/blocks]", onModal},
		{"unknown block", `{"type":"sektion"}`, "unsupported type: sektion [json-pointer:/blocks/0/type]", onMessage},
		{"unsimulated block", `{"type":"video"}`, "block type not simulated: video", onMessage},
		{"no type", `{"text":"x"}`, "missing required field: type [json-pointer:/blocks/0]", onMessage},
		{"no object", `7`, "must provide an object [json-pointer:/blocks/0]", onMessage},
		{"unknown field", `{"type":"divider","colour":"red"}`, "invalid additional property: colour [json-pointer:/blocks/0]", onMessage},
		{"block_id 255", `{"type":"divider","block_id":"` + x(255) + `"}`, "", onMessage},
		{"block_id 256", `{"type":"divider","block_id":"` + x(256) + `"}`, "must be less than 256 characters [json-pointer:/blocks/0/block_id]", onMessage},
		{"block_id twice", times(2, `{"type":"divider","block_id":"d"}`), "block_id already exists: d [json-pointer:/blocks/1/block_id]", onMessage},

		{"section 3000", `{"type":"section","text":` + textObject("mrkdwn", x(3000)) + `}`, "", onMessage},
		{"section 3001", `{"type":"section","text":` + textObject("mrkdwn", x(3001)) + `}`, "must be less than 3001 characters [json-pointer:/blocks/0/text/text]", onMessage},
		{"section of runes", `{"type":"section","text":` + textObject("mrkdwn", strings.Repeat("ä", 3000)) + `}`, "", onMessage},
		{"section empty text", `{"type":"section","text":` + textObject("mrkdwn", "") + `}`, "must be more than 0 characters [json-pointer:/blocks/0/text/text]", onMessage},
		{"section of nothing", `{"type":"section"}`, "missing required field: text or fields", onMessage},
		{"section text type", `{"type":"section","text":` + textObject("html", "x") + `}`, "must be one of: plain_text, mrkdwn [json-pointer:/blocks/0/text/type]", onMessage},
		{"emoji in mrkdwn", `{"type":"section","text":{"type":"mrkdwn","text":"x","emoji":true}}`, "invalid additional property: emoji [json-pointer:/blocks/0/text]", onMessage},
		{"10 fields", `{"type":"section","fields":[` + times(10, textObject("mrkdwn", x(100))) + `]}`, "", onMessage},
		{"11 fields", `{"type":"section","fields":[` + times(11, textObject("mrkdwn", "x")) + `]}`, "no more than 10 items allowed [json-pointer:/blocks/0/fields]", onMessage},
		{"field 2001", `{"type":"section","fields":[` + textObject("mrkdwn", x(2001)) + `]}`, "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]", onMessage},
		{"accessory input", `{"type":"section","text":` + textObject("mrkdwn", "x") + `,"accessory":{"type":"plain_text_input"}}`, "unsupported type: plain_text_input in a section's accessory", onMessage},

		{"header 150", `{"type":"header","text":` + textObject("plain_text", x(150)) + `}`, "", onMessage},
		{"header 151", `{"type":"header","text":` + textObject("plain_text", x(151)) + `}`, "must be less than 151 characters", onMessage},
		{"header mrkdwn", `{"type":"header","text":` + textObject("mrkdwn", "x") + `}`, "must be one of: plain_text [json-pointer:/blocks/0/text/type]", onMessage},
		{"context 10", `{"type":"context","elements":[` + times(10, textObject("mrkdwn", "x")) + `]}`, "", onMessage},
		{"context 11", `{"type":"context","elements":[` + times(11, textObject("mrkdwn", "x")) + `]}`, "no more than 10 items allowed", onMessage},
		{"context image", `{"type":"context","elements":[{"type":"image","image_url":"https://x","alt_text":"y"}]}`, "", onMessage},
		{"image without alt", `{"type":"image","image_url":"https://x"}`, "missing required field: alt_text", onMessage},
		{"image without url", `{"type":"image","alt_text":"x"}`, "missing required field: image_url or slack_file", onMessage},
		{"image url 3001", `{"type":"image","alt_text":"x","image_url":"` + x(3001) + `"}`, "must be less than 3001", onMessage},
		{"alt 2001", `{"type":"image","image_url":"x","alt_text":"` + x(2001) + `"}`, "must be less than 2001", onMessage},

		{"button", actions(button(`,"value":"` + x(2000) + `","style":"danger","url":"https://x"`)), "", onMessage},
		{"button text 76", actions(`{"type":"button","text":` + textObject("plain_text", x(76)) + `}`), "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]", onMessage},
		{"button value 2001", actions(button(`,"value":"` + x(2001) + `"`)), "must be less than 2001", onMessage},
		{"button style", actions(button(`,"style":"blue"`)), "must be one of: primary, danger", onMessage},
		{"button mrkdwn", actions(`{"type":"button","text":` + textObject("mrkdwn", "x") + `}`), "must be one of: plain_text", onMessage},
		{"button label 76", actions(button(`,"accessibility_label":"` + x(76) + `"`)), "must be less than 76", onMessage},
		{"action_id 256", actions(`{"type":"button","action_id":"` + x(256) + `","text":` + textObject("plain_text", "x") + `}`), "must be less than 256", onMessage},
		{"action_id twice", actions(button(""), button("")), "action_id already exists in this block: a [json-pointer:/blocks/0/elements/1/action_id]", onMessage},
		{"action_id in two blocks", actions(button("")) + "," + actions(button("")), "", onMessage},
		{"no elements", actions(), "no fewer than 1 items allowed", onMessage},
		{"26 elements", actions(times(26, `{"type":"button","text":`+textObject("plain_text", "x")+`}`)), "no more than 25 items allowed", onMessage},
		{"unsimulated element", actions(`{"type":"datepicker"}`), "element type not simulated: datepicker", onMessage},
		{"confirm", actions(button(`,"confirm":{"title":` + textObject("plain_text", x(100)) + `,"text":` + textObject("mrkdwn", x(300)) + `,"confirm":` + textObject("plain_text", x(30)) + `,"deny":` + textObject("plain_text", x(30)) + `}`)), "", onMessage},
		{"confirm title 101", actions(button(`,"confirm":{"title":` + textObject("plain_text", x(101)) + `,"text":` + textObject("mrkdwn", "x") + `,"confirm":` + textObject("plain_text", "y") + `,"deny":` + textObject("plain_text", "n") + `}`)), "must be less than 101", onMessage},
		{"confirm without deny", actions(button(`,"confirm":{"title":` + textObject("plain_text", "t") + `,"text":` + textObject("mrkdwn", "x") + `,"confirm":` + textObject("plain_text", "y") + `}`)), "missing required field: deny", onMessage},

		{"100 options", actions(sel(opts(100))), "", onMessage},
		{"101 options", actions(sel(opts(101))), "no more than 100 items allowed", onMessage},
		{"no options", actions(sel(`"placeholder":` + textObject("plain_text", "p"))), "exactly one of options and option_groups", onMessage},
		{"option text 76", actions(sel(`"options":[` + option(x(76), "v") + `]`)), "must be less than 76", onMessage},
		{"option value 151", actions(sel(`"options":[` + option("o", x(151)) + `]`)), "must be less than 151", onMessage},
		{"option without value", actions(sel(`"options":[{"text":` + textObject("plain_text", "o") + `}]`)), "missing required field: value", onMessage},
		{"option mrkdwn", actions(sel(`"options":[{"text":` + textObject("mrkdwn", "o") + `,"value":"v"}]`)), "must be one of: plain_text", onMessage},
		{"placeholder 151", actions(sel(opts(1) + `,"placeholder":` + textObject("plain_text", x(151)))), "must be less than 151", onMessage},
		{"initial option", actions(sel(opts(1) + `,"initial_option":` + option("o", "v"))), "", onMessage},
		{"foreign initial option", actions(sel(opts(1) + `,"initial_option":` + option("other", "v"))), "initial option must match one of the options", onMessage},
		{"option groups", actions(sel(`"option_groups":[{"label":` + textObject("plain_text", "g") + `,` + opts(2) + `}]`)), "", onMessage},
		{"group without label", actions(sel(`"option_groups":[{` + opts(2) + `}]`)), "missing required field: label", onMessage},
		{"overflow 5", actions(`{"type":"overflow",` + opts(5) + `}`), "", onMessage},
		{"overflow 6", actions(`{"type":"overflow",` + opts(6) + `}`), "no more than 5 items allowed", onMessage},
		{"radio 10", actions(`{"type":"radio_buttons",` + opts(10) + `}`), "", onMessage},
		{"radio 11", actions(`{"type":"radio_buttons",` + opts(11) + `}`), "no more than 10 items allowed", onMessage},
		{"checkboxes 11", actions(`{"type":"checkboxes",` + opts(11) + `}`), "no more than 10 items allowed", onMessage},
		{"url outside overflow", actions(sel(`"options":[{"text":` + textObject("plain_text", "o") + `,"value":"v","url":"https://x"}]`)), "url is allowed in overflow menus only", onMessage},

		{"input", input(`{"type":"plain_text_input","max_length":3000}`), "", onModal},
		{"input button", input(button("")), "unsupported type: button in an input block", onModal},
		{"input without label", `{"type":"input","element":{"type":"plain_text_input"}}`, "missing required field: label", onModal},
		{"input label 2001", `{"type":"input","label":` + textObject("plain_text", x(2001)) + `,"element":{"type":"plain_text_input"}}`, "must be less than 2001", onModal},
		{"max_length 3001", input(`{"type":"plain_text_input","max_length":3001}`), "must be between 1 and 3000", onModal},
		{"min over max", input(`{"type":"plain_text_input","min_length":9,"max_length":3}`), "must not be greater than max_length", onModal},
		{"min_query_length text", input(`{"type":"external_select","min_query_length":"0"}`), "must provide an integer", onModal},
		{"two focused", input(`{"type":"plain_text_input","focus_on_load":true}`) + "," + input(`{"type":"plain_text_input","focus_on_load":true}`), "no more than one element may have focus_on_load", onModal},

		{"markdown", `{"type":"markdown","text":"` + x(12_000) + `"}`, "", onMessage},
		{"markdown 12001", `{"type":"markdown","text":"` + x(12_001) + `"}`, "must be less than 12001", onMessage},
		{"markdown together", times(2, `{"type":"markdown","text":"`+x(6001)+`"}`), "all markdown blocks together", onMessage},
		{"alert in a message", `{"type":"alert","text":` + textObject("mrkdwn", "x") + `}`, "in modals only", onMessage},
		{"alert in a modal", `{"type":"alert","text":` + textObject("mrkdwn", "x") + `}`, "", onModal},
		{"rich text", `{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"x","style":{"bold":true}},{"type":"link","url":"https://x"}]},{"type":"rich_text_list","style":"bullet","elements":[{"type":"rich_text_section","elements":[]}]}]}`, "", onMessage},
		{"rich text leaf", `{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"html"}]}]}`, "unsupported type: html", onMessage},
		{"table", `{"type":"table","rows":[[{"type":"raw_text","text":"a"}]]}`, "", onMessage},
		{"two tables", times(2, `{"type":"table","rows":[[{"type":"raw_text","text":"a"}]]}`), "only one table", onMessage},
		{"table 101 rows", `{"type":"table","rows":[` + times(101, `[]`) + `]}`, "no more than 100 items", onMessage},
		{"table 21 cells", `{"type":"table","rows":[[` + times(21, `{"type":"raw_text","text":"a"}`) + `]]}`, "no more than 20 items", onMessage},

		{"bars", bars(`"a"`, `{"name":"s","data":[`+point+`]}`), "", onMessage},
		{"chart in a modal", bars(`"a"`, `{"name":"s","data":[`+point+`]}`), "in messages only", onModal},
		{"chart title 51", `{"type":"data_visualization","title":"` + x(51) + `","chart":{"type":"pie","segments":[` + point + `]}}`, "must be less than 51 characters [json-pointer:/blocks/0/title]", onMessage},
		{"chart type", chartOf(`{"type":"radar"}`), "must be one of: pie, bar, area, line", onMessage},
		{"pie 12", chartOf(`{"type":"pie","segments":[` + times(12, point) + `]}`), "", onMessage},
		{"pie 13", chartOf(`{"type":"pie","segments":[` + times(13, point) + `]}`), "no more than 12 items", onMessage},
		{"pie zero", chartOf(`{"type":"pie","segments":[{"label":"a","value":0}]}`), "must be greater than 0", onMessage},
		{"segment label 21", chartOf(`{"type":"pie","segments":[{"label":"` + x(21) + `","value":1}]}`), "must be less than 21 characters [json-pointer:/blocks/0/chart/segments/0/label]", onMessage},
		{"21 categories", bars(`"a"`+strings.Repeat(`,"a"`, 20), `{"name":"s","data":[`+point+`]}`), "no more than 20 items", onMessage},
		{"category twice", bars(`"a","a"`, `{"name":"s","data":[`+point+`]}`), "category already exists: a", onMessage},
		{"category 21", bars(`"`+x(21)+`"`, `{"name":"s","data":[{"label":"`+x(21)+`","value":1}]}`), "must be less than 21", onMessage},
		{"13 series", bars(`"a"`, times(13, `{"name":"s","data":[`+point+`]}`)), "no more than 12 items", onMessage},
		{"series twice", bars(`"a"`, times(2, `{"name":"s","data":[`+point+`]}`)), "series name already exists: s", onMessage},
		{"series name 21", bars(`"a"`, `{"name":"`+x(21)+`","data":[`+point+`]}`), "must be less than 21", onMessage},
		{"missing category", bars(`"a","b"`, `{"name":"s","data":[`+point+`]}`), "exactly one point for every category", onMessage},
		{"foreign category", bars(`"a"`, `{"name":"s","data":[`+point+`,{"label":"z","value":1}]}`), "must match one of the categories", onMessage},
		{"value text", bars(`"a"`, `{"name":"s","data":[{"label":"a","value":"1"}]}`), "must provide a number", onMessage},
		{"axis label 51", chartOf(`{"type":"line","axis_config":{"categories":["a"],"y_label":"` + x(51) + `"},"series":[{"name":"s","data":[` + point + `]}]}`), "must be less than 51", onMessage},
		{"no axis", chartOf(`{"type":"line","series":[{"name":"s","data":[` + point + `]}]}`), "missing required field: axis_config", onMessage},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var v any
			if err := decodeJSON([]byte("["+tc.blocks+"]"), &v); err != nil {
				t.Fatal(err)
			}
			_, problems := checkBlocks(v, tc.where, "/blocks")
			got := (&apiError{problems: problems}).Error()
			if tc.want == "" && len(problems) > 0 || !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// FuzzBlocks feeds any JSON: the check must not panic, and what passes it must survive ids, encoding and reading back.
func FuzzBlocks(f *testing.F) {
	f.Add(`[` + actions(button("")) + `]`)
	f.Add(`[{"type":"section","fields":[null,7,{"type":[]}],"accessory":{"type":{}}}]`)
	f.Add(`[` + bars(`"a"`, `{"name":"s","data":[{"label":"a","value":1e999}]}`) + `]`)
	f.Add(`[` + input(`{"type":"static_select","option_groups":[{"options":[{}]}]}`) + `]`)
	f.Add(`{"type":"modal","blocks":[{"type":"rich_text","elements":[{"type":"rich_text_list","elements":[[]]}]}]}`)
	f.Fuzz(func(t *testing.T, raw string) {
		var v any
		if decodeJSON([]byte(raw), &v) != nil {
			t.Skip()
		}
		_, _ = checkView(v, "/view", "modal", "home")
		list, problems := checkBlocks(v, onMessage, "/blocks")
		for _, p := range problems {
			if !strings.HasPrefix(p.pointer, "/blocks") || p.text == "" {
				t.Errorf("problem %+v", p)
			}
		}
		if len(problems) > 0 {
			return
		}
		s, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		blocks := decodeBlocks(s.fillIDs(list))
		for _, e := range elements(anyBlocks(blocks)) {
			if e.ActionID == "" || e.BlockID == "" {
				t.Errorf("element without ids: %+v", e)
			}
			_ = e.initialState()
		}
		if again, err := json.Marshal(blocks); err != nil || !json.Valid(again) {
			t.Errorf("encode again: %v", err)
		}
	})
}

// FuzzTimestamps checks that every timestamp read is one that could be written.
func FuzzTimestamps(f *testing.F) {
	f.Add("1700000000.000001")
	f.Add(".000000")
	f.Add("-1.000000")
	f.Add("1700000000.+00001")
	f.Fuzz(func(t *testing.T, s string) {
		at, ok := tsTime(s)
		if !ok {
			return
		}
		if back := fmt.Sprintf("%d.%06d", at.Unix(), at.Nanosecond()/1000); strings.TrimLeft(back, "0") != strings.TrimLeft(s, "0") {
			t.Errorf("%q became %q", s, back)
		}
	})
}
