package config

import (
	"log/slog"
	"time"
)

// Config is everything that hitl can be told. Parse and Load return it complete and checked; who builds one by hand starts
// from Default and New and calls Validate. It is only read after that.
type Config struct {
	Server    Server    `yaml:"server"`
	Log       Log       `yaml:"log"`
	Telemetry Telemetry `yaml:"telemetry"`
	Postgres  Postgres  `yaml:"postgres"`
	Audit     Audit     `yaml:"audit"`
	Redis     Redis     `yaml:"redis"`
	Slack     Slack     `yaml:"slack"`
	Callbacks Callbacks `yaml:"callbacks"`
	// Models is where models are kept that were trained.
	Models Models `yaml:"models"`
	// Classifiers are the models, by name. Absent: one named "default" with every default.
	Classifiers map[string]Classifier `yaml:"classifiers"`
	// Policies decide what a person must see, by name. Absent: one named "default" with every default.
	Policies map[string]Policy `yaml:"policies"`
	// Queues are where reviews wait, by name. At least one.
	Queues map[string]Queue `yaml:"queues" required:"true"`
	// Sources are those who send items, by name. At least one.
	Sources map[string]Source `yaml:"sources" required:"true"`
}

// Server is how hitl is reached.
type Server struct {
	// Listen is the address of the API, the webhooks and Slack's requests.
	Listen string `yaml:"listen" default:":8080" required:"true"`
	// MetricsListen is the address of /metrics, which is never public. off: there are none. Replicas on one machine need one each.
	MetricsListen string `yaml:"metrics_listen" default:"127.0.0.1:9090" required:"true"`
	// PProf serves Go's profiles beside the metrics, under /debug/pprof/.
	PProf bool `yaml:"pprof" default:"false"`
	// PublicURL is where upstreams and Slack reach this service, without a path; documents and links name it. Empty: they name none.
	PublicURL string `yaml:"public_url"`
	// MaxBody is the size of the largest request body.
	MaxBody Bytes `yaml:"max_body" default:"4MiB" min:"1KiB" max:"64MiB"`
	// ReadHeaderTimeout is how long a client may take for a request's headers.
	ReadHeaderTimeout time.Duration `yaml:"read_header_timeout" default:"5s" min:"100ms"`
	// ReadTimeout is how long a client may take for a whole request.
	ReadTimeout time.Duration `yaml:"read_timeout" default:"30s" min:"100ms"`
	// WriteTimeout is how long a request may take from its headers to the end of its answer; waiting for a decision counts.
	WriteTimeout time.Duration `yaml:"write_timeout" default:"2m" min:"1s"`
	// IdleTimeout is how long a connection may be idle between requests.
	IdleTimeout time.Duration `yaml:"idle_timeout" default:"2m" min:"1s"`
	// ShutdownTimeout is how long a stopping service may finish what it has begun.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout" default:"25s" min:"1s"`
}

// MetricsOff in place of an address says that nothing listens there.
const MetricsOff = "off"

// Log is what the service says about itself, on standard error.
type Log struct {
	// Level is the least level that is written: debug, info, warn or error.
	Level slog.Level `yaml:"level" default:"info"`
	// Format is text, json, or auto: text on a terminal and JSON elsewhere.
	Format string `yaml:"format" default:"auto" oneof:"auto|text|json"`
}

// Postgres is the system of record.
type Postgres struct {
	// URL is the connection as the role of the service, "postgres://…".
	URL Secret `yaml:"url" required:"true"`
	// MigrateURL is the connection as the owner of the schema, for `hitl migrate` and `hitl keys`. Empty: URL.
	MigrateURL Secret `yaml:"migrate_url"`
	// MaxConns is the most connections that one replica opens.
	MaxConns int `yaml:"max_conns" default:"16" min:"4" max:"1000"`
	// AcceptDataLoss lets the service start on a Postgres whose fsync, full_page_writes or synchronous_commit is off. Such a server
	// loses items and decisions that were acknowledged when its machine crashes; it is for tests.
	AcceptDataLoss bool `yaml:"accept_data_loss" default:"false"`
}

