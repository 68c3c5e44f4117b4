package config

import (
	"encoding/hex"
	"time"
)

// Models is the registry of models that were trained here or handed back, from which classifiers take what their owners promote.
type Models struct {
	// Location is a folder that every replica sees, or a bucket, s3://BUCKET/FOLDER. Empty: there is no registry.
	Location string `yaml:"location"`
	// S3 is how the bucket is reached.
	S3 S3 `yaml:"s3"`
}

// S3 is how a bucket of Amazon S3, or of another server that speaks its protocol, is reached.
type S3 struct {
	// Endpoint is the server's address.
	Endpoint string `yaml:"endpoint" default:"https://s3.amazonaws.com" required:"true"`
	// Region is the bucket's. Empty: the server says.
	Region string `yaml:"region"`
	// AccessKey and SecretKey go together. Empty: what the environment (AWS_ACCESS_KEY_ID, …), the credentials file or the machine's role gives.
	AccessKey Secret `yaml:"access_key"`
	// SecretKey is the secret half of AccessKey.
	SecretKey Secret `yaml:"secret_key"`
	// SessionToken goes with keys that are for a time.
	SessionToken Secret `yaml:"session_token"`
	// PathStyle puts the bucket into the path and not into the host's name, as many servers of one's own want it.
	PathStyle bool `yaml:"path_style" default:"false"`
}

// Classifier is one model and how it is run.
type Classifier struct {
	// Model is "starter" (small, built in), a folder ("./model", "/models/x") with model.onnx, tokenizer.json and config.json, or a
	// Hugging Face id, "org/name" or "org/name@revision". Empty: starter; with Labels there is none yet, and people see everything.
	Model string `yaml:"model"`
	// Labels are what people can answer, beyond what the model knows.
	Labels []string `yaml:"labels" min:"1" max:"200"`
	// ONNXRuntime is auto (used when its library is found), off, or the path of the library.
	ONNXRuntime string `yaml:"onnxruntime" default:"auto" required:"true"`
	// Network is the name of the model's network: model_quantized.onnx, for instance. A promoted model has its own.
	Network string `yaml:"network" default:"model.onnx" required:"true"`
	// Threads is how many threads ONNX Runtime uses for one batch. 0: as many as there are cores.
	Threads int `yaml:"threads" default:"0" min:"0" max:"1024"`
	// CacheSize is how many texts' predictions are remembered, by hashes of the texts. 0: none.
	CacheSize int `yaml:"cache_size" default:"10000" min:"0" max:"10000000"`
	// MaxBatch is the most texts that are classified together.
	MaxBatch int `yaml:"max_batch" default:"32" min:"1" max:"1024"`
	// MaxWait is how long a text waits for others to be classified with.
	MaxWait time.Duration `yaml:"max_wait" default:"2ms" max:"1s"`
	// QueueSize is the most texts that wait; more are refused with 429.
	QueueSize int `yaml:"queue_size" default:"1024" min:"1" max:"1000000"`
	// Timeout is how long one text may take, waiting included; after it the item goes to a person.
	Timeout time.Duration `yaml:"timeout" default:"30s" min:"1ms" max:"10m"`
	// MaxAttempts is how many processes a text may kill (the model's fault, or its memory) before it goes to a person untried.
	MaxAttempts int `yaml:"max_attempts" default:"3" min:"1" max:"100"`
	// CalibrateEvery is how often a calibration is fitted and, if it is shown to be better, proposed to the owners of a queue. 0: never.
	CalibrateEvery time.Duration `yaml:"calibrate_every" default:"0"`
	// TrainEvery is how often a model is trained from what reviewers decided, from 100 answers on, and, if it is shown to be better, proposed to the owners of a
	// queue. It needs models.location. 0: never.
	TrainEvery time.Duration `yaml:"train_every" default:"0"`
	// TrainBase is what reads the texts for it: starter, or a folder with an embedding model or a classifier.
	TrainBase string `yaml:"train_base" default:"starter" required:"true"`
	// ShadowShare is the share of the items that a proposed model classifies too, without effect, while nobody has answered the proposal; drawn by the item's id.
	// 0: a proposed model does not run.
	ShadowShare float64 `yaml:"shadow_share" default:"1" min:"0" max:"1"`
	// Cascade has a small model answer what it is sure of, so that Model sees the rest. Absent: Model sees every text.
	Cascade *Cascade `yaml:"cascade"`
	// CacheDir is where downloaded models are kept. Empty: "hitl" in the user's cache folder.
	CacheDir string `yaml:"cache_dir"`
	// HubURL is where models are downloaded from.
	HubURL string `yaml:"hub_url" default:"https://huggingface.co" required:"true"`
	// HubToken opens private models.
	HubToken Secret `yaml:"hub_token"`
}

