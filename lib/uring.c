/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "uring.h"

#include <liburing.h>

#include "owner.h"
#include "quiet.h"
#include "sys.h"

#define OP_WAITID 50 /* Linux 6.7, io_uring.h */
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12) /* Linux 6.0 */
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13) /* Linux 6.1 */
#endif

#define SQ_ENTRIES 256

struct pt_uring {
	struct io_uring ring;
	int fd;		/* eventfd registered with it, to poll */
	bool signalled; /* the eventfd may be readable */
	bool entered;	/* since it was last found empty */
	bool drained;	/* by that: the kernel may signal it once more, late */
	bool renewed;	/* a ring before it may signal it, at any time */
	uint64_t wakeups;
	uint64_t thread; /* whose it is */
};

static void prep_wait(struct io_uring_sqe *sqe, unsigned int idtype, int id,
		      unsigned int options)
{
	io_uring_prep_rw(OP_WAITID, sqe, id, NULL, idtype, 0);
	sqe->file_index = options;
}

static void prep_waitid(struct io_uring_sqe *sqe, int pidfd, siginfo_t *siginfo,
			unsigned int options)
{
	prep_wait(sqe, PT_P_PIDFD, pidfd, options);
	sqe->addr2 = (uintptr_t)siginfo;
}

static bool says(const struct pt_uring *uring, unsigned int flags)
{
	return IO_URING_READ_ONCE(*uring->ring.sq.kflags) & flags;
}

/*
 * The kernel says so only after the work can be found.  Whoever did that in
 * between would be told of it for ever: it is taken back by nothing but more.
 */
static void forget_task_work(struct pt_uring *uring)
{
	__atomic_and_fetch(uring->ring.sq.kflags, ~IORING_SQ_TASKRUN,
			   __ATOMIC_SEQ_CST);
}

static void recall_task_work(struct pt_uring *uring)
{
	__atomic_or_fetch(uring->ring.sq.kflags, IORING_SQ_TASKRUN,
			  __ATOMIC_SEQ_CST);
}

/* That the host asks again, should nothing else happen. */
static void signal_host(struct pt_uring *uring)
{
	uint64_t count = 1;

	sys_write(uring->fd, &count, sizeof(count));
	uring->signalled = true;
}

/*
 * Gives the kernel what is queued, and has it finish what is ready.  Return: 0;
 * 1, and the host asks again, if it did nothing; or a negative errno.
 */
static int enter(struct pt_uring *uring)
{
	const bool work = says(uring, IORING_SQ_TASKRUN);
	int r;

	pt_sys_calls++;
	uring->signalled = uring->entered = true;
	if (work)
		forget_task_work(uring);
	r = io_uring_submit_and_get_events(&uring->ring);
	if (r >= 0 && io_uring_sq_ready(&uring->ring) == 0)
		return 0;
	/* where not all is taken, that work is not done, either */
	if (work)
		recall_task_work(uring);
	/* what it has no memory for now must not wait for other things */
	signal_host(uring);
	if (r == -EINTR || r == -EAGAIN || r == -EBUSY)
		return 1;
	return MIN(r, 0);
}

/* NULL only if the kernel takes nothing any more. */
static struct io_uring_sqe *get_sqe(struct pt_uring *uring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	if (sqe)
		return sqe;
	enter(uring);
	return io_uring_get_sqe(&uring->ring);
}

/* Nobody waits for its outcome. */
static void make_silent(struct io_uring_sqe *sqe)
{
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = pt_watch_name(PT_WATCH_NONE, 0);
}

