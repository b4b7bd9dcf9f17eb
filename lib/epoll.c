/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "epoll.h"

#include "sys.h"
#include "timer.h"

#define BATCH 64 /* events of one epoll_wait */
#define TICK_MS 50
#define WATCH_KICK 0xff

struct pt_epoll {
	int fd;
	int kick; /* eventfd: keeps it readable while something is left */
	bool kicked;
	int timer; /* timerfd */
	uint64_t wakeups;
	int n_batch;
	int at;
	struct epoll_event batch[BATCH];
};

int pt_epoll_watch(struct pt_epoll *epoll, enum pt_watch watch, int pidfd,
		   uint32_t cookie)
{
	return sys_epoll_ctl(epoll->fd, EPOLL_CTL_ADD, pidfd, EPOLLIN | EPOLLET,
			     pt_watch_name(watch, cookie));
}

/*
 * Never left to close(): the registration would live on for as long as anybody
 * else, a child before its exec even, has the same file.
 */
void pt_epoll_unwatch(struct pt_epoll *epoll, enum pt_watch watch, int pidfd,
		      uint32_t cookie)
{
	sys_epoll_ctl(epoll->fd, EPOLL_CTL_DEL, pidfd, 0, 0);
	for (int i = epoll->at; i < epoll->n_batch; i++) {
		if (epoll->batch[i].data.u64 == pt_watch_name(watch, cookie))
			epoll->batch[i].data.u64 =
				pt_watch_name(PT_WATCH_NONE, 0);
	}
}

static int kick(struct pt_epoll *epoll, bool kick)
{
	uint64_t count = 1;
	int r;

	if (kick == epoll->kicked)
		return 0;
	if (kick)
		r = sys_write(epoll->kick, &count, sizeof(count));
	else
		r = sys_read(epoll->kick, &count, sizeof(count));
	/* else again, or what is readable would be found so for ever */
	if (r < 0 && r != -EAGAIN)
		return r;
	epoll->kicked = kick;
	return 0;
}

static bool is_kick(const struct epoll_event *event)
{
	return pt_watch_happened(event->data.u64).watch == WATCH_KICK;
}

static int fill(struct pt_epoll *epoll)
{
	int n, r;

	r = kick(epoll, false);
	n = sys_epoll_wait(epoll->fd, epoll->batch, BATCH);
	if (n == -EINTR)
		n = 0;
	/* it alone, and it would be found so for ever */
	if (n == 1 && r < 0 && is_kick(&epoll->batch[0]))
		n = r;
	if (n > 0)
		epoll->wakeups++;
	epoll->at = 0;
	epoll->n_batch = MAX(n, 0);
	if (n > 1)
		kick(epoll, true);
	return n;
}

static bool take(struct pt_epoll *epoll, struct pt_happened *ret_happened)
{
	const struct epoll_event *event = &epoll->batch[epoll->at++];
	struct pt_happened happened = pt_watch_happened(event->data.u64);
	uint64_t count;

	if (happened.watch == PT_WATCH_NONE || happened.watch == WATCH_KICK)
		return false;
	if (happened.watch == PT_WATCH_TICK)
		sys_read(epoll->timer, &count, sizeof(count));
	happened.result = (int)event->events;
	*ret_happened = happened;
	return true;
}

int pt_epoll_next(struct pt_epoll *epoll, struct pt_happened *ret_happened)
{
	for (;;) {
		int n;

		while (epoll->at < epoll->n_batch) {
			if (take(epoll, ret_happened))
				return 1;
		}
		n = fill(epoll);
		if (n <= 0)
			return n;
	}
}

void pt_epoll_tick(struct pt_epoll *epoll, bool wanted)
{
	sys_timerfd_set(epoll->timer, wanted ? TICK_MS : 0);
}

void pt_epoll_keep_readable(struct pt_epoll *epoll)
{
	kick(epoll, true);
}

/*
 * Nothing can have happened yet; but where a sandbox refuses to tell, nothing
 * ever would be told, nor what is asked of one descriptor.
 */
static int try_waiting(struct pt_epoll *epoll)
{
	struct pollfd told = { .fd = epoll->kick, .events = POLLIN };
	int r;

	r = kick(epoll, true);
	if (r >= 0)
		r = sys_ppoll_now(&told);
	if (r >= 0)
		r = sys_epoll_wait(epoll->fd, epoll->batch, BATCH);
	if (r >= 0 || r == -EINTR)
		r = kick(epoll, false);
	return r == -EINTR ? 0 : r;
}

int pt_epoll_new(struct pt_epoll **ret_epoll)
{
	struct pt_epoll *epoll;
	int r;

	epoll = calloc(1, sizeof(*epoll));
	if (!epoll)
		return -ENOMEM;
	epoll->kick = epoll->timer = -1;

	epoll->fd = r = sys_epoll_new();
	if (r >= 0)
		r = sys_set_nonblock(epoll->fd);
	if (r >= 0)
		epoll->kick = r = sys_eventfd();
	if (r >= 0)
		r = sys_epoll_ctl(epoll->fd, EPOLL_CTL_ADD, epoll->kick,
				  EPOLLIN, pt_watch_name(WATCH_KICK, 0));
	/* now, so that there is one when there is no memory for a watch */
	if (r >= 0)
		epoll->timer = r = pt_timer_new(0);
	if (r >= 0)
		r = sys_epoll_ctl(epoll->fd, EPOLL_CTL_ADD, epoll->timer,
				  EPOLLIN, pt_watch_name(PT_WATCH_TICK, 0));
	if (r >= 0)
		r = try_waiting(epoll);
	if (r < 0) {
		pt_epoll_free(epoll);
		return r;
	}
	*ret_epoll = epoll;
	return 0;
}

void pt_epoll_free(struct pt_epoll *epoll)
{
	fd_close(epoll->timer);
	fd_close(epoll->kick);
	fd_close(epoll->fd);
	free(epoll);
}

int pt_epoll_fd(const struct pt_epoll *epoll)
{
	return epoll->fd;
}

uint64_t pt_epoll_wakeups(const struct pt_epoll *epoll)
{
	return epoll->wakeups;
}

bool pt_epoll_busy(const struct pt_epoll *epoll)
{
	return epoll->at < epoll->n_batch;
}
