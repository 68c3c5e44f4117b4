package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"

	"hitl/config"
)

// What is for operators only has a listener of its own, so that no route of it can be public by mistake.

// listenPrivately opens the address of the metrics. Nil: they are off.
func listenPrivately(ctx context.Context, addr string) (net.Listener, error) {
	if addr == config.MetricsOff {
		return nil, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("server.metrics_listen: %w (replicas on one machine need an address each; %q serves no metrics)", err, config.MetricsOff)
	}
	return l, nil
}

// metricsAddr is where the metrics are.
func (s *service) metricsAddr() string {
	if s.private == nil {
		return config.MetricsOff
	}
	return s.private.Addr().String()
}

func (s *service) privateHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.handler())
	if s.cfg.Server.PProf {
		mux.HandleFunc("/debug/pprof/", pprof.Index) // and the profiles by name
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}
