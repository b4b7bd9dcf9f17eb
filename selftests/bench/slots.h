/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a child that stays shares with whoever has it end: a file of slots, one
 * for each.
 */
#ifndef SLOTS_H
#define SLOTS_H

#include <stdint.h>

#define SLOTS 20000
#define SLOTS_BYTES (sizeof(struct slot) * SLOTS)

struct slot {
	uint32_t go;	   /* a futex: 0 until it is to end */
	uint32_t pid;	   /* its own, once it stays */
	uint64_t ended_ns; /* CLOCK_MONOTONIC, the last that it did */
};

/* The exit code of the @who-th. */
static inline int code_of(uint32_t who)
{
	return (int)(who % 251);
}

#endif