// Redis holds the queues, which can be rebuilt from Postgres.
type Redis struct {
	// Addrs are host:port of the server, of the Sentinels or of nodes of the cluster.
	Addrs []string `yaml:"addrs" default:"127.0.0.1:6379" required:"true"`
	// Mode is single, sentinel or cluster.
	Mode string `yaml:"mode" default:"single" oneof:"single|sentinel|cluster"`
	// MasterName is what the Sentinels call the master.
	MasterName string `yaml:"master_name"`
	// Username is the ACL user. Empty: the default user.
	Username string `yaml:"username"`
	// Password is the user's. Empty: none.
	Password Secret `yaml:"password"`
	// SentinelPassword is for the Sentinels themselves.
	SentinelPassword Secret `yaml:"sentinel_password"`
	// DB is the number of the database; a cluster has only 0.
	DB  int      `yaml:"db" default:"0" min:"0"`
	TLS RedisTLS `yaml:"tls"`
	// KeyPrefix begins every key, so that several installations can share a server.
	KeyPrefix string `yaml:"key_prefix" default:"hitl" required:"true" max:"64"`
}

// RedisTLS is how the connection to Redis is encrypted.
type RedisTLS struct {
	// Enabled encrypts it.
	Enabled bool `yaml:"enabled" default:"false"`
	// CAFile holds the certificates to trust, as PEM. Empty: the system's.
	CAFile string `yaml:"ca_file"`
	// ServerName is the name in the server's certificate. Empty: the host of the address.
	ServerName string `yaml:"server_name"`
}

// Slack is the app in the workspace.
type Slack struct {
	// BotToken is the "Bot User OAuth Token" of the app, "xoxb-…".
	// Required, unless tokens expire.
	BotToken Secret `yaml:"bot_token"`
	// RefreshToken is the one that the app was installed with, "xoxe-…", when its tokens expire (token rotation). What it is exchanged for is kept in
	// Postgres, encrypted under ClientSecret. Empty: the token does not expire.
	RefreshToken Secret `yaml:"refresh_token"`
	// ClientID and ClientSecret are under "Basic Information" of the app. Required beside RefreshToken, and without a meaning else.
	ClientID string `yaml:"client_id"`
	// ClientSecret stands beside ClientID, and is required with it.
	ClientSecret Secret `yaml:"client_secret"`
	// AppToken is the app-level token, "xapp-…", with the scope connections:write. With it Slack is reached by Socket Mode, and needs no
	// way in. Empty: Slack sends its requests over HTTP.
	AppToken Secret `yaml:"app_token"`
	// SocketConnections is how many connections Socket Mode keeps. Slack gives an app ten, for all replicas, and one is needed for a
	// moment whenever it replaces another.
	SocketConnections int `yaml:"socket_connections" default:"2" min:"1" max:"10"`
	// SigningSecret proves that requests are Slack's; under "Basic Information" of the app. Required without AppToken.
	SigningSecret Secret `yaml:"signing_secret"`
	// OldSigningSecret is accepted too, while the secret is being changed. Empty: none.
	OldSigningSecret Secret `yaml:"old_signing_secret"`
	// Team is the id of the workspace, "T…" (or "E…"), that the token must belong to. Empty: whichever it belongs to.
	Team string `yaml:"team"`
	// APIURL is where Slack's methods are.
	APIURL string `yaml:"api_url" default:"https://slack.com/api/" required:"true"`
	// Language is what channels are spoken to in, and people whose own language Slack does not tell or the bot does not know: en or de.
	Language string `yaml:"language" default:"en" oneof:"en|de"`
	// ShortcutSources are the names of sources that people may send messages of Slack's to: "Send to hitl" in a message's menu. The app needs
	// a manifest with that shortcut then. Empty: there is no such shortcut.
	ShortcutSources []string `yaml:"shortcut_sources"`
}

// Callbacks is how upstreams are told of decisions. Which are told, and where, stands with each source.
type Callbacks struct {
	// AllowHTTP allows callback URLs without TLS.
	AllowHTTP bool `yaml:"allow_http" default:"false"`
	// AllowPrivate allows callbacks to loopback and private addresses.
	AllowPrivate bool `yaml:"allow_private" default:"false"`
	// Timeout is how long one attempt may take.
	Timeout time.Duration `yaml:"timeout" default:"15s" min:"100ms" max:"5m"`
	// Schedule are the waits before the second attempt, the third and so on, each after the attempt before it; the callback is
	// dead after the last. The default is the schedule that Standard Webhooks recommends.
	Schedule []time.Duration `yaml:"schedule" default:"5s,5m,30m,2h,5h,10h,14h,20h,24h"`
}
