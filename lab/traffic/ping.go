package traffic

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const pingPayload = 56 // bytes, as ping(8) sends

// ping asks for an echo over one ping socket (the kernel gives it the replies
// to its own identifier only), so its requests are one flow. The namespace's
// net.ipv4.ping_group_range must let the process open one.
func ping(ctx context.Context, t *task) error {
	network, protocol := "udp4", 1
	var request, reply icmp.Type = ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply
	if t.Addr.Addr().Is6() {
		network, protocol = "udp6", 58
		request, reply = ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
	}
	from := ""
	if t.From.IsValid() {
		from = t.From.String()
	}
	conn, err := icmp.ListenPacket(network, from)
	if err != nil {
		return fmt.Errorf("open ping socket: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()

	sequence := 0
	return t.pace(ctx, func(context.Context) (int64, error) {
		sequence = sequence%0xffff + 1
		message := icmp.Message{Type: request, Body: &icmp.Echo{Seq: sequence, Data: make([]byte, pingPayload)}}
		data, err := message.Marshal(nil) // the kernel fills in identifier and checksum
		if err != nil {
			return 0, err
		}
		if _, err := conn.WriteTo(data, &net.UDPAddr{IP: t.Addr.Addr().AsSlice()}); err != nil {
			return 0, err
		}
		return 2 * pingPayload, await(conn, protocol, reply, sequence)
	})
}

// await reads until the reply with the sequence number has come, a second at most.
func await(conn *icmp.PacketConn, protocol int, want icmp.Type, sequence int) error {
	deadline := time.Now().Add(time.Second)
	buf := make([]byte, 1500)
	for time.Now().Before(deadline) {
		if err := conn.SetReadDeadline(deadline); err != nil {
			return err
		}
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			return err
		}
		message, err := icmp.ParseMessage(protocol, buf[:n])
		if err != nil {
			return err
		}
		if echo, ok := message.Body.(*icmp.Echo); ok && message.Type == want && echo.Seq == sequence {
			return nil
		}
	}
	return os.ErrDeadlineExceeded
}