// Cascade is a small model before a classifier's own. It is run as that is, and knows the same labels.
type Cascade struct {
	// Model is the small model, in the forms of the classifier's.
	Model string `yaml:"model" required:"true"`
	// Network is the name of its network.
	Network string `yaml:"network" default:"model.onnx" required:"true"`
	// Threshold is the score from which on its answer stands. hitl cascade finds the lowest at which it seldom differs from what the large model would have said.
	Threshold float64 `yaml:"threshold" required:"true" min:"0.000001" max:"1"`
}

// Policy decides which items a person must see.
type Policy struct {
	// Threshold is the confidence from which on an item is accepted at once.
	Threshold float64 `yaml:"threshold" default:"0.85" min:"0" max:"1"`
	// LabelThresholds replace Threshold for single labels.
	LabelThresholds map[string]float64 `yaml:"label_thresholds" min:"0" max:"1"`
	// AlwaysReview are labels that a person always sees.
	AlwaysReview []string `yaml:"always_review"`
	// Rules name more that a person must see.
	Rules []Rule `yaml:"rules"`
	// Sample is the share of sure items that a person sees too.
	Sample Sample `yaml:"sample"`
	// Queue is where reviews go when no rule says otherwise.
	Queue string `yaml:"queue" default:"default" required:"true"`
	// Guarantee is what is done with promises of hitl advise.
	Guarantee Guarantee `yaml:"guarantee"`
}

// Guarantee is what the service promises of a policy's accepted items, and what it does about it by itself.
type Guarantee struct {
	// Risk is the error rate among accepted items that is not to be exceeded.
	Risk float64 `yaml:"risk" default:"0.02" min:"0.000001" max:"0.999999"`
	// Confidence is that with which it is promised.
	Confidence float64 `yaml:"confidence" default:"0.95" min:"0.000001" max:"0.999999"`
	// PerLabel promises it of each label on its own.
	PerLabel bool `yaml:"per_label" default:"false"`
	// AdviseEvery is how often thresholds are looked for and, if others than the present ones can be promised, proposed to the owners of the policy's queue. 0: never.
	AdviseEvery time.Duration `yaml:"advise_every" default:"0"`
	// Window is how far back the evidence reaches.
	Window time.Duration `yaml:"window" default:"90d" min:"1h"`
	// WhenBroken is what happens when what reviewers said since contradicts an accepted promise: tell (the owners) or restore (the last thresholds that were
	// stricter, or none: then a person sees everything), and tell.
	WhenBroken string `yaml:"when_broken" default:"tell" oneof:"tell|restore"`
}

// Rule sends the items for which its expression holds to a person.
type Rule struct {
	// Name stands in cards, statistics and the log as "rule:NAME".
	Name string `yaml:"name" required:"true"`
	// When is a CEL expression over item and prediction.
	When string `yaml:"when" required:"true"`
	// Queue is where these reviews go. Empty: the policy's queue.
	Queue string `yaml:"queue"`
	// Priority is urgent, normal or sample.
	Priority string `yaml:"priority" default:"normal" oneof:"urgent|normal|sample"`
	// Description says why, for people.
	Description string `yaml:"description" max:"300"`
}

// Sample is the random share of sure items that is reviewed to measure the model.
type Sample struct {
	// Rate is the share, 0.02 for one in fifty.
	Rate float64 `yaml:"rate" default:"0" min:"0" max:"1"`
	// Key makes the choice unpredictable for who does not know it, and repeatable for who does: 16 characters or more.
	Key Secret `yaml:"key"`
	// Queue is where these reviews go. Empty: the policy's queue.
	Queue string `yaml:"queue"`
	// Certify has the service choose the rate, from Rate on. Absent: it stays.
	Certify *Certify `yaml:"certify"`
}

