package classifier_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"hitl/classifier"
	"hitl/classifier/learn"
)

func ExampleOpen() {
	ctx := context.Background()
	c, err := classifier.Open(ctx, classifier.Options{Model: "starter", ONNXRuntime: "off"})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = c.Close() }()

	p, err := c.Classify(ctx, "The parcel never arrived.")
	if err != nil {
		fmt.Println("a person decides:", err)
		return
	}
	fmt.Println(c.Labels(), len(p.Scores), p.Tokens > 2, p.Truncated)
	// Output: [NEGATIVE POSITIVE] 2 true false
}

// A model that knows other labels, of two texts for each; a real one takes hundreds, and learn.TrainHead.
func ExampleOpenEmbedder() {
	ctx := context.Background()
	e, err := classifier.OpenEmbedder(ctx, classifier.Options{Model: "starter", ONNXRuntime: "off"})
	if err != nil {
		panic(err)
	}
	defer func() { _ = e.Close() }()
	features, err := e.EmbedAll(ctx, []string{"the soup was cold", "my bread was stale", "the actor was dull", "a boring film"})
	if err != nil {
		panic(err)
	}
	var examples []learn.Example
	for i, label := range []string{"food", "food", "film", "film"} {
		examples = append(examples, learn.Example{Features: features[i], Label: label, Weight: 1})
	}
	head, err := learn.FitHead(ctx, examples, 0.01)
	if err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if _, err := e.WriteClassifier(dir, head); err != nil {
		panic(err)
	}
	c, err := classifier.Open(ctx, classifier.Options{Model: dir, ONNXRuntime: "off"})
	if err != nil {
		panic(err)
	}
	defer func() { _ = c.Close() }()
	p, err := c.Classify(ctx, "cold soup, stale bread")
	fmt.Println(p.Label, err)
	// Output: food <nil>
}
