package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5/middleware"

	"github.com/ostiary/auth"
	"github.com/ostiary/auth/examples/quickstart/notebook"
)

// stopWithin is how long requests that are under way may take to end.
const stopWithin = 5 * time.Second

// serve listens until ctx ends.
func serve(ctx context.Context, s settings, stdout io.Writer, log *slog.Logger) error {
	l, err := s.listen()
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return fmt.Errorf("unexpected address %s", l.Addr()) // unreachable: it listens on TCP
	}
	if s.mode == "oidc" && s.publicURL == "" {
		s.publicURL = strings.TrimSuffix(s.openURL(addr), "/") // the provider has to know where to send browsers back to
	}
	g, err := newGuard(ctx, s, log)
	if err != nil {
		return err
	}
	defer func() {
		// Behind everything else, so that the database file is left whole, without a log beside it.
		if err := errors.Join(g.Close(), g.closeDB()); err != nil {
			log.Warn("closing", "error", err)
		}
	}()
	if !addr.IP.IsLoopback() && !s.https() {
		log.Warn("the connection is not encrypted: whoever can read the network can take over sessions")
	}
	if s.mode == "noauth" && !addr.IP.IsLoopback() {
		log.Warn("-auth noauth lets in who is on this machine; everybody else is refused")
	}

	var running sync.WaitGroup // also requests that became sockets, which the server doesn't wait for
	handler := notebook.Handler(notebook.Config{Auth: g, Routes: g.Routes(), Base: s.base(), Account: g.account, SignOut: g.signOut})
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			running.Add(1)
			defer running.Done()
			logged(log, handler).ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	log.Info("listening", "addr", addr.String())
	start := fmt.Sprintln(g.startURL(s.openURL(addr)))
	if g.password != "" {
		start += "admin password: " + g.password + "\n" // only ever said here
	}
	if _, err := io.WriteString(stdout, start); err != nil {
		return fmt.Errorf("telling the address: %w", err)
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	stop(g, server, &running, log)
	return nil
}

// stop ends everything in the order in which clients hear of it: sockets close with code 1001 and streams end, then the
// listener closes and requests finish.
func stop(a auth.Plugin, server *http.Server, running *sync.WaitGroup, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	if err := a.Close(); err != nil {
		log.Warn("closing", "error", err)
	}
	if err := server.Shutdown(ctx); err != nil {
		log.Warn("requests were cut off", "error", err)
		_ = server.Close() // nothing is left to be told
		return
	}
	ended := make(chan struct{})
	go func() {
		running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		log.Warn("sockets were cut off")
	}
}

// logged writes a line per request. A query is never logged: it may hold a token.
func logged(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		out := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(out, r)
		log.Debug("request", "method", r.Method, "path", r.URL.Path, "status", out.Status(), "took", time.Since(start).Round(time.Microsecond))
	})
}