static bool has_task_work(const struct pt_uring *uring)
{
	return says(uring, IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/* io_uring_enter(2) tells so only to who waits, and we never do. */
static bool is_dropping(const struct pt_uring *uring)
{
	return IO_URING_READ_ONCE(*uring->ring.cq.koverflow) != 0;
}

static bool take_cqe(struct pt_uring *uring, struct pt_happened *ret_happened)
{
	struct io_uring_cqe *cqe;
	unsigned int head;

	io_uring_for_each_cqe(&uring->ring, head, cqe)
	{
		struct pt_happened happened = pt_watch_happened(cqe->user_data);

		happened.result = cqe->res;
		happened.ended = !(cqe->flags & IORING_CQE_F_MORE);
		io_uring_cq_advance(&uring->ring, 1);
		uring->signalled = true;
		if (happened.watch == PT_WATCH_NONE)
			continue;
		*ret_happened = happened;
		return true;
	}
	return false;
}

int pt_uring_next(struct pt_uring *uring, struct pt_happened *ret_happened)
{
	uint64_t count;

	uring->signalled |= uring->renewed || uring->drained;
	uring->drained = false;
	for (;;) {
		unsigned int queued = io_uring_sq_ready(&uring->ring);

		if (is_dropping(uring))
			return -EBADR;
		if (take_cqe(uring, ret_happened))
			return 1;
		if (has_task_work(uring) || queued > 0) {
			int r = enter(uring);

			if (r != 0)
				return MIN(r, 0);
			if (queued > 0 &&
			    io_uring_sq_ready(&uring->ring) == queued)
				return 0; /* not now, and signalled */
		} else if (uring->signalled) {
			/*
			 * Read before the last look, or a signal between the
			 * two would be lost.
			 */
			int r = sys_read(uring->fd, &count, sizeof(count));

			if (r < 0 && r != -EAGAIN)
				return r;
			uring->wakeups += r > 0;
			uring->signalled = false;
		} else {
			uring->drained = uring->entered;
			uring->entered = false;
			return 0;
		}
	}
}

int pt_uring_watch(struct pt_uring *uring, enum pt_watch watch, int pidfd,
		   uint32_t cookie, siginfo_t *siginfo)
{
	struct io_uring_sqe *sqe;

	/* a chain must not be torn apart by a submission in between */
	if (io_uring_sq_space_left(&uring->ring) < 2)
		enter(uring);
	if (io_uring_sq_space_left(&uring->ring) < 2)
		return -EBUSY;

	sqe = get_sqe(uring);
	if (watch == PT_WATCH_EDGES) {
		io_uring_prep_poll_multishot(sqe, pidfd, POLLIN);
	} else if (watch == PT_WATCH_ENDS) {
		io_uring_prep_poll_add(sqe, pidfd, POLLIN);
	} else if (watch == PT_WATCH_STATUS) {
		/* pending only as long as somebody traces it */
		prep_waitid(sqe, pidfd, siginfo, WEXITED | WNOWAIT | __WALL);
	} else {
		/*
		 * A lone pending WAITID sits on the queue that every child's
		 * end walks; behind the poll it asks once, when it is time.
		 * Without WNOHANG, so that it waits while somebody traces it.
		 */
		io_uring_prep_poll_add(sqe, pidfd, POLLIN);
		sqe->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
		sqe->user_data = pt_watch_name(watch, cookie);
		sqe = get_sqe(uring);
		prep_waitid(sqe, pidfd, siginfo, WEXITED | WNOWAIT | __WALL);
	}
	sqe->user_data = pt_watch_name(watch, cookie);
	return 0;
}

/*
 * By number, which a child of ours keeps: by a pidfd that is O_NONBLOCK the
 * kernel does not wait, and all who have it may make it so.  Should the number
 * be another's by now, it was reaped by others, and whoever is told asks the
 * pidfd.
 */
int pt_uring_watch_stops(struct pt_uring *uring, int pid, int pidfd,
			 uint32_t cookie)
{
	struct io_uring_sqe *sqe = get_sqe(uring);

	if (!sqe)
		return -EBUSY;
	prep_wait(sqe, pid > 0 ? P_PID : PT_P_PIDFD, pid > 0 ? pid : pidfd,
		  WSTOPPED | WCONTINUED | WNOWAIT | __WALL);
	sqe->user_data = pt_watch_name(PT_WATCH_STOPS, cookie);
	return 0;
}

void pt_uring_unwatch(struct pt_uring *uring, enum pt_watch watch,
		      uint32_t cookie)
{
	struct io_uring_sqe *sqe = get_sqe(uring);

	if (!sqe)
		return;
	io_uring_prep_cancel64(sqe, pt_watch_name(watch, cookie), 0);
	make_silent(sqe);
}

void pt_uring_reap(struct pt_uring *uring, int pidfd)
{
	struct io_uring_sqe *sqe = get_sqe(uring);

	if (!sqe) {
		sys_waitid(PT_P_PIDFD, pidfd, NULL, WEXITED | WNOHANG | __WALL);
		return;
	}
	prep_waitid(sqe, pidfd, NULL, WEXITED | WNOHANG | __WALL);
	make_silent(sqe);
}

/* Does by hand what was queued and will not be submitted. */
static void finish(struct pt_uring *uring)
{
	const struct io_uring_sq *sq = &uring->ring.sq;

	for (unsigned int i = *sq->khead; i != sq->sqe_tail; i++) {
		struct io_uring_sqe *sqe = &sq->sqes[i & *sq->kring_mask];

		if (sqe->opcode == IORING_OP_CLOSE)
			sys_close(sqe->fd);
		else if (sqe->opcode == OP_WAITID && sqe->file_index & WNOHANG)
			sys_waitid(PT_P_PIDFD, sqe->fd, NULL,
				   WEXITED | WNOHANG | __WALL);
		else
			continue;
		io_uring_prep_nop(sqe); /* should it be submitted after all */
		make_silent(sqe);
	}
}

/* Behind the reap that may be queued: the kernel looks the number up then. */
void pt_uring_close(struct pt_uring *uring, int pidfd)
{
	struct io_uring_sqe *sqe = get_sqe(uring);

	if (!sqe) {
		finish(uring);
		sys_close(pidfd);
		return;
	}
	io_uring_prep_close(sqe, pidfd);
	make_silent(sqe);
}

/*
 * Nothing is taken: what the queue has no room for stays, and nobody wants it.
 * False: the kernel does not.
 */
static bool finish_task_work(struct pt_uring *uring)
{
	while (says(uring, IORING_SQ_TASKRUN)) {
		pt_sys_calls++;
		forget_task_work(uring);
		if (io_uring_get_events(&uring->ring) < 0) {
			recall_task_work(uring);
			return false;
		}
	}
	return true;
}

/*
 * Ends all requests and waits until they have: one that is cancelled later
 * would still write its siginfo.  If the thread they were of has ended, nobody
 * is there any more who could.
 */
static void cancel_all(struct pt_uring *uring)
{
	struct io_uring_sync_cancel_reg all = {
		.flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL,
		.timeout = { -1, -1 },
	};
	int r;

	/* until none is left: a chain may have gone on meanwhile */
	do {
		pt_sys_calls++;
		r = io_uring_register_sync_cancel(&uring->ring, &all);
		if (r == -EEXIST)
			return;
		if (!finish_task_work(uring))
			return;
	} while (r > 0 || r == -EALREADY || r == -EINTR);
}

#define CLOSING_MS 200

bool pt_uring_await_end(void)
{
	CLEANUP(fd_closep) int nothing = -1;
	struct epoll_event event;
	uint64_t mask, before;
	int r;

	nothing = r = sys_epoll_new();
	if (r >= 0)
		r = pt_quiet_mask(&mask);
	if (r >= 0)
		r = sys_epoll_wait_masked(nothing, &event, CLOSING_MS, &mask);
	/* refused: poll(2) goes on when the kernel interrupts, to its end */
	if (r < 0 && r != -EINTR && pt_quiet_enter(&before) >= 0) {
		sys_poll(NULL, 0, CLOSING_MS);
		sys_signal_mask(&before, NULL);
	}
	return r == -EINTR;
}

static void close_ring(struct pt_uring *uring)
{
	io_uring_queue_exit(&uring->ring);
	if (uring->thread == pt_owner_thread())
		pt_uring_await_end(); /* else that one has ended */
}

/* The answer to a descriptor that is no pidfd tells whether it is known. */
static int try_waitid(struct pt_uring *uring)
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
	int r;

	prep_waitid(sqe, uring->fd, NULL, WEXITED | WNOHANG);
	pt_sys_calls++;
	r = io_uring_submit_and_wait(&uring->ring, 1);
	if (r < 0)
		return r;
	r = io_uring_peek_cqe(&uring->ring, &cqe);
	if (r < 0)
		return r;
	r = cqe->res;
	io_uring_cqe_seen(&uring->ring, cqe);
	return r == -EBADF ? 0 : -EOPNOTSUPP;
}

static int setup(struct pt_uring *uring, unsigned int entries)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN |
			 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_CQSIZE,
		.cq_entries = entries * 4,
	};

	pt_sys_calls++;
	uring->thread = pt_owner_thread();
	return io_uring_queue_init_params(entries, &uring->ring, &params);
}

