package traffic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// names are what clients ask for; the last one does not exist.
var names = []string{
	"api.example.com.", "cdn.example.net.", "db.internal.example.", "mirror.example.org.",
	"metrics.example.com.", "login.example.com.", "mail.example.net.", "nowhere.invalid.",
}

const missing = "nowhere.invalid."

// maxDNS is the longest message without EDNS (RFC 1035, 4.2.1).
const maxDNS = 512

// dnsServer answers A and AAAA questions over UDP.
func dnsServer(ctx context.Context, t *task) error {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(t.Addr))
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	buf := make([]byte, maxDNS)
	for {
		n, client, err := conn.ReadFromUDPAddrPort(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		reply, err := answer(buf[:n])
		if err == nil {
			_, err = conn.WriteToUDPAddrPort(reply, client)
		}
		t.count(int64(n+len(reply)), err)
	}
}

// answer makes the reply to a message with one question.
func answer(message []byte) ([]byte, error) {
	var p dnsmessage.Parser
	header, err := p.Start(message)
	if err != nil {
		return nil, fmt.Errorf("parse question: %w", err)
	}
	q, err := p.Question()
	if err != nil {
		return nil, fmt.Errorf("parse question: %w", err)
	}
	reply := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: header.ID, Response: true, RecursionDesired: header.RecursionDesired, RecursionAvailable: true,
		},
		Questions: []dnsmessage.Question{q},
	}
	if q.Name.String() == missing {
		reply.RCode = dnsmessage.RCodeNameError
		return reply.Pack()
	}
	resource := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60}}
	last := q.Name.Data[0] // addresses need to be well-formed only
	switch q.Type {
	case dnsmessage.TypeA:
		resource.Body = &dnsmessage.AResource{A: netip.AddrFrom4([4]byte{198, 51, 100, last}).As4()}
	case dnsmessage.TypeAAAA:
		resource.Body = &dnsmessage.AAAAResource{AAAA: netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: last}).As16()}
	default:
		return reply.Pack()
	}
	reply.Answers = append(reply.Answers, resource)
	return reply.Pack()
}

// dnsClient asks one question per socket, as resolvers do: each is a flow.
func dnsClient(ctx context.Context, t *task) error {
	dialer := net.Dialer{Timeout: time.Second}
	if t.From.IsValid() {
		dialer.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(t.From, 0))
	}
	return t.pace(ctx, func(ctx context.Context) (int64, error) {
		kind := dnsmessage.TypeA
		if t.rng.IntN(3) == 0 {
			kind = dnsmessage.TypeAAAA
		}
		id := uint16(t.rng.Uint32())
		question, err := (&dnsmessage.Message{
			Header: dnsmessage.Header{ID: id, RecursionDesired: true},
			Questions: []dnsmessage.Question{{
				Name: dnsmessage.MustNewName(names[t.rng.IntN(len(names))]), Type: kind, Class: dnsmessage.ClassINET,
			}},
		}).Pack()
		if err != nil {
			return 0, err
		}
		conn, err := dialer.DialContext(ctx, "udp", t.Addr.String())
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		return ask(conn, question, id)
	})
}

// ask sends a question, waits for its reply and returns the bytes of both.
func ask(conn net.Conn, question []byte, id uint16) (int64, error) {
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return 0, err
	}
	if _, err := conn.Write(question); err != nil {
		return 0, err
	}
	buf := make([]byte, maxDNS)
	n, err := conn.Read(buf)
	if err != nil {
		return 0, err
	}
	var p dnsmessage.Parser
	header, err := p.Start(buf[:n])
	if err != nil {
		return 0, fmt.Errorf("parse reply: %w", err)
	}
	if header.ID != id || !header.Response {
		return 0, errors.New("not the reply to this question")
	}
	return int64(len(question) + n), nil
}
