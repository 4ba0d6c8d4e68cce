/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* From bytes to a flow key: one parser for both places where packets are met. */
#pragma once

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "weir.h"
#include "kernel.h"

#define PROTO_HOPOPTS 0
#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_DCCP 33
#define PROTO_ROUTING 43
#define PROTO_FRAGMENT 44
#define PROTO_AH 51
#define PROTO_ICMPV6 58
#define PROTO_DSTOPTS 60
#define PROTO_SCTP 132
#define PROTO_MOBILITY 135
#define PROTO_UDPLITE 136

#define MAX_EXTENSIONS 8

/* Where a packet's bytes are: behind the context of a tcx program, or behind
 * skb->head in a tracepoint. Exactly one is set, known at compile time. */
struct source {
	struct __sk_buff *tcx;
	const unsigned char *ip; /* the network header in the kernel's memory */
	__u32 linear;            /* bytes that can be read from ip */
	__u32 l3;                /* offset of the network header, tcx only */
};

struct packet {
	union {
		struct key4 k4;
		struct key6 k6;
	};
	__u32 network;   /* length of the IP header, IPv6 extension headers included */
	__u32 header;    /* network and transport header, as every GSO segment repeats it */
	__u32 ip_length; /* as the IP header says; 0 when it does not */
	__u8 v6;
	__u8 flags; /* as AWS records them */
	__u8 proto;
	__u8 later; /* a later fragment: no ports */
};

/* A typed pointer from a number (Linux 6.2, kernel/bpf/verifier.c). The verifier
 * makes a move of the call; a load through the pointer yields 0 where there is no
 * memory. Reading by a helper takes some 20 ns each time. */
extern void *bpf_rdonly_cast(const void *obj, __u32 type) __ksym;

#define AS(type, number) ((type *)bpf_rdonly_cast((void *)(number), bpf_core_type_id_kernel(type)))

/* peek copies len bytes of the kernel's memory; len is a constant. The type only
 * has to be one that every kernel has and that begins with bytes, of which the
 * verifier lets any number be read at once (btf_struct_walk in kernel/bpf/btf.c).
 * That they are aligned is said so that eight are. */
static __always_inline void peek(void *to, const void *from, const __u32 len)
{
	for (__u32 i = 0; i < len; i += 8) {
		void *eight = __builtin_assume_aligned(AS(struct in6_addr, from + i), 8);
		__builtin_memcpy(to + i, eight, len - i < 8 ? len - i : 8);
	}
}

/* load copies len bytes at off behind the network header. len is a constant. */
static __always_inline int load(const struct source *s, __u32 off, void *to, const __u32 len)
{
	if (s->tcx) {
		void *data = (void *)(long)s->tcx->data;
		void *end = (void *)(long)s->tcx->data_end;
		__u32 at = s->l3 + off;
		if (at <= 512 && data + at + len <= end) {
			__builtin_memcpy(to, data + at, len);
			return 0;
		}
		/* The linear part ends before it, as after XDP or on zero-copy drivers. */
		return bpf_skb_load_bytes(s->tcx, at, to, len);
	}
	if (off + len > s->linear)
		return -1;
	peek(to, s->ip + off, len);
	return 0;
}

static __always_inline int has_ports(__u8 proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP ||
	       proto == PROTO_DCCP || proto == PROTO_UDPLITE;
}

/* tcp_flags is the rule of the Amazon VPC User Guide: FIN, SYN and RST count,
 * ACK only beside SYN (18). */
static __always_inline __u8 tcp_flags(__u8 f)
{
	__u8 v = f & 0x07;
	if ((f & 0x12) == 0x12)
		v |= 0x10;
	return v;
}

/* transport reads ports and flags at off. A header that is cut off leaves them 0. */
static __always_inline void transport(const struct source *s, __u32 off, struct packet *p,
				      __be16 *sport, __be16 *dport)
{
	__u16 ports[2];

	p->header = off;
	if (!has_ports(p->proto))
		return;
	if (load(s, off, ports, sizeof(ports)))
		return;
	*sport = ports[0];
	*dport = ports[1];
	if (p->proto == PROTO_TCP) {
		__u8 b[2]; /* data offset and flags */
		if (load(s, off + 12, b, sizeof(b)))
			return;
		p->flags = tcp_flags(b[1]);
		p->header = off + (b[0] >> 4) * 4;
	} else if (p->proto == PROTO_UDP) {
		p->header = off + 8;
	}
}