/* One event of @source: whether @uring's eventfd tells of it at once. */
static int try_wakeup(struct pt_uring *uring, int source, int sink)
{
	struct pollfd told = { .fd = uring->fd, .events = POLLIN };
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
	uint64_t count = 0;
	int r;

	io_uring_prep_poll_add(sqe, source, POLLIN);
	sqe->user_data = pt_watch_name(PT_WATCH_NONE, 0);
	pt_sys_calls++;
	r = io_uring_submit(&uring->ring);
	if (r < 0)
		return r;
	r = sys_write(sink, &count, 1);
	if (r < 0)
		return r;
	r = sys_ppoll_now(&told);
	if (r < 0)
		return r;
	if (r == 0)
		return -EOPNOTSUPP;

	/* as if nothing had been; refused, it would be readable for ever */
	r = sys_read(source, &count, 1);
	if (r < 0)
		return r;
	pt_sys_calls++;
	io_uring_get_events(&uring->ring);
	r = sys_read(uring->fd, &count, sizeof(count));
	if (r != sizeof(count))
		return r < 0 ? r : -EOPNOTSUPP;
	io_uring_cq_advance(&uring->ring, io_uring_cq_ready(&uring->ring));
	return 0;
}

/*
 * An eventfd of a ring with DEFER_TASKRUN was signalled once and never again by
 * some kernels, 6.12.117 among them.
 */
