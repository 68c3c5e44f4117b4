package bot

import (
	"testing"
)

// every are all languages, English being the workspace's.
func every(t *testing.T) *languages {
	t.Helper()
	ls, err := loadLanguages(english)
	if err != nil {
		t.Fatal(err)
	}
	return ls
}

// inEnglish is English for tests whose subject is no language.
var inEnglish = func() *language {
	ls, err := loadLanguages(english)
	if err != nil {
		panic(err)
	}
	return ls.workspace
}()