// Certify has the service sample as much as it takes for the policy's guarantee by a day.
type Certify struct {
	// Within is the time, from the first items that a model judges under the policy on.
	Within time.Duration `yaml:"within" default:"30d" min:"1d"`
	// MaxRate is the highest share.
	MaxRate float64 `yaml:"max_rate" default:"0.2" min:"0.000001" max:"1"`
	// MinRate is the lowest share, and that which is sampled once enough was.
	MinRate float64 `yaml:"min_rate" default:"0.005" min:"0.000001" max:"1"`
}

// Queue is a Slack channel and those who review there.
type Queue struct {
	// Channel is the id of the channel, "C…".
	Channel string `yaml:"channel" required:"true"`
	// Reviewers are the people who may decide.
	Reviewers QueueReviewers `yaml:"reviewers"`
	// Owners run the queue.
	Owners Owners `yaml:"owners"`
	// Panel puts reviews before several people. Absent: one verdict decides each.
	Panel *Panel `yaml:"panel"`
	// BlindShare is the part of the reviews in which people are not shown what the model said before they decide, drawn at random.
	BlindShare float64 `yaml:"blind_share" default:"0" min:"0" max:"1"`
	// GoldShare is how many known answers are mixed in per review that comes into the queue, drawn at random. Nobody is shown which they are.
	GoldShare float64 `yaml:"gold_share" default:"0" min:"0" max:"0.5"`
	// Order is the order in which reviews of normal priority are given out: oldest, or what the model is least sure of first, by the margin of its two
	// highest scores or by the entropy of all. Urgent reviews still come first, and all go by age once one has been reminded of or is halfway to expiring.
	Order string `yaml:"order" default:"oldest" oneof:"oldest|margin|entropy"`
	// OrderUniform is the share of the places in another order than oldest that go by age all the same, to reviews drawn at random, so that nothing is
	// forgotten and some answers are those of a random sample.
	OrderUniform float64 `yaml:"order_uniform" default:"0.2" min:"0.01" max:"0.99"`
	// OpenLimit is the most cards that are open in the channel at a time; the others wait their turn.
	OpenLimit int `yaml:"open_limit" default:"10" min:"1" max:"1000"`
	// SLA is what happens when a review waits.
	SLA SLA `yaml:"sla"`
	// ExpireAfter is how long a review waits for a decision. 0: for ever.
	ExpireAfter time.Duration `yaml:"expire_after" default:"0"`
	// Hours are the times in which people are at work; the times to remind, to escalate and to expire run in them alone. Absent: always.
	Hours *Hours `yaml:"hours"`
	// Digest is when the week's figures are posted to the channel, "mon 09:00" in the time zone of Hours, or in UTC. Empty: never.
	Digest string `yaml:"digest"`
	// FlagRubberStamping tells the owners once a week of reviewers whose decisions look as if they had not been read. Nobody is told where there are
	// neither a channel of the owners, other than the queue's, nor users among them.
	FlagRubberStamping bool `yaml:"flag_rubber_stamping" default:"true"`
	// Backlog is the most open reviews; more items that need one are refused with 503. 0: no limit.
	Backlog int `yaml:"backlog" default:"100000" min:"0"`
	// ClaimFor is how long a reviewer has a claimed review for themselves. 0: nothing can be claimed.
	ClaimFor time.Duration `yaml:"claim_for" default:"15m" max:"24h"`
	// UndoFor is how long whoever decided can take it back. 0: never.
	UndoFor time.Duration `yaml:"undo_for" default:"2m"`
	// BatchLimit is how many reviews can be decided together in the app's home tab. 0: each is decided on its own.
	BatchLimit int `yaml:"batch_limit" default:"20" min:"0" max:"20"`
	// Reasons are what a reviewer can choose to say about a correction.
	Reasons []string `yaml:"reasons" min:"1" max:"75"`
	// ReasonRequired says which verdicts need one of them: none, corrections, or all.
	ReasonRequired string `yaml:"reason_required" default:"never" oneof:"never|corrections|always"`
	// CommentRequired says which verdicts need a comment.
	CommentRequired string `yaml:"comment_required" default:"never" oneof:"never|corrections|always"`
	// Redact are the kinds of personal data that are hidden from Slack: email, phone, card, iban.
	Redact []string `yaml:"redact" oneof:"email|phone|card|iban"`
	// RedactPatterns are more to hide: RE2 expressions by name.
	RedactPatterns map[string]string `yaml:"redact_patterns" max:"1000"`
	// Sensitive keeps the texts out of the channel: a reviewer sees one when they ask for it, which the log keeps.
	Sensitive bool `yaml:"sensitive" default:"false"`
	// Distressing are labels whose items are not shown without a warning: those of which the model says one, or gives it 20% or more.
	Distressing []string `yaml:"distressing" min:"1"`
	// MergeDuplicates has near-identical open items decided together.
	MergeDuplicates bool `yaml:"merge_duplicates" default:"true"`
}

