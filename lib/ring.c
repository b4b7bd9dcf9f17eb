/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "ring.h"

#include "epoll.h"
#include "sys.h"
#include "uring.h"

/* One of the two. */
struct pt_ring {
	struct pt_uring *uring;
	struct pt_epoll *epoll;
};

int pt_ring_probe(bool waitid)
{
	return pt_uring_probe(waitid);
}

int pt_ring_new(enum pt_backend backend, struct pt_ring **ret_ring)
{
	struct pt_ring *ring;
	int r = -EOPNOTSUPP;

	ring = calloc(1, sizeof(*ring));
	if (!ring)
		return -ENOMEM;

	if (backend != PT_BACKEND_EPOLL)
		r = pt_uring_new(&ring->uring);
	if (r < 0 && backend != PT_BACKEND_URING)
		r = pt_epoll_new(&ring->epoll);
	if (r < 0) {
		free(ring);
		return r;
	}
	*ret_ring = ring;
	return 0;
}

struct pt_ring *pt_ring_free(struct pt_ring *ring)
{
	if (!ring)
		return NULL;
	if (ring->uring) {
		pt_uring_finish(ring->uring);
		pt_uring_free(ring->uring);
	} else {
		pt_epoll_free(ring->epoll);
	}
	free(ring);
	return NULL;
}

struct pt_ring *pt_ring_abandon(struct pt_ring *ring)
{
	if (!ring)
		return NULL;
	if (ring->uring)
		pt_uring_abandon(ring->uring);
	else
		pt_epoll_free(ring->epoll);
	free(ring);
	return NULL;
}

const char *pt_ring_backend(const struct pt_ring *ring)
{
	return ring->uring ? "uring" : "epoll";
}

int pt_ring_fd(const struct pt_ring *ring)
{
	return ring->uring ? pt_uring_fd(ring->uring) :
			     pt_epoll_fd(ring->epoll);
}

uint64_t pt_ring_wakeups(const struct pt_ring *ring)
{
	return ring->uring ? pt_uring_wakeups(ring->uring) :
			     pt_epoll_wakeups(ring->epoll);
}

bool pt_ring_waits(const struct pt_ring *ring)
{
	return ring->uring;
}

int pt_ring_watch(struct pt_ring *ring, enum pt_watch watch, int pidfd,
		  uint32_t cookie, siginfo_t *siginfo)
{
	if (ring->uring)
		return pt_uring_watch(ring->uring, watch, pidfd, cookie,
				      siginfo);
	return pt_epoll_watch(ring->epoll, watch, pidfd, cookie);
}

int pt_ring_watch_stops(struct pt_ring *ring, int pid, int pidfd,
			uint32_t cookie)
{
	if (ring->uring)
		return pt_uring_watch_stops(ring->uring, pid, pidfd, cookie);
	return -EOPNOTSUPP;
}

int pt_ring_unwatch(struct pt_ring *ring, enum pt_watch watch, int pidfd,
		    uint32_t cookie)
{
	if (ring->uring) {
		pt_uring_unwatch(ring->uring, watch, cookie);
		return 0;
	}
	pt_epoll_unwatch(ring->epoll, watch, pidfd, cookie);
	return 1;
}

void pt_ring_reap(struct pt_ring *ring, int pidfd)
{
	if (ring->uring)
		pt_uring_reap(ring->uring, pidfd);
	else
		sys_waitid(PT_P_PIDFD, pidfd, NULL, WEXITED | WNOHANG | __WALL);
}

void pt_ring_close(struct pt_ring *ring, int pidfd)
{
	if (ring->uring)
		pt_uring_close(ring->uring, pidfd);
	else
		sys_close(pidfd);
}

void pt_ring_tick(struct pt_ring *ring, bool wanted)
{
	if (ring->epoll)
		pt_epoll_tick(ring->epoll, wanted);
}

void pt_ring_keep_readable(struct pt_ring *ring)
{
	if (ring->epoll)
		pt_epoll_keep_readable(ring->epoll);
}

bool pt_ring_owes(const struct pt_ring *ring)
{
	return ring->uring && pt_uring_owes(ring->uring);
}

bool pt_ring_busy(const struct pt_ring *ring)
{
	return ring->uring ? pt_uring_busy(ring->uring) :
			     pt_epoll_busy(ring->epoll);
}

void pt_ring_rouse(struct pt_ring *ring)
{
	if (ring->uring)
		pt_uring_keep_readable(ring->uring);
	else
		pt_epoll_keep_readable(ring->epoll);
}

void pt_ring_settle(struct pt_ring *ring)
{
	if (ring->uring)
		pt_uring_settle(ring->uring);
}

int pt_ring_flush(struct pt_ring *ring)
{
	return ring->uring ? pt_uring_flush(ring->uring) : 0;
}

int pt_ring_next(struct pt_ring *ring, struct pt_happened *ret_happened)
{
	return ring->uring ? pt_uring_next(ring->uring, ret_happened) :
			     pt_epoll_next(ring->epoll, ret_happened);
}

int pt_ring_renew(struct pt_ring *ring)
{
	return ring->uring ? pt_uring_renew(ring->uring) : 0;
}
