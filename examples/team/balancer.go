package main

import (
	"net/http"
	"net/http/httputil"
	"sync/atomic"
)

// balancer hands each request to the next of the addresses: the least that a load balancer does, WebSockets included. The
// Host header stays as the browser sent it.
func balancer(addrs ...string) http.Handler {
	var next atomic.Uint64
	return &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.Out.URL.Scheme = "http"
		p.Out.URL.Host = addrs[next.Add(1)%uint64(len(addrs))]
		p.Out.Host = p.In.Host
		p.SetXForwarded()
	}}
}
