/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Watches by io_uring.
 *
 * See ring.h for what each call does.
 */
#ifndef PT_URING_H
#define PT_URING_H

#include <signal.h>

#include "base.h"
#include "watch.h"

struct pt_uring;

int pt_uring_probe(bool waitid);
int pt_uring_new(struct pt_uring **ret_uring);
void pt_uring_free(struct pt_uring *uring);
void pt_uring_abandon(struct pt_uring *uring);
int pt_uring_renew(struct pt_uring *uring);

/* Ends all watches, and does by hand what was queued. */
void pt_uring_finish(struct pt_uring *uring);

int pt_uring_fd(const struct pt_uring *uring);
uint64_t pt_uring_wakeups(const struct pt_uring *uring);
bool pt_uring_busy(const struct pt_uring *uring);
bool pt_uring_owes(const struct pt_uring *uring);
int pt_uring_flush(struct pt_uring *uring);
void pt_uring_settle(struct pt_uring *uring);
void pt_uring_keep_readable(struct pt_uring *uring);

int pt_uring_watch(struct pt_uring *uring, enum pt_watch watch, int pidfd,
		   uint32_t cookie, siginfo_t *siginfo);
int pt_uring_watch_stops(struct pt_uring *uring, int pid, int pidfd,
			 uint32_t cookie);
void pt_uring_unwatch(struct pt_uring *uring, enum pt_watch watch,
		      uint32_t cookie);
void pt_uring_reap(struct pt_uring *uring, int pidfd);
void pt_uring_close(struct pt_uring *uring, int pidfd);
int pt_uring_next(struct pt_uring *uring, struct pt_happened *ret_happened);

/*
 * The calling thread has closed a ring that it submitted to: the kernel takes
 * that apart some 16 ms later (seen on 6.18), and then interrupts the thread:
 * epoll_wait(2) of the host's would fail with EINTR.  So that is waited for
 * here, with signals blocked: what interrupts is the kernel.  False: it did
 * not, for 200 ms: a copy of this process that fork(2) made has the ring, too;
 * or it was waited by poll(2), which is not seen to be interrupted, for want of
 * a descriptor, or where a sandbox refuses epoll.
 */
bool pt_uring_await_end(void);

#endif
