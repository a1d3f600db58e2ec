package oidctest

import (
	"net"
	"sync/atomic"
)

// gate is the provider's listener. While it is shut, connections are reset: the port stays taken, so that the provider comes
// back under the same address.
type gate struct {
	net.Listener
	shut atomic.Bool
}

// Accept implements [net.Listener].
func (g *gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil || !g.shut.Load() {
			return conn, err
		}
		reset(conn)
	}
}

// reset closes conn with RST instead of FIN: the other side sees a broken connection, not an end.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails only where the connection is gone already
	}
	_ = conn.Close()
}

// Down makes the provider unreachable: open connections are cut, new ones reset. Up brings it back.
func (p *Provider) Down() {
	p.gate.shut.Store(true)
	p.server.CloseClientConnections()
}

// Up brings the provider back after Down, under the same address.
func (p *Provider) Up() { p.gate.shut.Store(false) }
