package classifier_test

import (
	"context"
	"fmt"
	"log"

	"hitl/classifier"
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