static int try_wakeups(struct pt_uring *uring)
{
	CLEANUP(fd_closep) int source = -1;
	CLEANUP(fd_closep) int sink = -1;
	int r;

	r = sys_pipe(&source, &sink);
	for (int i = 0; i < 3 && r >= 0; i++)
		r = try_wakeup(uring, source, sink);
	return r;
}

static int start(struct pt_uring *uring)
{
	int r;

	r = setup(uring, SQ_ENTRIES);
	if (r < 0)
		return r;

	r = try_waitid(uring);
	if (r >= 0) {
		pt_sys_calls++;
		r = io_uring_register_eventfd(&uring->ring, uring->fd);
	}
	if (r >= 0)
		r = try_wakeups(uring);
	if (r < 0) {
		/* what is left of a try would interrupt once more when the
		 * ring is taken apart, and close_ring() waits but for one */
		cancel_all(uring);
		close_ring(uring);
	}
	return r;
}

int pt_uring_probe(bool waitid)
{
	CLEANUP(fd_closep) int fd = -1;
	struct pt_uring uring;
	int r;

	fd = sys_eventfd();
	if (fd < 0)
		return fd;
	uring = (struct pt_uring){ .fd = fd };
	r = waitid ? start(&uring) : setup(&uring, 1);
	if (r >= 0)
		close_ring(&uring);
	return r;
}

int pt_uring_new(struct pt_uring **ret_uring)
{
	struct pt_uring *uring;
	int r;

	uring = calloc(1, sizeof(*uring));
	if (!uring)
		return -ENOMEM;
	uring->fd = r = sys_eventfd();
	if (r >= 0)
		r = start(uring);
	if (r < 0) {
		fd_close(uring->fd);
		free(uring);
		return r;
	}
	*ret_uring = uring;
	return 0;
}

void pt_uring_finish(struct pt_uring *uring)
{
	cancel_all(uring);
	finish(uring);
}

void pt_uring_free(struct pt_uring *uring)
{
	close_ring(uring);
	fd_close(uring->fd);
	free(uring);
}

void pt_uring_abandon(struct pt_uring *uring)
{
	io_uring_queue_exit(&uring->ring);
	fd_close(uring->fd);
	free(uring);
}

int pt_uring_renew(struct pt_uring *uring)
{
	struct pt_uring renewed = *uring;
	int r;

	/* the old one last: should there be no new one, it is still there */
	r = start(&renewed);
	if (r < 0)
		return r;
	pt_uring_finish(uring);
	close_ring(uring);
	/* which the kernel takes apart in its own time, eventfd and all */
	*uring = renewed;
	uring->signalled = uring->renewed = true;
	return 0;
}

int pt_uring_fd(const struct pt_uring *uring)
{
	return uring->fd;
}

uint64_t pt_uring_wakeups(const struct pt_uring *uring)
{
	return uring->wakeups;
}

bool pt_uring_busy(const struct pt_uring *uring)
{
	return io_uring_cq_ready(&uring->ring) > 0 || has_task_work(uring);
}

bool pt_uring_owes(const struct pt_uring *uring)
{
	return io_uring_sq_ready(&uring->ring) > 0;
}

int pt_uring_flush(struct pt_uring *uring)
{
	return io_uring_sq_ready(&uring->ring) > 0 ? MIN(enter(uring), 0) : 0;
}

void pt_uring_settle(struct pt_uring *uring)
{
	unsigned int queued;

	do {
		queued = io_uring_sq_ready(&uring->ring);
		pt_uring_flush(uring);
	} while (io_uring_sq_ready(&uring->ring) < queued);
	finish(uring);
}

void pt_uring_keep_readable(struct pt_uring *uring)
{
	signal_host(uring);
}