// QueueReviewers are the people who decide a queue's reviews.
type QueueReviewers struct {
	Users  []string `yaml:"users"`  // "U…" or "W…"
	Groups []string `yaml:"groups"` // "S…"
	// ChannelMembers lets everybody in the queue's channel decide too who is at work in the workspace or the organisation. It takes the scopes
	// channels:read and groups:read.
	ChannelMembers bool `yaml:"channel_members" default:"false"`
}

// Reviewers are people by id: users and the members of user groups.
type Reviewers struct {
	Users  []string `yaml:"users"`  // "U…" or "W…"
	Groups []string `yaml:"groups"` // "S…"
}

// Owners are the people who run a queue: they may do what changes it for everybody, and are told what needs them.
type Owners struct {
	Users  []string `yaml:"users"`  // "U…" or "W…"
	Groups []string `yaml:"groups"` // "S…"
	// Channel is where they are told. Empty: the queue's.
	Channel string `yaml:"channel"`
}

// SLA is what happens when a review waits for a decision.
type SLA struct {
	// RemindAfter is when the queue's channel is told of it. 0: never.
	RemindAfter time.Duration `yaml:"remind_after" default:"0"`
	// EscalateAfter is when it becomes urgent and is given to others. 0: never.
	EscalateAfter time.Duration `yaml:"escalate_after" default:"0"`
	// EscalateTo is who gets it then. Absent: the queue's owners are told.
	EscalateTo EscalateTo `yaml:"escalate_to"`
	// ExpireAs is the answer that it gets when its time has run out: undecided (none), ai_label (the model's), or label: and a label.
	ExpireAs string `yaml:"expire_as" default:"undecided" required:"true"`
}

// EscalateTo is who gets what has waited too long.
type EscalateTo struct {
	// Channel is where it is told. Empty: where the queue's owners are.
	Channel string `yaml:"channel"`
	// Group is a user group that is mentioned there.
	Group string `yaml:"group"`
	// Queue is where it moves to. Empty: it stays.
	Queue string `yaml:"queue"`
}

// Hours are times of a week.
type Hours struct {
	// TimeZone is a name like Europe/Berlin.
	TimeZone string `yaml:"time_zone" default:"UTC" required:"true"`
	// Week has spans of a day by days: "mon-fri": "09:00-12:30, 13:30-17:00".
	Week map[string]string `yaml:"week" required:"true" max:"200"`
	// Holidays are dates on which nobody works.
	Holidays []string `yaml:"holidays"`
}

// Panel is how many people judge a review independently, and which reviews.
type Panel struct {
	// Reviewers is how many verdicts it takes. More than half of them decide.
	Reviewers int `yaml:"reviewers" default:"3" min:"2" max:"15"`
	// Share is the part of the queue's reviews that get a panel, drawn at random.
	Share float64 `yaml:"share" default:"1" min:"0" max:"1"`
	// Adjudicators decide where a panel has no majority. Absent: the queue's owners.
	Adjudicators Reviewers `yaml:"adjudicators"`
}

