package bot

import "strings"

// help says what can be asked for: all of it, or more about what the words behind "help" name. Words that begin with anything else were not
// understood.
func (b *Bot) help(l *language, words []string) message {
	if len(words) == 0 {
		return helpMessage(l, b.cfg.Command, "")
	}
	word := words[0]
	if strings.EqualFold(word, "help") {
		if len(words) == 1 {
			return helpMessage(l, b.cfg.Command, "")
		}
		if c, ok := named(words[1]); ok {
			return helpOn(l, b.cfg.Command, c, "")
		}
		word = words[1]
	}
	return helpMessage(l, b.cfg.Command, unknownCommand(l, b.cfg.Command, word))
}

// unknownCommand says that there is no such command, and which one may have been meant.
func unknownCommand(l *language, slash, word string) string {
	unknown := l.say("command.unknown", "Verb", code(l, word, maxNameUnits))
	if near := nearest(word); near != "" {
		unknown += " " + l.say("command.nearest", "Command", code(l, slash+" "+near, 2*maxNameUnits))
	}
	return unknown
}

// helpMessage lists all commands, below what was not understood.
func helpMessage(l *language, slash, unsure string) message {
	var lines []string
	for _, c := range commands() {
		lines = append(lines, l.say("command.line", "Usage", usage(l, slash, c), "Summary", c.summary(l)))
	}
	return below(unsure, strings.Join(lines, "\n"))
}

// helpOn tells all about one command, below what was not understood of it.
func helpOn(l *language, slash string, c command, unsure string) message {
	words := l.say("command.line", "Usage", usage(l, slash, c), "Summary", c.summary(l))
	if c.more != nil {
		words += "\n" + c.more(l)
	}
	return below(unsure, words)
}

func below(unsure, words string) message {
	m := message{Text: strings.TrimSpace(unsure + " " + words)}
	if unsure != "" {
		m.Blocks = append(m.Blocks, section(unsure))
	}
	m.Blocks = append(m.Blocks, section(words))
	return m
}

// usage is how a command is typed, as mrkdwn.
func usage(l *language, slash string, c command) string {
	return code(l, strings.TrimSpace(slash+" "+c.name+" "+c.args), 200)
}

// nearest returns the command that a word may have been meant for: one that begins with it, or that a few letters make of it; else "".
func nearest(word string) string {
	word = strings.ToLower(head(word, 2*maxNameUnits))
	best, least := "", 3
	for _, c := range commands() {
		d := edits(word, c.name)
		if len(word) > 1 && strings.HasPrefix(c.name, word) {
			d = 0
		}
		if d < least && d < len(c.name)-1 {
			best, least = c.name, d
		}
	}
	return best
}

// edits is Levenshtein's distance between two words, in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
