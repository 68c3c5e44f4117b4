package bot

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"hitl/bot/slacksim"
)

// every are all languages, English being the workspace's.
func every(t testing.TB) *languages {
	t.Helper()
	ls, err := loadLanguages(catalogue, english)
	if err != nil {
		t.Fatal(err)
	}
	return ls
}

// inEnglish is for tests whose subject is no language.
var inEnglish = func() *language {
	ls, err := loadLanguages(catalogue, english)
	if err != nil {
		panic(err)
	}
	return ls.workspace
}()

// A locale finds its language, and what is not in the catalogue finds the workspace's.
func TestLocales(t *testing.T) {
	t.Parallel()
	for _, workspace := range Languages() {
		ls, err := loadLanguages(catalogue, workspace)
		if err != nil {
			t.Fatal(err)
		}
		for locale, want := range map[string]string{
			"de": "de", "de-DE": "de", "de-AT": "de", "de-CH": "de", "de_DE": "de", "DE-de": "de", "en-US": "en", "en-GB": "en", "en": "en",
			"gsw-CH": "de", "fr-FR": workspace, "ja-JP": workspace, "nl-NL": workspace, "": workspace, "und": workspace,
			"no locale": workspace, "-": workspace, "de-DE; DROP TABLE": workspace, strings.Repeat("x-", 1000): workspace,
		} {
			if got := ls.of(locale).name; got != want {
				t.Errorf("workspace %s, locale %.40q: %s, want %s", workspace, locale, got, want)
			}
		}
	}
	if _, err := loadLanguages(catalogue, "tlh"); err == nil || !strings.Contains(err.Error(), `"tlh"`) || !strings.Contains(err.Error(), "de, en") {
		t.Errorf("Klingon: %v", err)
	}
}

// What cannot be said in a language is said in English, and where that is impossible, too, the id is said.
func TestSayAlwaysSaysSomething(t *testing.T) {
	t.Parallel()
	ls, err := loadLanguages(fstest.MapFS{
		"catalogue/en.yaml": {Data: []byte(`{number.decimal: ".", number.group: ",", only: "English, {{.Who}}", parts: {one: "{{.N}} part", other: "{{.N}} parts"}, bad: "{{.Who"}`)},
		"catalogue/de.yaml": {Data: []byte(`{number.decimal: ",", number.group: ".", parts: {other: "{{.N}} Teile"}, bad: "{{.Wer}}"}`)},
	}, "de")
	if err != nil {
		t.Fatal(err)
	}
	l := ls.workspace
	for _, tc := range []struct{ got, want string }{
		{l.say("only", "Who", "{{.Ana}} <&>"), "English, {{.Ana}} <&>"},
		{l.say("only"), "only"},
		{l.say("only", "Who"), "only"},
		{l.say("only", 7, "x"), "only"},
		{l.say("no such id", "Who", "x"), "no such id"},
		{l.say("parts", "N", 1234), "1.234 Teile"},
		{l.say("parts", "N", 1), "1 Teile"}, // better than nothing, and no catalogue of ours is so
		{l.say("parts", "N", -1), "-1 Teile"},
		{l.say("bad", "Who", "x"), "bad"},
	} {
		if tc.got != tc.want {
			t.Errorf("%q, want %q", tc.got, tc.want)
		}
	}
}

func TestNumbersInGerman(t *testing.T) {
	t.Parallel()
	l := every(t).of("de")
	for _, tc := range []struct{ got, want string }{
		{l.number(0), "0"},
		{l.number(999), "999"},
		{l.number(-1234567), "-1.234.567"},
		{l.decimals(12345.678, 2), "12.345,68"},
		{rate(l, 0.855), "85,5\u00a0%"},
		{percent(l, 0.001), "<1\u00a0%"},
		{percent(l, 0.999), ">99\u00a0%"},
		{duration(l, 26*time.Hour), "1 Tag 2 h"},
		{duration(l, 50*time.Hour), "2 Tage 2 h"},
		{when(l, testTime), "<!date^1793611800^{date_short_pretty} um {time}|2026-11-02 09:30 UTC>"},
	} {
		if tc.got != tc.want {
			t.Errorf("%q, want %q", tc.got, tc.want)
		}
	}
	if a, b := percents(l, 0.849, 0.85); a+b != "84,9\u00a0%85\u00a0%" {
		t.Errorf("%q %q", a, b)
	}
}

// speaking gives a user a locale.
func speaking(user, locale string) func(*setup) {
	return func(s *setup) {
		if s.sim.Users == nil {
			demo := slacksim.DemoWorkspace()
			s.sim.Users, s.sim.Groups, s.sim.Channels = demo.Users, demo.Groups, demo.Channels
		}
		for i, u := range s.sim.Users {
			if u.ID == user {
				s.sim.Users[i].Locale = locale
			}
		}
	}
}

