/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What peers are told to do, a message each over a SOCK_SEQPACKET socket, and
 * what they answer.  peer-asyncio has the same in Python.
 *
 *	peer-NAME SOCKET BENCH-EXIT SLOTS
 *
 * says that it is ready, and then does as it is told until nobody is there to
 * tell.
 */
#ifndef ORDERS_H
#define ORDERS_H

#include <stdint.h>

#include "slots.h"

enum order_kind {
	/* @n that exit at once are launched, @in_flight at a time. */
	ORDER_LAUNCH,
	/* @n that stay are launched, from slot 0. */
	ORDER_HOLD,
	/* Slot @who will end. */
	ORDER_ONE,
	/* All that are left have ended, or will. */
	ORDER_ALL,
	/* @n children of nobody's concern are made, and waited for. */
	ORDER_TAX,
};

struct order {
	uint32_t kind;
	uint32_t n;
	uint32_t in_flight;
	uint32_t who;
};

struct answer {
	int32_t error;	    /* a negative errno: nothing more can be done */
	uint32_t n;	    /* statuses told */
	uint32_t wrong;	    /* of these, or missing, or told twice */
	uint32_t turns;	    /* of the loop */
	uint64_t begin_ns;  /* CLOCK_MONOTONIC */
	uint64_t last_ns;   /* when the last status was told */
	uint64_t median_ns; /* of one, ORDER_TAX */
	uint64_t woken;	    /* voluntary context switches */
	uint64_t preempted; /* involuntary ones */
};

/* recv and send, and getrusage twice */
#define ORDER_SYSCALLS 4

#endif
