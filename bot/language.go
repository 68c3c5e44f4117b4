package bot

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"github.com/nicksnyder/go-i18n/v2/i18n/template"
	tags "golang.org/x/text/language"
)

// catalogue holds every text that the bot shows, one file per language.
//
//go:embed catalogue/*.yaml
var catalogue embed.FS

// english is the language that every id has a text in, and whose text stands in where another has none.
const english = "en"

// Languages returns the languages that the catalogue has, as Config.Language takes them, in alphabetical order.
func Languages() []string { return languagesIn(catalogue) }

func languagesIn(catalogue fs.FS) []string {
	files, err := fs.Glob(catalogue, "catalogue/*.yaml")
	if err != nil {
		return nil // cannot happen: the pattern is a good one
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(path.Base(f), ".yaml"))
	}
	return names
}

// languages are all languages of the catalogue, and which of them the workspace speaks. They do not change, and are safe for concurrent use.
type languages struct {
	workspace *language
	all       []*language // in the order of matcher
	matcher   tags.Matcher
}

// loadLanguages reads a catalogue.
func loadLanguages(catalogue fs.FS, workspace string) (*languages, error) {
	bundle := i18n.NewBundle(tags.English)
	bundle.RegisterUnmarshalFunc("yaml", yaml.Unmarshal)
	ls := &languages{}
	var known []tags.Tag
	for _, name := range languagesIn(catalogue) {
		file, err := bundle.LoadMessageFileFS(catalogue, "catalogue/"+name+".yaml")
		if err != nil {
			return nil, fmt.Errorf("read catalogue %q: %w", name, err)
		}
		l := &language{name: name, texts: i18n.NewLocalizer(bundle, name), english: i18n.NewLocalizer(bundle, english)}
		l.decimal, l.group = l.say("number.decimal"), l.say("number.group")
		ls.all, known = append(ls.all, l), append(known, file.Tag)
		if name == workspace {
			ls.workspace = l
		}
	}
	if ls.workspace == nil {
		return nil, unknownLanguage(workspace)
	}
	ls.matcher = tags.NewMatcher(known)
	return ls, nil
}

func unknownLanguage(name string) error {
	return fmt.Errorf("language %q is not in the catalogue, which has %s", name, strings.Join(Languages(), ", "))
}

// of returns the language for a locale like "de-AT": the workspace's where the locale is unknown or speaks none of the catalogue.
func (ls *languages) of(locale string) *language {
	tag, err := tags.Parse(locale)
	if err != nil {
		return ls.workspace
	}
	_, i, confidence := ls.matcher.Match(tag)
	if confidence < tags.High {
		return ls.workspace
	}
	return ls.all[i]
}

// language says things in one language. It does not change, and is safe for concurrent use.
type language struct {
	name           string // as in the name of its file
	decimal, group string
	texts, english *i18n.Localizer
}

// fields fills in a text's named values; one that is missing is an error.
var fields = &template.TextParser{Option: "missingkey=error"}

// say returns the text of an id with its fields filled in. args are names and values in turn: "Who", x, "Until", y. Values are put in as they
// are, the caller has escaped them; an int is written as a number of the language, and the one named "N" chooses the plural form. Where the
// language lacks the text, English has it, and where that is no help, the id says at least what was meant.
func (l *language) say(id string, args ...any) string {
	c := i18n.LocalizeConfig{MessageID: id, TemplateParser: fields}
	data := map[string]any{}
	for i := 0; i+1 < len(args); i += 2 {
		name, value := fmt.Sprint(args[i]), args[i+1]
		if n, ok := value.(int); ok {
			if value = l.number(n); name == "N" {
				c.PluralCount = n
			}
		}
		data[name] = value
	}
	c.TemplateData = data
	for _, texts := range []*i18n.Localizer{l.texts, l.english} {
		if s, _ := texts.Localize(&c); s != "" {
			return s
		}
	}
	return id
}

// words are a text for a reader whose language is not known yet.
type words func(l *language) string

// saying is say for later.
func saying(id string, args ...any) words {
	return func(l *language) string { return l.say(id, args...) }
}

// language returns what channels are spoken to in, and people whose own language is not known.
func (b *Bot) language() *language { return b.languages.workspace }

// languagePatience is how long Slack may take to say which language somebody reads.
const languagePatience = 500 * time.Millisecond

// languageOf returns the language that somebody reads. It may wait for Slack, for languagePatience at most; where an acknowledgement is due
// or a trigger is about to expire, knownLanguage is the one to ask.
func (b *Bot) languageOf(ctx context.Context, user string) *language {
	ctx, cancel := context.WithTimeout(ctx, languagePatience)
	defer cancel()
	p, err := b.rights.people.get(ctx, user)
	if err != nil {
		return b.language()
	}
	return b.languages.of(p.Locale)
}

// knownLanguage returns the language that somebody reads as far as that is known, and asks Slack meanwhile where it is not.
func (b *Bot) knownLanguage(ctx context.Context, user string) (l *language, known bool) {
	p, known := b.rights.people.known(ctx, user)
	return b.languages.of(p.Locale), known
}

// number writes a whole number.
func (l *language) number(n int) string { return l.digits(strconv.Itoa(n)) }

// decimals writes a number with a count of decimals; -1 for as many as it has.
func (l *language) decimals(f float64, count int) string {
	return l.digits(strconv.FormatFloat(f, 'f', count, 64))
}

// digits groups what stands before a decimal point, and writes the point as the language does.
func (l *language) digits(s string) string {
	whole, part, broken := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + l.group + whole[i:]
	}
	if broken {
		return whole + l.decimal + part
	}
	return whole
}
