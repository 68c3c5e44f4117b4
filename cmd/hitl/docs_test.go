package main

import (
	"encoding/json"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"hitl/config"
)

var (
	fence   = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```")
	inline  = regexp.MustCompile("`(hitl [a-z][^`\n]*)`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	unsaid  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	apiPath = regexp.MustCompile(`https?://[^/\s"']+(/[^\s"'?]*)`)
	aWord   = regexp.MustCompile(`"[^"]*"|'[^']*'|\S+`)
)

// TestDocs holds every page to the program: its commands are parsed by the real command line, its configurations are good, its links lead somewhere,
// and its requests name paths of the API.
func TestDocs(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	deeper, _ := filepath.Glob("../../docs/*/*.md")
	pages = append(append(pages, deeper...), "../../README.md", "../../SECURITY.md", "../../CONTRIBUTING.md")
	paths := apiPaths(t)
	for _, page := range pages {
		t.Run(strings.TrimPrefix(page, "../../"), func(t *testing.T) {
			t.Parallel()
			text := readPage(t, page)
			for _, m := range inline.FindAllStringSubmatch(text, -1) {
				if strings.Contains(m[1], " --") { // else it may be a command's name alone, or the beginning of several
					checkCommand(t, m[1], true)
				}
			}
			for _, block := range fence.FindAllStringSubmatch(text, -1) {
				if block[1] == "yaml" {
					checkSnippet(t, block[2])
					continue
				}
				for line := range strings.SplitSeq(strings.ReplaceAll(block[2], "\\\n", " "), "\n") {
					line = strings.TrimPrefix(strings.TrimSpace(line), "$ ")
					if _, inner, ok := strings.Cut(line, "$("); ok && strings.HasPrefix(inner, "hitl ") {
						line = strings.TrimSuffix(inner, ")")
					}
					switch {
					case strings.HasPrefix(line, "hitl "):
						checkCommand(t, line, false)
					case strings.HasPrefix(line, "curl "):
						checkRequest(t, line, paths)
					}
				}
			}
			checkLinks(t, page, fence.ReplaceAllString(text, ""))
		})
	}
}

func readPage(t *testing.T, page string) string {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// checkCommand parses a line of a shell up to its comment, pipe or redirection, and runs nothing. What is named in a sentence may leave values out.
func checkCommand(t *testing.T, line string, sentence bool) {
	t.Helper()
	defer func() { // --help ends the parsing
		if r := recover(); r != nil && r != kongExit(0) {
			panic(r)
		}
	}()
	var args []string
	for _, word := range aWord.FindAllString(line, -1)[1:] {
		if strings.HasPrefix(word, "#") || word == ">" || word == "|" || word == "&&" {
			break
		}
		switch word = strings.Trim(word, `"'`); word {
		case "…", "FILE.", "...": // what the reader puts there
			word = "x"
		}
		args = append(args, word)
	}
	parser, err := program{stdout: io.Discard, stderr: io.Discard}.parser(&cli{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(args); err != nil && (!sentence || strings.Contains(err.Error(), "unknown flag")) {
		t.Errorf("%s: %v", line, err)
	}
}

// checkSnippet checks a configuration. A fragment gets what it leaves out: connections, a queue, a source, and the names that it points to.
func checkSnippet(t *testing.T, snippet string) {
	t.Helper()
	var tree map[string]any
	if err := yaml.Unmarshal([]byte(snippet), &tree); err != nil {
		t.Errorf("%v in\n%s", err, snippet)
		return
	}
	whole := map[string]string{
		"postgres": "{url: 'postgres://hitl@db/hitl'}", "slack": "{bot_token: xoxb-1, signing_secret: s}",
		"queues":  "{default: {channel: C0123ABCD, reviewers: {users: [U0123ABCD]}}}",
		"sources": "{any: {classifier: default, policy: default}}",
	}
	for section, value := range whole {
		if _, ok := tree[section]; !ok {
			snippet += section + ": " + value + "\n"
		}
	}
	_, err := config.Parse([]byte(snippet), func(name string) (string, bool) {
		switch {
		case strings.HasSuffix(name, "BOT_TOKEN"):
			return "xoxb-1", true
		case strings.HasSuffix(name, "APP_TOKEN"):
			return "xapp-1", true
		case strings.HasPrefix(name, "HELPDESK"):
			return storySecret, true
		}
		return "value-of-" + name, true
	})
	for _, p := range config.Problems(err) {
		fragment := strings.Contains(p.Message, "there is no queue") || strings.Contains(p.Message, "there is no classifier") || strings.Contains(p.Message, "there is no policy")
		if !fragment || tree["sources"] != nil {
			t.Errorf("%s: %s in\n%s", p.Path, p.Message, snippet)
		}
	}
}

func apiPaths(t *testing.T) []string {
	t.Helper()
	var api struct {
		Paths map[string]any `json:"paths"`
	}
	if err := json.Unmarshal([]byte(readPage(t, "../../ingest/openapi.json")), &api); err != nil || len(api.Paths) == 0 {
		t.Fatalf("openapi.json has no paths: %v", err)
	}
	var patterns []string
	for p := range api.Paths {
		patterns = append(patterns, regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(p, "*"))
	}
	return patterns
}

func checkRequest(t *testing.T, line string, patterns []string) {
	t.Helper()
	m := apiPath.FindStringSubmatch(line)
	if m == nil {
		t.Errorf("%s: asks for no path", line)
		return
	}
	for _, p := range patterns {
		if ok, _ := path.Match(p, m[1]); ok {
			return
		}
	}
	t.Errorf("%s: the API has no %s", line, m[1])
}

// checkLinks looks for the files and the headings that a page points to.
func checkLinks(t *testing.T, page, text string) {
	t.Helper()
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
			continue
		}
		file, anchor, _ := strings.Cut(m[1], "#")
		target := page
		if file != "" {
			target = filepath.Join(filepath.Dir(page), file)
		}
		if _, err := os.Stat(target); err != nil {
			t.Errorf("points at %s: %v", m[1], err)
			continue
		}
		if anchor == "" {
			continue
		}
		found := false
		for _, h := range heading.FindAllStringSubmatch(readPage(t, target), -1) {
			found = found || strings.ReplaceAll(unsaid.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-") == anchor
		}
		if !found {
			t.Errorf("points at %s: there is no such heading", m[1])
		}
	}
}
