// Package classifier answers texts with predictions: it loads a model, gathers concurrent callers into batches, runs them, and
// keeps the probability of every label.
//
//	c, err := classifier.Open(ctx, classifier.Options{Model: "starter"})
//	...
//	p, err := c.Classify(ctx, "The parcel never arrived.")
//
// A model is "starter" (in the binary), a folder in Hugging Face's layout, or a Hugging Face id, downloaded once. It runs on
// ONNX Runtime where that library is found and on hugot's pure-Go backend otherwise ([Options.ONNXRuntime]).
//
// # What happens to a text
//
// Its caller's goroutine tokenises it: in linear time, cut to the model's limit on a token with the final special token kept,
// which the prediction tells as Truncated. Bytes that are not UTF-8 count as U+FFFD. The tokens wait in a bounded queue
// ([hitl.ErrBusy] when it is full). One goroutine per classifier takes what has come, lays rows of
// similar length together into batches of at most [Options.MaxBatch] and runs the network; the softmax of the logits is computed here.
//
// # What can go wrong
//
// A panic, an error, a logit that is no number, or no answer within [Options.Timeout] is a [hitl.ErrModel] for the texts it
// befell, which then go to a person; the process lives on. When a batch fails, its texts are tried one by one, so that one
// text cannot fail its neighbours. A call into a network cannot be interrupted: while one is stuck, callers are refused at
// once, and once it comes back the classifier works again. Two things cannot be contained: a panic in a goroutine of the
// pure-Go backend's own, and a crash inside ONNX Runtime.
//
// # Training
//
// An [Embedder] gives the features that a model finds in texts. package learn fits a head to them, a last layer for other labels,
// and [Embedder.WriteClassifier] writes both as a model folder.
//
// # Rooms inside
//
// internal/wordpiece and internal/model read tokenizers and model folders, internal/hub downloads, internal/engine runs
// networks, internal/network takes them apart and puts new last layers on them. starter is the embedded model, policy routes predictions, learn learns from reviews.
package classifier
