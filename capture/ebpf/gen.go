package ebpf

// The object is the same for every little-endian machine. Debian keeps
// asm/types.h in a directory per architecture; the one that is absent does no
// harm.
//go:generate go tool -modfile=../../tools/go.mod bpf2go -cc clang-14 -strip llvm-strip-14 -target bpfel -type key4 -type key6 -type counts -type loss -type control -type device -type interface -type address -cflags "-O2 -g -mcpu=v3 -Wall -Werror" weir bpf/weir.bpf.c -- -I/usr/include/x86_64-linux-gnu -I/usr/include/aarch64-linux-gnu
