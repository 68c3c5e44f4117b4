package starter_test

import (
	"fmt"
	"io/fs"

	"hitl/classifier/starter"
)

// Engines that need a folder on disk get one with os.CopyFS.
func ExampleFS() {
	entries, err := fs.ReadDir(starter.FS(), ".")
	if err != nil {
		panic(err)
	}
	for _, entry := range entries {
		fmt.Println(entry.Name())
	}
	// Output:
	// config.json
	// model.onnx
	// special_tokens_map.json
	// tokenizer.json
	// tokenizer_config.json
}

func ExampleSamples() {
	first := starter.Samples()[0]
	fmt.Println(first.Kind+":", first.Text)
	// Output: positive: The new app is so much faster, thank you!
}