static __always_inline int parse4(const struct source *s, struct packet *p)
{
	struct {
		__u8 vihl, tos;
		__be16 length, id, fragment;
		__u8 ttl, proto;
		__be16 check;
		__be32 src, dst;
	} ip;
	__u32 ihl;

	if (load(s, 0, &ip, sizeof(ip)))
		return -1;
	ihl = (ip.vihl & 0x0f) * 4;
	if (ip.vihl >> 4 != 4 || ihl < sizeof(ip))
		return -1;
	p->proto = ip.proto;
	p->ip_length = bpf_ntohs(ip.length);
	p->k4.src = ip.src;
	p->k4.dst = ip.dst;
	p->k4.proto = ip.proto;
	p->network = ihl;
	p->header = ihl;
	p->later = (ip.fragment & bpf_htons(0x1fff)) != 0;
	if (!p->later)
		transport(s, ihl, p, &p->k4.sport, &p->k4.dport);
	return 0;
}

static __always_inline int parse6(const struct source *s, struct packet *p)
{
	struct {
		__be32 vtf;
		__be16 payload;
		__u8 next, hops;
		__be32 src[4], dst[4];
	} ip;
	__u32 off = sizeof(ip);
	__u8 next;

	if (load(s, 0, &ip, sizeof(ip)))
		return -1;
	if ((ip.vtf & bpf_htonl(0xf0000000)) != bpf_htonl(0x60000000))
		return -1;
	p->v6 = 1;
	/* A jumbogram and BIG TCP say 0 and have more; both begin with options. */
	if (ip.payload || ip.next != PROTO_HOPOPTS)
		p->ip_length = bpf_ntohs(ip.payload) + sizeof(ip);
	__builtin_memcpy(p->k6.src, ip.src, sizeof(ip.src));
	__builtin_memcpy(p->k6.dst, ip.dst, sizeof(ip.dst));
	next = ip.next;

	/* Bounded: a longer chain is counted under the header where we stop. */
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		__u8 h[4];

		if (next != PROTO_HOPOPTS && next != PROTO_ROUTING && next != PROTO_DSTOPTS &&
		    next != PROTO_FRAGMENT && next != PROTO_AH && next != PROTO_MOBILITY)
			break;
		if (load(s, off, h, sizeof(h)))
			break;
		if (next == PROTO_FRAGMENT) {
			if (((h[2] << 8) | h[3]) & 0xfff8) {
				/* A later fragment names the first header of the
				 * fragmented part, which may be an extension
				 * header: its protocol is what can be known. */
				p->later = 1;
				next = h[0];
				off += 8;
				break;
			}
			off += 8;
		} else if (next == PROTO_AH) {
			off += (h[1] + 2) * 4;
		} else {
			off += (h[1] + 1) * 8;
		}
		next = h[0];
	}
	p->proto = next;
	p->k6.proto = next;
	p->network = off;
	p->header = off;
	if (!p->later)
		transport(s, off, p, &p->k6.sport, &p->k6.dport);
	return 0;
}

/* wire says how many packets and IP bytes a buffer of l3 bytes is on the wire.
 * A GSO super-packet counts its segments, each with its own headers. */
static __always_inline void wire(const struct packet *p, __u32 l3, __u32 gso_size, __u32 gso_segs,
				 __u32 *packets, __u32 *bytes)
{
	*packets = 1;
	*bytes = l3;
	if (gso_size) {
		/* gso_segs is 0 on what a guest or a raw socket hands in. */
		if (!gso_segs && l3 > p->header)
			gso_segs = (l3 - p->header + gso_size - 1) / gso_size;
		if (gso_segs > 1) {
			*packets = gso_segs;
			*bytes = l3 + (gso_segs - 1) * p->header;
		}
	} else if (p->ip_length && p->ip_length < l3) {
		*bytes = p->ip_length; /* the rest pads a short Ethernet frame */
	}
}
