// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Counting in the kernel: what enters, what leaves, what a firewall refused.
 *
 *   device ─ tcx ingress ─▶ weir_entering: seen, tagged with its epoch
 *   device ◀─ tcx egress ── weir_leaving: seen
 *   firewall drop ─ kfree_skb ─▶ weir_refused: taken back at the entering door,
 *                                or counted at the leaving one
 *
 * No program lets a packet through or stops it; none copies one to user space.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "packet.h"

char _license[] SEC("license") = "Dual BSD/GPL";

/* Named by value, so that the compiler describes them whole to user space. */
const struct loss *const unused_loss __attribute__((unused));
const struct interface *const unused_interface __attribute__((unused));
const struct address *const unused_address __attribute__((unused));

#define TCX_NEXT -1 /* go on with the next program; Debian 12's linux/bpf.h lacks it */

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8

/* The namespace whose devices this copy of the tcx programs is attached to. */
const volatile __u32 netns = 0;

/* Benchmarks only: spread one test packet over this many source addresses, a
 * power of two. 0 takes the code out. */
const volatile __u32 bench_flows = 0;

static __always_inline struct control *get_control(void)
{
	__u32 zero = 0;
	return bpf_map_lookup_elem(&epochs, &zero);
}

static __always_inline struct loss *loss_of(__u32 slot, __u32 index)
{
	void *inner = bpf_map_lookup_elem(&losses, &slot);
	return inner ? bpf_map_lookup_elem(inner, &index) : NULL;
}

/* flow finds or makes the entry of a key; NULL when there is no room. */
static __always_inline struct counts *flow(void *maps, __u32 slot, void *key)
{
	static const struct counts none = {};
	struct counts *c;
	struct loss *l;
	void *inner;

	inner = bpf_map_lookup_elem(maps, &slot);
	if (!inner)
		return NULL;
	c = bpf_map_lookup_elem(inner, key);
	if (c)
		return c;
	if (bpf_map_update_elem(inner, key, &none, BPF_NOEXIST) == 0) {
		l = loss_of(slot, 0);
		if (l)
			__sync_fetch_and_add(&l->inserted, 1);
	}
	/* Another CPU may have been faster, so look again either way. */
	return bpf_map_lookup_elem(inner, key);
}

static __always_inline struct counts *flow_of(struct packet *p, __u32 slot)
{
	return p->v6 ? flow(&flows6, slot, &p->k6) : flow(&flows4, slot, &p->k4);
}

static __always_inline void set_place(struct packet *p, __u16 iface, __u8 door)
{
	if (p->v6) {
		p->k6.iface = iface;
		p->k6.door = door;
	} else {
		p->k4.iface = iface;
		p->k4.door = door;
	}
}

/* since is the time t since the slot's epoch began, in its unit, never 0. Times
 * before the beginning count as the beginning: the coarse clock, which costs a
 * third of the exact one, ticks only every few ms. */
static __always_inline __u32 since(const struct control *ctl, __u32 slot, __u64 t)
{
	__u64 base = ctl->base[slot & 1];
	return t > base ? ((t - base) >> TIME_SHIFT) + 1 : 1;
}

/* stamp keeps the first and the last time. Two CPUs may race for last by less
 * than a tick of the clock; an atomic maximum would cost more than it mends. */
static __always_inline void stamp(__u32 *first, __u32 *last, __u32 t)
{
	if (!*first)
		__sync_val_compare_and_swap(first, 0, t);
	if (*last < t)
		*last = t;
}

static __always_inline void set_flags(struct counts *c, __u32 flags)
{
	if ((c->flags & flags) != flags)
		__sync_fetch_and_or(&c->flags, flags);
}