// Source is one sender of items.
type Source struct {
	// Classifier is the name of the classifier of its items.
	Classifier string `yaml:"classifier" default:"default" required:"true"`
	// Policy is the name of the policy for its items.
	Policy string `yaml:"policy" default:"default" required:"true"`
	// Auth is how the source proves who it is, beside the keys that `hitl keys create` made for it. Absent: by those keys alone.
	Auth Auth `yaml:"auth"`
	// Rate bounds how many items it may send; more are refused with 429.
	Rate Rate `yaml:"rate"`
	// Backlog is the most open reviews of its items, in all queues; more items that need one are refused with 503. 0: no limit.
	Backlog int `yaml:"backlog" default:"0" min:"0"`
	// Mapping makes items of what the source posts to /v1/hooks/NAME. Absent: it has no hook.
	Mapping *Mapping `yaml:"mapping"`
	// Callback is where decisions are sent. Absent: nowhere, the source asks.
	Callback *Callback `yaml:"callback"`
	// Stats lets the keys of auth.bearer read GET /v1/stats, which tells about all sources and reviewers.
	Stats bool `yaml:"stats" default:"false"`
	// Retain is how long after an item was received its text, metadata, subject and comments are kept; then they are erased, and its review
	// is cancelled should it be open still. 0: for ever.
	Retain time.Duration `yaml:"retain" default:"0"`
}

// Rate is how many items a source may send to one replica.
type Rate struct {
	// PerSecond is how many on average, 0.5 for one in two seconds. 0: no limit.
	PerSecond float64 `yaml:"per_second" default:"0" min:"0" max:"100000"`
	// Burst is how many at once. 0: what comes in a second, at least one.
	Burst int `yaml:"burst" default:"0" min:"0" max:"100000"`
}

// Auth is how a source proves who it is: one of its fields at most.
type Auth struct {
	// Bearer are the hashes of keys sent as "Authorization: Bearer KEY".
	Bearer []KeyHash `yaml:"bearer"`
	// StandardWebhooks checks signatures as standardwebhooks.com describes them.
	StandardWebhooks *StandardWebhooks `yaml:"standard_webhooks"`
	// HMAC checks a header that holds the HMAC-SHA256 of the body, as GitHub sends it.
	HMAC *HMAC `yaml:"hmac"`
}

// StandardWebhooks are the secrets of a source that signs that way: any of them is good, so that they can be changed.
type StandardWebhooks struct {
	Secrets []Secret `yaml:"secrets" required:"true"` // "whsec_" and base64
}

// HMAC is a signature in a header.
type HMAC struct {
	// Header is the header's name.
	Header string `yaml:"header" default:"X-Hub-Signature-256" required:"true"`
	// Prefix stands before the signature, which is in hex.
	Prefix string `yaml:"prefix" default:"sha256="`
	// Secrets are the keys: any of them is good, so that they can be changed.
	Secrets []Secret `yaml:"secrets" required:"true"`
}

// Mapping are CEL expressions over body, the JSON that was posted, and headers, the request's.
type Mapping struct {
	// When says whether a post is an item at all, true or false; others are answered and forgotten. Empty: all are.
	When string `yaml:"when"`
	// ID gives the source's own id, a string. Empty: a signed post that comes again is the same item, by the webhook-id of Standard Webhooks or the
	// hash of the body with HMAC; every post with a bearer key is a new one.
	ID string `yaml:"id"`
	// Text gives the text to classify.
	Text string `yaml:"text" required:"true"`
	// Metadata gives a map that is kept with the item. Empty: nothing is kept.
	Metadata string `yaml:"metadata"`
	// Subject gives the key of the person the text is about, for erasure.
	Subject string `yaml:"subject"`
}

// Callback is where a source is told of decisions.
type Callback struct {
	// URL is an https address, unless callbacks.allow_http is true.
	URL string `yaml:"url" required:"true"`
	// Secret signs the callbacks: "whsec_" and base64.
	Secret Secret `yaml:"secret" required:"true"`
	// OldSecret signs them too, while the receiver changes from it to Secret.
	OldSecret Secret `yaml:"old_secret"`
	// AIAccepted sends callbacks for items that the model decided too.
	AIAccepted bool `yaml:"ai_accepted" default:"true"`
	// Undo says what the source hears of decisions that can be undone: wait sends only what stands, once it cannot be undone any more;
	// amend sends each at once, and item.reopened after one that is undone.
	Undo string `yaml:"undo" default:"wait" oneof:"wait|amend"`
}

// Bytes is a size.
type Bytes int64

// KeyHash is the SHA-256 of a bearer key; "sha256:HEX" in the file.
type KeyHash [32]byte

// String returns the hash as it stands in the file.
func (h KeyHash) String() string { return "sha256:" + hex.EncodeToString(h[:]) }