// What one person sees is in their language from the first click on, what a channel sees is in the workspace's.
func TestPeopleReadTheirLanguage(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, w *world) {
		_, m := w.posted()
		if !strings.Contains(m.Text, "Needs a person: ") {
			t.Errorf("card: %q", m.Text)
		}
		told := func(who, want string) {
			t.Helper()
			if got := w.whispered(who); !strings.Contains(got, want) {
				t.Errorf("%s was told %q, want %q", who, got, want)
			}
		}
		w.command(chloe, "help me")
		told(chloe, "dieser Text")
		w.command(chloe, "dance")
		told(chloe, "`dance` ist nicht bekannt.")
		w.command(ben, "stats")
		told(ben, "in all queues in the last 24 hours")
		w.command(chloe, "stats 7d")
		told(chloe, "Prüfungen, letzte 7 Tage, alle Warteschlangen")
		w.command(chloe, "queue")
		told(chloe, "`support` in <#C0REVIEW>: 0 Prüfungen offen")
		w.click(chloe, m, actionAccept)
		told(chloe, "Du gehörst nicht zu den Prüfenden der Warteschlange `support`.")
		for _, reader := range []struct{ user, title, save, failed string }{
			{ana, "Label auswählen", "Speichern", "Nicht gespeichert: "},
			{ben, "Choose a label", "Save", "Not recorded: "},
		} {
			if v := w.opened(reader.user, m, actionOther); v.Title != reader.title || v.Submit != reader.save {
				t.Errorf("%s sees %q, %q", reader.user, v.Title, v.Submit)
			}
			w.store.failing("Decide", func(context.Context) error { return errors.New("disk full") })
			if out := w.submit(reader.user, "POSITIVE", "", ""); !strings.HasPrefix(out.Errors[blockLabel], reader.failed) {
				t.Errorf("%s: %+v", reader.user, out)
			}
			w.store.failing("Decide", nil)
		}
		w.click(ben, m, actionAccept)
		w.submit(ana, "POSITIVE", "", "")
		if v := w.top(ana); v.Title != "Nicht gespeichert" || !strings.Contains(v.AllText(), "Bereits von <@U0BEN> als `NEGATIVE` bestätigt") {
			t.Errorf("ana sees %s", v.AllText())
		}
		if m = w.message(m.TS); !strings.Contains(m.Text, "*Accepted*") {
			t.Errorf("card: %q", m.Text)
		}
		w.clean()
	}, speaking(ana, "de-AT"), speaking(chloe, "de-DE"), speaking(ben, "fr-FR"))
}

// A workspace that speaks German has German cards, for those who read English, too, and whoever reads something else reads German.
func TestWorkspaceLanguage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, speaking(chloe, "fr-FR"), func(s *setup) { s.bot.Language = "de" })
	_, m := w.posted()
	if !strings.Contains(m.Text, "Entscheidung nötig: ") {
		t.Errorf("card: %q", m.Text)
	}
	w.click(chloe, m, actionAccept)
	if got := w.whispered(chloe); !strings.HasPrefix(got, "Du gehörst nicht") {
		t.Errorf("chloe was told %q", got)
	}
	if v := w.opened(ben, m, actionText); v.Close != "Close" {
		t.Errorf("ben sees %q", v.Title)
	}
	w.click(ben, m, actionAccept)
	if m = w.message(m.TS); !strings.Contains(m.Text, "*Bestätigt*") {
		t.Errorf("card: %q", m.Text)
	}
	w.clean()
}

// Slack may take its time to tell a language: no answer waits for it, and words wait for a moment only.
func TestLanguageDelaysNothing(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]slacksim.Fault{
		"slow": {Delay: 3 * languagePatience, Times: -1}, "away": {Status: 500, Times: -1}, "forbidden": {Error: "missing_scope", Times: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, speaking(chloe, "de-DE"), speaking(ana, "de-DE"))
			_, m := w.posted()
			if err := w.sim.Fail("users.info", fault); err != nil {
				t.Fatal(err)
			}
			for _, out := range []slacksim.Outcome{
				w.clicked(chloe, m, actionAccept), w.clicked(ana, m, actionOther), w.commanded(chloe, "help"),
			} {
				if out.Status != 200 || out.Error != "" || out.Took >= languagePatience {
					t.Errorf("answer: %+v", out)
				}
			}
			w.eventually("two words to chloe", func() bool { return len(w.sim.Ephemerals(chloe)) == 2 })
			for _, e := range w.sim.Ephemerals(chloe) {
				if !strings.HasPrefix(e.Text, "You are not a reviewer") && !strings.Contains(e.Text, "this text") {
					t.Errorf("chloe was told %q", e.Text)
				}
			}
			w.bot.Wait()
		})
	}
}

// clicked presses a button and waits for the answer alone.
func (w *world) clicked(user string, m slacksim.Message, actionID string) slacksim.Outcome {
	w.t.Helper()
	out, err := w.sim.Click(w.t.Context(), slacksim.Click{User: user, Channel: m.Channel, TS: m.TS, ActionID: actionID})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// commanded sends a slash command and waits for the answer alone.
func (w *world) commanded(user, text string) slacksim.Outcome {
	w.t.Helper()
	out, err := w.sim.Command(w.t.Context(), user, channel, "/hitl", text)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}