static __always_inline void seen(struct control *ctl, __u32 epoch, struct packet *p, __u32 iface,
				 __u32 packets, __u32 bytes)
{
	__u32 slot = epoch & 1;
	struct counts *c = flow_of(p, slot);

	if (!c) {
		struct loss *l = loss_of(slot, iface);
		if (l) {
			__sync_fetch_and_add(&l->full_packets, packets);
			__sync_fetch_and_add(&l->full_bytes, bytes);
		}
		return;
	}
	__sync_fetch_and_add(&c->seen_packets, packets);
	__sync_fetch_and_add(&c->seen_bytes, bytes);
	stamp(&c->seen_first, &c->seen_last, since(ctl, slot, bpf_ktime_get_coarse_ns()));
	set_flags(c, p->flags);
}

/* place is what the interface table has of a device. Index 0: it has nothing. */
struct place {
	__u16 index;
	__u8 l2;
	__u8 gone;
};

static __always_inline struct place place_of(__u32 ns, __u32 ifindex)
{
	struct device dev = {.netns = ns, .ifindex = ifindex};
	__u32 slot = front_of(ns, ifindex);
	struct place place = {};
	struct interface *i;
	struct front *f;

	f = bpf_map_lookup_elem(&fronts, &slot);
	if (f && f->device.ifindex == ifindex && f->device.netns == ns) {
		place.index = f->index;
		place.l2 = f->l2;
		place.gone = f->gone;
		return place;
	}
	i = bpf_map_lookup_elem(&interfaces, &dev);
	if (i) {
		place.index = i->index;
		place.l2 = i->l2;
		place.gone = i->gone;
	}
	return place;
}

