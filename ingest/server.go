package ingest

import (
	"context"
	"net"
	"net/http"
	"time"
)

// NewServer returns a server with the limits that the handler of New counts on. Headers must arrive within 5 s and requests within
// 30 s; answers have 90 s, which is more than the longest wait (60 s) and the longest batch (75 s). Its Shutdown ends long waits at
// once, with the items as they are, and makes /readyz fail.
//
// The caller sets ErrorLog, if it wants one, and serves.
func NewServer(addr string, handler http.Handler) *http.Server {
	stopping, stop := context.WithCancel(context.Background())
	s := &http.Server{
		Addr:              addr,
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      90 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), shutdownKey{}, stopping)
		},
	}
	s.RegisterOnShutdown(stop)
	return s
}

type shutdownKey struct{}

// shutdownOf returns the context that ends when the server of a request begins to shut down, while the request's own goes on.
func shutdownOf(ctx context.Context) context.Context {
	if stopping, ok := ctx.Value(shutdownKey{}).(context.Context); ok {
		return stopping
	}
	return context.Background()
}
