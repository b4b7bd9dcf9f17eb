/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "owner.h"

#include <stdatomic.h>

#include "sys.h"

_Thread_local uint64_t pt_sys_calls;

uint64_t pt_owner_thread(void)
{
	static _Atomic uint64_t last;
	static _Thread_local uint64_t number;

	if (number == 0)
		number = atomic_fetch_add(&last, 1) + 1;
	return number;
}

static int init_robust(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attributes;
	int r;

	r = pthread_mutexattr_init(&attributes);
	if (r != 0)
		return -r;
	r = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	if (r == 0)
		r = pthread_mutex_init(mutex, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return -r;
}

static int init_ours(struct pt_owner *owner)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *memory = NULL;
	int r;

	r = sys_map_wiped(page, 0, &memory);
	if (!memory)
		return r;
	owner->ours = memory;
	*owner->ours = 1;
	return 0;
}

static void done_ours(struct pt_owner *owner)
{
	sys_unmap(owner->ours, (size_t)sysconf(_SC_PAGESIZE));
}

/* ---- the tracker's own thread ---- */

static void *serve(void *argument)
{
	struct pt_owner *owner = argument;

	pthread_mutex_lock(&owner->lock);
	for (;;) {
		while (!owner->run && !owner->quit)
			pthread_cond_wait(&owner->changed, &owner->lock);
		if (owner->quit)
			break;
		owner->result = owner->run(owner->argument);
		owner->run = NULL;
		owner->done = true;
		pthread_cond_broadcast(&owner->changed);
	}
	pthread_mutex_unlock(&owner->lock);
	return NULL;
}

/*
 * With all signals blocked, so that it runs no handler of the host's; but for
 * SIGCHLD, as the caller has it: it is the parent of what it launches.  To one
 * that blocks it SIGCHLD is not ignored but pending, and wakes another thread
 * up with EINTR; one that does not may be given that of any child, and takes it
 * from who reads a signalfd.
 */
static int start_thread(struct pt_owner *owner)
{
	sigset_t all, before;
	int r;

	pthread_mutex_init(&owner->turn, NULL);
	pthread_mutex_init(&owner->lock, NULL);
	pthread_cond_init(&owner->changed, NULL);

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	if (!sigismember(&before, SIGCHLD))
		sigdelset(&all, SIGCHLD);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	r = pthread_create(&owner->own_thread, NULL, serve, owner);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	owner->has_thread = r == 0;
	return -r;
}

static void end_thread(struct pt_owner *owner)
{
	pthread_mutex_lock(&owner->lock);
	owner->quit = true;
	pthread_cond_broadcast(&owner->changed);
	pthread_mutex_unlock(&owner->lock);
	pthread_join(owner->own_thread, NULL);
	pthread_cond_destroy(&owner->changed);
	pthread_mutex_destroy(&owner->lock);
	pthread_mutex_destroy(&owner->turn);
}

static int call_thread(struct pt_owner *owner, int (*run)(void *argument),
		       void *argument)
{
	int state, r;

	/* a thread that is cancelled while it waits would keep the turn */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_mutex_lock(&owner->turn);
	pthread_mutex_lock(&owner->lock);
	owner->run = run;
	owner->argument = argument;
	owner->done = false;
	pthread_cond_broadcast(&owner->changed);
	while (!owner->done)
		pthread_cond_wait(&owner->changed, &owner->lock);
	r = owner->result;
	pthread_mutex_unlock(&owner->lock);
	pthread_mutex_unlock(&owner->turn);
	pthread_setcancelstate(state, NULL);
	return r;
}

/* ---- either ---- */

int pt_owner_init(struct pt_owner *owner, bool own_thread)
{
	int r;

	r = init_ours(owner);
	if (r < 0)
		return r;

	if (own_thread) {
		r = start_thread(owner);
	} else {
		r = init_robust(&owner->alive);
		if (r == 0)
			pthread_mutex_lock(&owner->alive);
		owner->thread = pt_owner_thread();
	}
	if (r < 0)
		done_ours(owner);
	return r;
}

void pt_owner_done(struct pt_owner *owner)
{
	if (!pt_owner_forked(owner)) {
		if (owner->has_thread) {
			end_thread(owner);
		} else {
			pthread_mutex_unlock(&owner->alive);
			pthread_mutex_destroy(&owner->alive);
		}
	}
	done_ours(owner);
}

bool pt_owner_forked(const struct pt_owner *owner)
{
	return *owner->ours == 0;
}

int pt_owner_take(struct pt_owner *owner)
{
	if (pt_owner_forked(owner))
		return -ECHILD;
	if (owner->has_thread || owner->thread == pt_owner_thread())
		return 0;
	if (pthread_mutex_trylock(&owner->alive) != EOWNERDEAD)
		return -EBUSY;

	pthread_mutex_consistent(&owner->alive);
	owner->thread = pt_owner_thread();
	owner->moved = true;
	return 0;
}

int pt_owner_call(struct pt_owner *owner, int (*run)(void *argument),
		  void *argument)
{
	int r;

	r = pt_owner_take(owner);
	if (r < 0)
		return r;
	return owner->has_thread ? call_thread(owner, run, argument) :
				   run(argument);
}
