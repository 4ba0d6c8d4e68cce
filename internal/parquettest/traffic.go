package parquettest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"weir/flowlog"
)

// Headers of the formats that the measurements use: the default one, and all
// fields up to version 5.
const (
	Header14 = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
	Header29 = Header14 + " vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id" +
		" pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path"
)

// Traffic makes records like those of a busy VPC: some dozen interfaces talk
// with thousands of addresses from ephemeral ports, most flows are small. It is
// the same each time.
type Traffic struct {
	random     *rand.Rand
	interfaces []eni
	peers      []string
	start      int
}

type eni struct{ addr, id, rest string }

// NewTraffic begins at a fixed time.
func NewTraffic() *Traffic {
	t := &Traffic{random: rand.New(rand.NewPCG(1, 2)), start: 1700000000}
	for i := range 40 {
		t.interfaces = append(t.interfaces, eni{
			addr: fmt.Sprintf("10.0.%d.%d", i/8, 10+i),
			id:   fmt.Sprintf("eni-%017x", 0xabc000+i*7919),
			rest: fmt.Sprintf("vpc-0123456789abcdef0 subnet-%017x i-%017x", i/8, 0xdef000+i*104729),
		})
	}
	for range 6000 {
		r := t.random
		t.peers = append(t.peers, fmt.Sprintf("%d.%d.%d.%d", 1+r.IntN(222), r.IntN(256), r.IntN(256), r.IntN(256)))
	}
	return t
}

// Line is the next record as text with the fields of [Header29].
func (t *Traffic) Line() string {
	r := t.random
	e := &t.interfaces[r.IntN(len(t.interfaces))]
	start := t.start + r.IntN(240)
	end := start + r.IntN(60)
	if r.IntN(2000) == 0 {
		return fmt.Sprintf("5 123456789012 %s - - - - - - - %d %d - NODATA %s - - - - eu-central-1 euc1-az1 - - - - - -", e.id, start, end, e.rest)
	}
	u := r.Float64()
	peer := t.peers[int(u*u*float64(len(t.peers)))]
	services := [...]int{443, 80, 22, 53, 3306, 5432, 6379, 8080}
	service := services[int(r.Float64()*r.Float64()*float64(len(services)))]
	protocol := 6
	if service == 53 {
		protocol = 17
	}
	src, dst, sport, dport, way, service1, service2 := e.addr, peer, 32768+r.IntN(28232), service, "egress 8", "-", "-"
	if r.IntN(2) == 0 {
		src, dst, sport, dport, way = dst, src, dport, sport, "ingress -"
	}
	if r.IntN(10) == 0 {
		service1 = "AMAZON"
	}
	if r.IntN(10) == 0 {
		service2 = "S3"
	}
	action := "ACCEPT"
	if r.IntN(20) == 0 {
		action = "REJECT"
	}
	packets := 1 + int(r.ExpFloat64()*8)
	flags := [...]int{0, 2, 3, 18, 19}[r.IntN(5)]
	return fmt.Sprintf("5 123456789012 %s %s %s %d %d %d %d %d %d %d %s OK %s %d IPv4 %s %s eu-central-1 euc1-az1 - - %s %s %s",
		e.id, src, dst, sport, dport, protocol, packets, packets*(40+r.IntN(1420)), start, end, action, e.rest, flags, src, dst, service1, service2, way)
}

// Batches makes n full batches of a format, whose fields must be among those of
// [Header29].
func (t *Traffic) Batches(f flowlog.Format, n int) ([]*flowlog.Batch, error) {
	all, err := flowlog.FormatFromHeader(Header29)
	if err != nil {
		return nil, err
	}
	var out []*flowlog.Batch
	for range n {
		b := flowlog.NewBatch(f)
		for range flowlog.BatchRows {
			var r flowlog.Record
			line := t.Line()
			if err := all.ParseText(&r, line); err != nil {
				return nil, fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
			}
			b.Append(&r)
		}
		t.start++
		out = append(out, b)
	}
	return out, nil
}

// Scan makes n full batches of a format as a port scan of the whole internet
// does: nearly every address, port and size is a new one.
func Scan(f flowlog.Format, n int) []*flowlog.Batch {
	random := rand.New(rand.NewPCG(3, 4))
	addr := func() netip.Addr {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], random.Uint32())
		return netip.AddrFrom4(a)
	}
	var out []*flowlog.Batch
	for range n {
		b := flowlog.NewBatch(f)
		for range flowlog.BatchRows {
			b.Append(&flowlog.Record{
				Version: 5, AccountID: "123456789012", InterfaceID: "eni-1", LogStatus: flowlog.OK, Action: flowlog.Accept,
				SrcAddr: addr(), DstAddr: addr(), PktSrcAddr: addr(), PktDstAddr: addr(), SrcPort: random.Int64N(1 << 16), DstPort: 23,
				Packets: 1, Bytes: random.Int64(), Start: 1700000000 + random.Int64N(1<<32), End: 1700000000,
			})
		}
		out = append(out, b)
	}
	return out
}
