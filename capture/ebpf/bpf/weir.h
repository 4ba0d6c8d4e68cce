/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the programs and user space share: the maps and the shapes in them.
 * Everything is in host byte order unless it is an address or a port. */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#define MAX_INTERFACES 4096 /* dense indexes 1..4095; entry 0 of the ledger is the table's own */

/* enum door, as in weir/policy. */
#define ENTERING 0
#define LEAVING 1

/* The packet mark of a refusing rule, as in weir/policy. */
#define MARK_MAGIC 0xB0000000u
#define MARK_MAGIC_MASK 0xF0000000u
#define MARK_LEAVING 0x08000000u
#define MARK_RULE_MASK 0x07FFFFFFu

/* skb->tc_index of a packet that entered: the epoch it was counted in. */
#define TAG_MAGIC 0x5700
#define TAG_MAGIC_MASK 0xff00
#define TAG_EPOCH_MASK 0x00ff

/* Times are counted from the beginning of the epoch in units of 2^20 ns
 * (1.05 ms): 32 bits of them last 52 days. 0 means "never", so 1 is added. */
#define TIME_SHIFT 20

struct key4 {
	__be32 src, dst;
	__be16 sport, dport;
	__u16 iface;
	__u8 proto;
	__u8 door;
};

struct key6 {
	__be32 src[4], dst[4];
	__be16 sport, dport;
	__u16 iface;
	__u8 proto;
	__u8 door;
};

/* 64 bytes, a cache line. The kernel puts 48 bytes and the key before it, so an
 * IPv4 entry is two lines and never three. With the bucket an entry takes 144
 * bytes for IPv4 and 168 for IPv6. */
struct counts {
	__u64 seen_packets, seen_bytes;
	__u64 refused_packets, refused_bytes;
	__u32 seen_first, seen_last;
	__u32 refused_first, refused_last;
	__u32 flags;  /* 0..7 seen, 8..15 refused */
	__u32 rule;   /* of the last refusal; 0 is none */
	__u32 reason; /* of the last refusal, enum skb_drop_reason */
	__u32 pad;
};

/* What could not be counted, per interface and CPU. */
struct loss {
	__u64 full_packets, full_bytes;
	__u64 unread_packets, unread_bytes;
	__u64 refused_packets, refused_bytes;
	__u64 inserted; /* entry 0 only: flows that were put into the maps of this epoch */
};

/* An epoch's maps are those at slot epoch & 1 of flows4, flows6 and losses, so
 * one store hands all of them over. */
struct control {
	__u32 epoch;   /* counting goes there */
	__u32 drained; /* this epoch and older ones take nothing more */
	__u64 base[2]; /* per slot: CLOCK_MONOTONIC of the epoch's beginning, ns */
};

struct device {
	__u32 netns; /* inode number of the network namespace */
	__u32 ifindex;
};

struct interface {
	__u16 index;
	__u8 l2;      /* length of the link header: 14 for Ethernet, 0 for devices without */
	__u8 gone;    /* the device is no more; the entry stays until its counts are read */
	char id[28];  /* eni-…, so that a later run can name what an earlier one counted */
};

struct address {
	__u32 netns;
	__be32 addr[4]; /* IPv4 as ::ffff:a.b.c.d */
};

struct flows4_inner {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024); /* user space makes the real ones, with the size that was asked for */
	__type(key, struct key4);
	__type(value, struct counts);
};

struct flows6_inner {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct key6);
	__type(value, struct counts);
};

struct losses_inner {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_INTERFACES);
	__type(key, __u32);
	__type(value, struct loss);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct flows4_inner);
} flows4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct flows6_inner);
} flows6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct losses_inner);
} losses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct control);
} epochs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_INTERFACES);
	__type(key, struct device);
	__type(value, struct interface);
} interfaces SEC(".maps");

/* The interface table's front: what a packet's device most likely is, at
 * front_of(netns, ifindex), without hashing. It saves a fifth of a packet's
 * cost. The table above is the truth; an entry of another device is passed over. */
#define FRONTS 1024 /* a power of two */

struct front {
	struct device device;
	__u16 index; /* 0: nobody */
	__u8 l2;
	__u8 gone;
};

static __always_inline __u32 front_of(__u32 netns, __u32 ifindex)
{
	return (netns * 31 + ifindex) & (FRONTS - 1);
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FRONTS);
	__type(key, __u32);
	__type(value, struct front);
} fronts SEC(".maps");

/* Addresses of instances behind a device, where the device alone does not tell
 * which interface a refused packet was for: a bridge. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16 * MAX_INTERFACES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct address);
	__type(value, struct device);
} addresses SEC(".maps");