static __always_inline int tcx(struct __sk_buff *skb, const __u8 door)
{
	struct source s = {.tcx = skb};
	struct packet p = {};
	struct place i;
	struct control *ctl;
	__u32 packets, bytes, epoch;
	__be16 proto = skb->protocol;
	int err;

	if (proto != bpf_htons(ETH_P_IP) && proto != bpf_htons(ETH_P_IPV6) &&
	    proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
		return TCX_NEXT;
	i = place_of(netns, skb->ifindex);
	ctl = get_control();
	if (!i.index || !ctl)
		return TCX_NEXT;
	/* Read once: a packet is counted and tagged in one epoch. */
	epoch = *(volatile __u32 *)&ctl->epoch;

	s.l3 = i.l2;
	/* A tag that the card took off is not in the bytes; up to two that are. */
	for (int n = 0; n < 2; n++) {
		__be16 tag[2];
		if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
			break;
		if (load(&s, 0, tag, sizeof(tag)))
			return TCX_NEXT;
		s.l3 += 4;
		proto = tag[1];
	}

	if (proto == bpf_htons(ETH_P_IP))
		err = parse4(&s, &p);
	else if (proto == bpf_htons(ETH_P_IPV6))
		err = parse6(&s, &p);
	else
		return TCX_NEXT;
	if (err) {
		struct loss *l = loss_of(epoch & 1, i.index);
		if (l) {
			__sync_fetch_and_add(&l->unread_packets, 1);
			__sync_fetch_and_add(&l->unread_bytes, skb->len > s.l3 ? skb->len - s.l3 : 0);
		}
		return TCX_NEXT;
	}
	if (bench_flows)
		p.k4.src = bpf_get_prandom_u32() & (bench_flows - 1);

	set_place(&p, i.index, door);
	wire(&p, skb->len - s.l3, skb->gso_size, skb->gso_segs, &packets, &bytes);
	if (door == ENTERING)
		skb->tc_index = TAG_MAGIC | (epoch & TAG_EPOCH_MASK);
	seen(ctl, epoch, &p, i.index, packets, bytes);
	return TCX_NEXT;
}

SEC("tcx/ingress")
int weir_entering(struct __sk_buff *skb)
{
	return tcx(skb, ENTERING);
}

SEC("tcx/egress")
int weir_leaving(struct __sk_buff *skb)
{
	return tcx(skb, LEAVING);
}

/* place_with finds the interface behind a bridge by an instance's address. */
static __always_inline struct place place_with(__u32 ns, const struct packet *p, bool dst)
{
	struct address a = {.netns = ns};
	struct place nobody = {};
	struct device *dev;

	if (p->v6) {
		__builtin_memcpy(a.addr, dst ? p->k6.dst : p->k6.src, sizeof(a.addr));
	} else {
		a.addr[2] = bpf_htonl(0xffff);
		a.addr[3] = dst ? p->k4.dst : p->k4.src;
	}
	dev = bpf_map_lookup_elem(&addresses, &a);
	return dev ? place_of(dev->netns, dev->ifindex) : nobody;
}

#define IPS_NAT ((1 << 4) | (1 << 5)) /* IPS_SRC_NAT, IPS_DST_NAT */
#define IP_CT_RELATED 1
#define IP_CT_IS_REPLY 3
#define IP_CT_RELATED_REPLY 4

/* untranslate puts back the tuple that the packet had on the wire where it
 * entered. By the time a later firewall refuses it, destination NAT may have
 * changed it; conntrack's tuple of the packet's direction is the one before. */
static __always_inline void untranslate(struct packet *p, unsigned long nfct)
{
	struct nf_conn *ct = (void *)(nfct & ~7UL);
	__u32 info = nfct & 7;
	struct nf_conntrack_tuple t;
	__u32 status;

	if (!ct)
		return;
	/* Conntrack may be a module, whose types cannot be cast to: its fields are
	 * found by their places alone. */
	peek(&status, (void *)ct + bpf_core_field_offset(ct->status), sizeof(status));
	if (!(status & IPS_NAT))
		return;
	/* An ICMP error about a connection is not a packet of it. */
	if (info == IP_CT_RELATED || info == IP_CT_RELATED_REPLY)
		return;
	if (info >= IP_CT_IS_REPLY) {
		BPF_CORE_READ_INTO(&t.src.u3, ct, tuplehash[1].tuple.src.u3);
		BPF_CORE_READ_INTO(&t.dst.u3, ct, tuplehash[1].tuple.dst.u3);
		BPF_CORE_READ_INTO(&t.src.u.all, ct, tuplehash[1].tuple.src.u.all);
		BPF_CORE_READ_INTO(&t.dst.u.all, ct, tuplehash[1].tuple.dst.u.all);
	} else {
		BPF_CORE_READ_INTO(&t.src.u3, ct, tuplehash[0].tuple.src.u3);
		BPF_CORE_READ_INTO(&t.dst.u3, ct, tuplehash[0].tuple.dst.u3);
		BPF_CORE_READ_INTO(&t.src.u.all, ct, tuplehash[0].tuple.src.u.all);
		BPF_CORE_READ_INTO(&t.dst.u.all, ct, tuplehash[0].tuple.dst.u.all);
	}
	if (p->v6) {
		__builtin_memcpy(p->k6.src, t.src.u3.all, sizeof(p->k6.src));
		__builtin_memcpy(p->k6.dst, t.dst.u3.all, sizeof(p->k6.dst));
	} else {
		p->k4.src = t.src.u3.all[0];
		p->k4.dst = t.dst.u3.all[0];
	}
	if (!has_ports(p->proto) || p->later)
		return;
	if (p->v6) {
		p->k6.sport = t.src.u.all;
		p->k6.dport = t.dst.u.all;
	} else {
		p->k4.sport = t.src.u.all;
		p->k4.dport = t.dst.u.all;
	}
}

struct refusal {
	struct control *ctl;
	__u32 iface;
	__u32 rule;
	__u32 reason;
	__u8 door;
	__u8 gone; /* nobody counts at the device: not yet or not any more */
};

/* slot_of is the slot that a refusal belongs to. What entered was counted in
 * the epoch of its tag, and that epoch stays open for a moment after it ended;
 * only a datagram whose fragments trickled in can come later than that. */
static __always_inline __u32 slot_of(const struct refusal *r, __u16 tag)
{
	__u32 epoch = *(volatile __u32 *)&r->ctl->epoch;
	__u32 previous = epoch - 1;

	if (r->door == ENTERING && (tag & TAG_MAGIC_MASK) == TAG_MAGIC &&
	    (tag & TAG_EPOCH_MASK) == (previous & TAG_EPOCH_MASK) && r->ctl->drained != previous)
		return previous & 1;
	return epoch & 1;
}

/* The monotonic clock in units of TIME_SHIFT, above the tick of the kernel's that
 * it was read in. One word, so that no CPU reads half of another's. */
static __u64 last_tick;
#define TICK_BITS 24
#define TICK_MASK ((1 << TICK_BITS) - 1)

/* coarse_ns is bpf_ktime_get_coarse_ns for tracing programs, which may not call
 * that: the exact clock, which takes some 30 ns, is read once in a tick. After an
 * idle time of a multiple of 2^24 ticks (4.6 hours at 1000 Hz) the old time would
 * be taken for the current one; since makes the epoch's beginning of it. */
static __always_inline __u64 coarse_ns(void)
{
	__u64 tick = bpf_jiffies64() & TICK_MASK;
	__u64 t = *(volatile __u64 *)&last_tick;

	if ((t & TICK_MASK) != tick) {
		t = (bpf_ktime_get_ns() >> TIME_SHIFT) << TICK_BITS | tick;
		*(volatile __u64 *)&last_tick = t;
	}
	return t >> TICK_BITS << TIME_SHIFT;
}

/* time_of is when a refusal was. What is refused where it entered was seen there
 * just before, and the time of that is at hand. */
static __always_inline __u32 time_of(const struct refusal *r, const struct counts *c, __u32 slot)
{
	if (r->door == ENTERING && c->seen_last)
		return c->seen_last;
	return since(r->ctl, slot, coarse_ns());
}

static __always_inline void refuse(const struct refusal *r, struct packet *p, __u16 tag,
				   __u32 packets, __u32 bytes)
{
	__u32 slot = slot_of(r, tag);
	struct counts *c;

	/* What was not seen when it entered cannot be taken back. */
	if (r->gone && (r->door == LEAVING || (tag & TAG_MAGIC_MASK) != TAG_MAGIC))
		return;
	set_place(p, r->iface, r->door);
	c = flow_of(p, slot);
	if (!c) {
		struct loss *l = loss_of(slot, r->iface);
		/* The packet found no room either when it entered, and is in this
		 * epoch's ledger already. */
		if (!l || (r->door == ENTERING && (tag & 1) == slot))
			return;
		__sync_fetch_and_add(&l->refused_packets, packets);
		__sync_fetch_and_add(&l->refused_bytes, bytes);
		return;
	}
	__sync_fetch_and_add(&c->refused_packets, packets);
	__sync_fetch_and_add(&c->refused_bytes, bytes);
	stamp(&c->refused_first, &c->refused_last, time_of(r, c, slot));
	set_flags(c, (__u32)p->flags << 8);
	c->reason = r->reason;
	c->rule = r->rule;
}

/* Fragments that conntrack or a local socket has put together are one buffer
 * with the later ones on a list, each without its network header. */
#define MAX_FRAGMENTS 8192 /* 64 KiB in the smallest legal pieces */

struct fragments {
	struct sk_buff *next;
	struct refusal refusal;
	struct packet packet;
	__u32 header; /* of each later fragment */
	__u32 bytes;  /* without headers, of all of them */
};

static int one_fragment(__u32 i, struct fragments *f)
{
	struct sk_buff *skb = f->next;
	__u32 len;

	if (!skb)
		return 1;
	skb = AS(struct sk_buff, skb);
	len = skb->len;
	f->bytes += len;
	refuse(&f->refusal, &f->packet, skb->tc_index, 1, len + f->header);
	f->next = skb->next;
	return 0;
}

/* route_of is the device that a packet is bound for, by its route, if it has one. */
static __always_inline struct net_device *route_of(struct sk_buff *skb)
{
	unsigned long dst = skb->_skb_refdst & ~1UL;

	return dst ? AS(struct dst_entry, dst)->dev : NULL;
}

static __always_inline struct place routed_to(__u32 ns, struct sk_buff *skb)
{
	struct net_device *out = route_of(skb);
	struct place nobody = {};

	return out ? place_of(ns, out->ifindex) : nobody;
}

static __always_inline void refused(struct sk_buff *skb, __u32 reason)
{
	struct refusal r = {};
	struct source s = {};
	struct packet p = {};
	struct place i;
	struct net_device *dev;
	struct skb_shared_info *shared;
	struct sk_buff *list;
	__u32 ns, mark, l3, packets, bytes, gso_size, gso_segs, network;
	unsigned char *head;
	int err;

	r.ctl = get_control();
	if (!r.ctl)
		return;

	dev = skb->dev;
	if (!dev) {
		/* In the output hook the packet has no device yet, only its route's. */
		dev = route_of(skb);
		if (!dev)
			return;
	}
	dev = AS(struct net_device, dev); /* one type for both */
	ns = dev->nd_net.net->ns.inum;

	head = skb->head;
	network = skb->network_header;
	s.ip = head + network;
	if (skb->tail < network)
		return;
	s.linear = skb->tail - network;
	/* As at the doors, the type of the frame decides what is IP. */
	if (skb->protocol == bpf_htons(ETH_P_IP))
		err = parse4(&s, &p);
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		err = parse6(&s, &p);
	else
		return; /* a firewall may refuse ARP */
	if (err)
		return; /* the entering door has it as unread */

	mark = skb->mark;
	r.reason = reason;
	r.door = LEAVING;
	if ((mark & MARK_MAGIC_MASK) == MARK_MAGIC) {
		/* One of our rules: it says at which door it stands. */
		r.rule = mark & MARK_RULE_MASK;
		if (mark & MARK_LEAVING) {
			i = place_of(ns, dev->ifindex);
			if (!i.index)
				i = routed_to(ns, skb);
			if (!i.index)
				i = place_with(ns, &p, true);
		} else {
			r.door = ENTERING;
			i = place_of(ns, skb->skb_iif);
			if (!i.index)
				i = place_with(ns, &p, false);
		}
	} else {
		/* Somebody else's rule: the interface that the packet was bound
		 * for, if there is one, else the one that it came from. */
		i = routed_to(ns, skb);
		if (!i.index)
			i = place_with(ns, &p, true);
		if (!i.index) {
			r.door = ENTERING;
			i = place_of(ns, skb->skb_iif);
		}
	}
	if (!i.index)
		return;
	r.iface = i.index;
	r.gone = i.gone;
	if (r.door == ENTERING)
		untranslate(&p, skb->_nfct);

	l3 = skb->len - (network - (__u32)(skb->data - head));
	shared = AS(struct skb_shared_info, head + skb->end);
	gso_size = shared->gso_size;
	gso_segs = shared->gso_segs;
	list = shared->frag_list;
	if (list && !gso_size) {
		struct fragments f = {.next = list, .refusal = r, .packet = p};

		if (p.v6) {
			f.packet.k6.sport = f.packet.k6.dport = 0;
			f.header = p.network + 8; /* the fragment header went when they were put together */
		} else {
			f.packet.k4.sport = f.packet.k4.dport = 0;
			f.header = p.network;
		}
		f.packet.flags = 0;
		bpf_loop(MAX_FRAGMENTS, one_fragment, &f, 0);
		bytes = l3 - f.bytes + (p.v6 ? 8 : 0);
		refuse(&r, &p, skb->tc_index, 1, bytes);
		return;
	}
	wire(&p, l3, gso_size, gso_segs, &packets, &bytes);
	refuse(&r, &p, skb->tc_index, packets, bytes);
}

/* Every packet that anything in the kernel drops comes by here. */
SEC("tp_btf/kfree_skb")
int BPF_PROG(weir_refused, struct sk_buff *skb, void *location, int reason)
{
	if ((__u32)reason == bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_NETFILTER_DROP))
		refused(skb, reason);
	return 0;
}
