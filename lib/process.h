/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * One tracked process: what is known of it, and what it becomes by what is
 * seen.
 */
#ifndef PT_PROCESS_H
#define PT_PROCESS_H

#include "base.h"
#include "ending.h"
#include "fingerprint.h"
#include "pidtrack.h"
#include "ring.h"
#include "stop.h"

/* How far it has come. */
enum pt_state {
	PT_STATE_NONE, /* no state: a cell of the table nobody filled in */
	PT_STATE_RUNNING,
	PT_STATE_ZOMBIE, /* ended; others are to wait for it, or nobody */
	PT_STATE_OURS,	 /* ended; we reap it once the host knows */
	PT_STATE_REAPED,
	PT_STATE_MAX,
};

/* What is seen of it, or done about it. */
enum pt_seen {
	PT_SEEN_NONE,
	PT_SEEN_STATUS, /* it ended, it is our child, this is its status */
	PT_SEEN_EXIT,	/* it ended, it is not our child */
	PT_SEEN_REAP,	/* somebody has waited for it, or nobody needs to */
	PT_SEEN_STOLEN, /* the same, and it was for us to do */
	PT_SEEN_ACK,	/* the host knows what there was to know */
	PT_SEEN_MAX,
};

/* What follows from it. */
#define PT_DO_EXITED (1U << 0) /* tell the host: EXITED */
#define PT_DO_REAPED (1U << 1) /* tell the host: REAPED */
#define PT_DO_REAP (1U << 2)   /* reap it */

struct pt_cell {
	uint8_t state; /* enum pt_state */
	uint8_t does;  /* PT_DO_ */
};

/* The table itself: state × seen. */
struct pt_cell pt_process_after(enum pt_state state, enum pt_seen seen);

/* What the host is still to be told of a process. */
#define PT_TELL_EXITED (1U << 0)
#define PT_TELL_REAPED (1U << 1)
#define PT_TELL_STOPS (1U << 2)	 /* stopped or continued: ask which */
#define PT_TELL_LADDER (1U << 3) /* what its ladder has come to */

/* Bytes of the host's, kept with a process. */
struct pt_payload {
	size_t size;
	unsigned char bytes[];
};

/*
 * Copies them, freed with free(3); no bytes are *ret_payload NULL.
 *
 * Return: 0; -EINVAL if they are too many, or NULL; -ENOMEM.
 */
int pt_payload_new(const void *bytes, size_t size,
		   struct pt_payload **ret_payload);

struct pidtrack_process {
	struct pidtrack *tracker;
	union {
		siginfo_t siginfo; /* of PT_WATCH_CHILD and STATUS; the kernel
				      writes here */
		uint32_t next_arrived; /* before: the next that came back */
	};
	struct pt_look look;
	struct pt_stop *stop; /* owned: it is to end; or NULL */
	struct pt_ending
		*ending; /* owned: its end is to be recorded; or NULL */
	void *userdata;
	char *label; /* owned; or NULL */
	char *text;  /* owned: its fingerprint as text, once asked for */
	struct pt_payload *payload; /* owned; or NULL */
	uint32_t slot;
	uint32_t next; /* slot of the next to be told of, or free; ~0: none */
	int32_t pid;
	int32_t pidfd; /* owned; -1: parked alone, or a free slot */
	int32_t status;
	uint8_t state;	  /* enum pt_state */
	uint8_t source;	  /* enum pidtrack_source */
	uint8_t binding;  /* enum pidtrack_binding */
	uint8_t watch;	  /* in flight, for its end: enum pt_watch */
	uint8_t stops;	  /* 1 << PIDTRACK_STOPPED, CONTINUED: asked for */
	uint8_t tell;	  /* PT_TELL_ */
	bool stops_watch; /* PT_WATCH_STOPS is in flight */
	bool child : 1;	  /* given to us to wait for */
	bool observed : 1;
	bool queued : 1;     /* on the list of those to be told of */
	bool last : 1;	     /* the host was told all there is of its end */
	bool unrecorded : 1; /* its exit record could not be written */
	bool released : 1;   /* the host is done with it */
	bool claimed : 1;    /* by us, so it is nobody's orphan */
	bool lame : 1;	     /* could not be watched: look at every tick */
	bool stops_lame : 1; /* the same of its stops */
	bool stops_seen : 1; /* some, since they were last watched */
	bool kept : 1;	     /* to be let go in the end */
	bool handed : 1;     /* over exec: so its parent's thread outlives it */
	bool parked : 1;     /* its pidfd is, see parked.h */
	bool leaving : 1;    /* its pidfd is to be */
	bool arrived : 1;    /* on the list of those that came back */
	bool lent : 1;	     /* the host has its descriptor, which stays */
};

/* The bar of what a process costs us. */
_Static_assert(sizeof(struct pidtrack_process) <= 256, "256 bytes a process");

/*
 * Looks at what a readable pidfd means; of REAP and STOLEN it tells REAP, and
 * STATUS also of one that is not our child, if we trace it.
 *
 * Return: what is seen, PT_SEEN_NONE if it is nothing new; *ret_status and
 *         *ret_source if there is a status; a negative errno if it has ended,
 *         and waitid(2) does not say whether it is to be waited for by us.
 */
int pt_process_look(int pidfd, int *ret_status, uint32_t *ret_source);

/*
 * Whether anything is to come of it: of those the host is done with, a running
 * child is still to be reaped.
 */
bool pt_process_is_awaited(const struct pidtrack_process *process);

/* Whether nothing more may come of the process that is worth a watch. */
static inline bool pt_process_is_settled(const struct pidtrack_process *process)
{
	return process->state == PT_STATE_OURS ||
	       process->state == PT_STATE_REAPED;
}

/* Whether there is one in the slot. */
static inline bool pt_process_is_there(const struct pidtrack_process *process)
{
	return process->pidfd >= 0 || process->parked;
}

/* Its state as the host knows it: enum pidtrack_state. */
uint32_t pt_process_state(const struct pidtrack_process *process);

#endif
