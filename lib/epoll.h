/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Watches by epoll, edge-triggered, for where io_uring is refused.
 *
 * See ring.h for what each call does.
 */
#ifndef PT_EPOLL_H
#define PT_EPOLL_H

#include "base.h"
#include "watch.h"

struct pt_epoll;

int pt_epoll_new(struct pt_epoll **ret_epoll);
void pt_epoll_free(struct pt_epoll *epoll);

int pt_epoll_fd(const struct pt_epoll *epoll);
uint64_t pt_epoll_wakeups(const struct pt_epoll *epoll);
bool pt_epoll_busy(const struct pt_epoll *epoll);

int pt_epoll_watch(struct pt_epoll *epoll, enum pt_watch watch, int pidfd,
		   uint32_t cookie);
void pt_epoll_unwatch(struct pt_epoll *epoll, enum pt_watch watch, int pidfd,
		      uint32_t cookie);
void pt_epoll_tick(struct pt_epoll *epoll, bool wanted);
void pt_epoll_keep_readable(struct pt_epoll *epoll);
int pt_epoll_next(struct pt_epoll *epoll, struct pt_happened *ret_happened);

#endif
