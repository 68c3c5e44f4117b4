// Package registry keeps models where every replica finds them: in a folder or an S3-compatible bucket, under the classifier they are for and the hash of their
// contents.
//
//	CLASSIFIER/HASH/model.onnx, config.json, …   the model's files
//	CLASSIFIER/HASH/manifest.json                their sizes and SHA-256, and the model's card; written last
//
// A model is there when its manifest is: what a process left that died before is written again by the next. Models are never changed and never deleted by
// this package. What is read is checked against the manifest's hashes, and its version when it is opened.
package registry
