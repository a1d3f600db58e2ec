package tokenauth_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// bubbled runs a test in a bubble of testing/synctest, where time passes only when everybody waits. The guard gives a
// peer 250 ms and a handler 50 ms, which on a busy machine are over before either gets to run.
func bubbled(test func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, test)
	}
}

// listenInBubble is listen over pipes, which unlike sockets don't keep a bubble's time from passing.
func (l *lab) listenInBubble() *lab {
	pipes := &bubblePipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	var requests, serving sync.WaitGroup
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			defer requests.Done()
			l.ServeHTTP(w, r)
		}),
		ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Hour,
	}
	serving.Go(func() { _ = server.Serve(pipes) })
	l.t.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
		requests.Wait() // no time passes after the test
	})
	l.url, l.client = "http://"+l.host, &http.Client{Transport: &http.Transport{DialContext: pipes.dial}}
	return l
}

// bubblePipes is a listener whose connections are pipes.
type bubblePipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *bubblePipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *bubblePipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *bubblePipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p *bubblePipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p.conns <- server
	return client, nil
}
