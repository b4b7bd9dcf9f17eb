/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Whose a tracker is: the thread that made it, or one of its own that runs
 * calls for all others.  Knows what kind of call comes from a child of fork(),
 * and when the owner has ended, without a system call.
 */
#ifndef PT_OWNER_H
#define PT_OWNER_H

#include <pthread.h>

#include "base.h"

struct pt_owner {
	/*
	 * Held by the owner as long as it lives: a robust mutex is what the
	 * kernel itself releases when a thread ends, and thread ids and
	 * pthread_t may be used again.
	 */
	pthread_mutex_t alive;
	uint64_t thread;     /* number of the owner, never used again */
	unsigned char *ours; /* zero in a child of fork() */
	bool moved;	     /* the owner is another than before */

	bool has_thread; /* a thread of the tracker's own is the owner */
	pthread_t own_thread;
	pthread_mutex_t turn;	/* of the callers */
	pthread_mutex_t lock;	/* of what follows */
	pthread_cond_t changed; /* run was set, or done */
	int (*run)(void *argument);
	void *argument;
	int result;
	bool done;
	bool quit;
};

/* The calling thread's number: unlike its id it is never somebody else's. */
uint64_t pt_owner_thread(void);

/* The calling thread owns it, or with @own_thread one that is started. */
int pt_owner_init(struct pt_owner *owner, bool own_thread);

/*
 * Ends the thread.  Nobody may be calling, and the caller must be the owner, or
 * have become it by pt_owner_take(), or be a child of fork().
 */
void pt_owner_done(struct pt_owner *owner);

/* Whether this is a child of fork(), whose copy is nobody's. */
bool pt_owner_forked(const struct pt_owner *owner);

/*
 * Makes the calling thread the owner if the one before has ended.
 *
 * Return: 0 if it is, or if the tracker has a thread of its own; -EBUSY,
 * -ECHILD.
 */
int pt_owner_take(struct pt_owner *owner);

/*
 * Runs @run in the owner.
 *
 * Return: what @run returned; -EBUSY for the thread of another, -ECHILD after
 *         fork().
 */
int pt_owner_call(struct pt_owner *owner, int (*run)(void *argument),
		  void *argument);

#endif
