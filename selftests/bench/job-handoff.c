// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What it costs a host to execute itself anew and have its 1000 children on,
 * until each is watched again.  It hands them over
 *
 *	pidtrack	by pidtrack_handoff_prepare() and _resume()
 *	open pidfds	as descriptors that stay open, by their numbers
 *	start time	as pid and start time, as a file has them: each is
 *			opened anew, and is who has that start time in /proc,
 *			which tells a number used again, but for 10 ms
 *	SCM_RIGHTS	as descriptors in messages to a new process that is not
 *			their parent
 *
 * A host for each way lives side by side; a round has each do it, and begins
 * with another each time.  1 is pidtrack.  System calls are those for children
 * in both programs; of the library, by pidtrack_statistics(), which tells them
 * only of the program that takes over: before, there is one for each.  In the
 * end the children are killed, and each status is compared; fails if one is
 * wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "pidtrack.h"

#define MOST 1000
#define A_MESSAGE 253 /* the most descriptors of one: SCM_MAX_FD */

enum way { WAY_PIDTRACK, WAY_PIDFDS, WAY_START, WAY_RIGHTS, WAYS };

static const char *const way_names[] = {
	[WAY_PIDTRACK] = "pidtrack",
	[WAY_PIDFDS] = "open pidfds",
	[WAY_START] = "start time",
	[WAY_RIGHTS] = "SCM_RIGHTS",
};

/* What outlives an exec, in a memfd. */
struct state {
	uint32_t way;
	uint32_t n;
	int32_t socket;
	int32_t handoff;
	uint64_t begin_ns;
	uint64_t calls;
	struct {
		int32_t pid;
		int32_t pidfd;
		uint64_t start;
	} children[MOST];
};

struct outcome {
	uint64_t ns;	/* for all */
	uint64_t calls; /* likewise */
	uint32_t n;	/* that are watched, or ended as they should */
	int32_t error;
};

static struct state *state;
static int state_fd;
static struct pidtrack *tracker;
static int epoll = -1;

static void __attribute__((noreturn)) fail(int error)
{
	const struct outcome outcome = { .error = error };

	send(state->socket, &outcome, sizeof(outcome), MSG_NOSIGNAL);
	_exit(1);
}

static int checked(int r)
{
	if (r < 0)
		fail(-errno);
	return r;
}

static void count(uint64_t calls)
{
	state->calls += calls;
}

static void count_ours(void)
{
	struct pidtrack_statistics statistics = { 0 };

	pidtrack_statistics(tracker, &statistics, sizeof(statistics));
	count(statistics.syscalls);
}

/* ---- one child ---- */

static uint64_t start_of(pid_t pid)
{
	char path[32], stat[1024], *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
	close(fd);
	count(3);
	stat[n > 0 ? n : 0] = '\0';
	at = strrchr(stat, ')');
	for (int i = 0; at && i < 20; i++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at, NULL, 10) : 0;
}

static void watch(uint32_t i)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

	if (epoll < 0)
		epoll = checked(epoll_create1(EPOLL_CLOEXEC));
	checked(epoll_ctl(epoll, EPOLL_CTL_ADD, state->children[i].pidfd,
			  &event));
	count(1);
}

static void launch(uint32_t i, const char *program)
{
	const char *const argv[] = { program, NULL };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv);
	struct pidtrack_process *process;
	pid_t pid;

	if (state->way == WAY_PIDTRACK) {
		int r = pidtrack_spawn(tracker, &options, &process, NULL);

		if (r < 0)
			fail(r);
		state->children[i].pid = pidtrack_process_pid(process);
		return;
	}
	pid = vfork();
	if (pid == 0) {
		execl(program, program, NULL);
		_exit(255);
	}
	checked(pid);
	state->children[i].pid = pid;
	state->children[i].start = start_of(pid);
	state->children[i].pidfd =
		checked((int)syscall(SYS_pidfd_open, pid, 0));
}

/* ---- handing over, before and after ---- */

static void __attribute__((noreturn)) execute_self(const char *mode)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", state_fd);
	execl("/proc/self/exe", "job-handoff", mode, number, NULL);
	fail(-errno);
}

static void stay_open(uint32_t i, bool stays)
{
	checked(fcntl(state->children[i].pidfd, F_SETFD,
		      stays ? 0 : FD_CLOEXEC));
	count(1);
}

static void send_some(int socket, uint32_t first, uint32_t n)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(A_MESSAGE * sizeof(int))];
	} control = { 0 };
	struct iovec text = { &n, sizeof(n) };
	struct msghdr message = {
		.msg_iov = &text,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	int *fds = (int *)(void *)CMSG_DATA(&control.header);

	control.header = (struct cmsghdr){
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(n * sizeof(int)),
	};
	for (uint32_t i = 0; i < n; i++)
		fds[i] = state->children[first + i].pidfd;
	checked((int)sendmsg(socket, &message, MSG_NOSIGNAL));
	count(1);
}

static void receive_some(int socket, uint32_t first, uint32_t n)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(A_MESSAGE * sizeof(int))];
	} control;
	struct iovec text = { &n, sizeof(n) };
	struct msghdr message = {
		.msg_iov = &text,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	const int *fds = (int *)(void *)CMSG_DATA(&control.header);

	checked((int)recvmsg(socket, &message, MSG_CMSG_CLOEXEC));
	count(1);
	for (uint32_t i = 0; i < n; i++) {
		state->children[first + i].pidfd = fds[i];
		watch(first + i);
	}
}

static void in_messages(void (*each)(int socket, uint32_t first, uint32_t n),
			int socket)
{
	for (uint32_t i = 0; i < state->n; i += A_MESSAGE)
		each(socket, i,
		     state->n - i < A_MESSAGE ? state->n - i : A_MESSAGE);
}

/* Has the children's descriptors as they are here again when it is over. */
static void hand_to_successor(void)
{
	static int32_t own[MOST];
	int pair[2], status;
	char byte;
	pid_t pid;

	for (uint32_t i = 0; i < state->n; i++)
		own[i] = state->children[i].pidfd;
	checked(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
	pid = checked(vfork());
	if (pid == 0) {
		state->handoff = pair[1];
		execute_self("successor");
	}
	close(pair[1]);
	in_messages(send_some, pair[0]);
	checked((int)recv(pair[0], &byte, 1, 0));
	close(pair[0]);
	checked(waitpid(pid, &status, 0));
	if (status)
		fail(-ECHILD);
	for (uint32_t i = 0; i < state->n; i++)
		state->children[i].pidfd = own[i];
}

static void hand_over(void)
{
	int r;

	state->calls = 0;
	state->begin_ns = now_ns();
	if (state->way == WAY_RIGHTS) {
		hand_to_successor();
		return;
	}
	if (state->way == WAY_PIDTRACK) {
		r = pidtrack_handoff_prepare(tracker, &state->handoff);
		if (r < 0)
			fail(r);
	}
	for (uint32_t i = 0; state->way == WAY_PIDFDS && i < state->n; i++)
		stay_open(i, true);
	execute_self("host");
}

static uint32_t take_recovered(void)
{
	const struct pidtrack_recovered *recovered;
	struct pidtrack_recovery *recovery;
	uint32_t n = 0;
	int r;

	r = pidtrack_handoff_resume(tracker, state->handoff, &recovery);
	if (r < 0)
		fail(r);
	while (pidtrack_recovery_next(recovery, &recovered) > 0)
		n += recovered->process != NULL;
	pidtrack_recovery_free(recovery);
	return n;
}

/* Return: how many are watched. */
static uint32_t take_over(void)
{
	uint32_t n = 0;

	if (state->way == WAY_PIDTRACK) {
		n = take_recovered();
		count_ours();
		return n;
	}
	for (uint32_t i = 0; i < state->n; i++) {
		pid_t pid = state->children[i].pid;

		if (state->way == WAY_PIDFDS) {
			stay_open(i, false);
		} else {
			state->children[i].pidfd =
				checked((int)syscall(SYS_pidfd_open, pid, 0));
			count(1);
			if (start_of(pid) != state->children[i].start)
				continue;
		}
		watch(i);
		n++;
	}
	return n;
}

/* ---- a host ---- */

static uint32_t end_tracked(void)
{
	const struct pidtrack_event *event;
	uint32_t n = 0;

	while (n < state->n && pidtrack_wait(tracker, 20000, &event) > 0) {
		n += event->status == SIGKILL;
		pidtrack_process_free(event->process);
	}
	return n;
}

/* Return: how many ended as they should. */
static uint32_t end_all(void)
{
	uint32_t n = 0;
	int status;

	for (uint32_t i = 0; i < state->n; i++)
		kill(state->children[i].pid, SIGKILL);
	if (state->way == WAY_PIDTRACK)
		return end_tracked();
	for (uint32_t i = 0; i < state->n; i++)
		n += waitpid(state->children[i].pid, &status, 0) > 0 &&
		     status == SIGKILL;
	return n;
}

static void tell(uint32_t n)
{
	struct outcome outcome = {
		.ns = now_ns() - state->begin_ns,
		.calls = state->calls,
		.n = n,
	};

	checked((int)send(state->socket, &outcome, sizeof(outcome),
			  MSG_NOSIGNAL));
}

/* 'h': hand over; otherwise, or if nobody is there to say so: end. */
static void __attribute__((noreturn)) obey(void)
{
	char order;

	while (recv(state->socket, &order, 1, 0) == 1 && order == 'h') {
		hand_over();
		tell(state->n); /* of those who did not execute */
	}
	state->begin_ns = now_ns();
	tell(end_all());
	pidtrack_free(tracker);
	_exit(0);
}

static void begin(void)
{
	int r;

	if (state->way != WAY_PIDTRACK)
		return;
	r = pidtrack_new(NULL, &tracker);
	if (r < 0)
		fail(r);
}

static int resume(const char *mode, const char *number)
{
	state_fd = atoi(number);
	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED,
		     state_fd, 0);
	if (state == MAP_FAILED)
		return 2;
	if (!strcmp(mode, "successor")) {
		in_messages(receive_some, state->handoff);
		return send(state->handoff, "", 1, 0) != 1;
	}
	begin();
	tell(take_over());
	obey();
}

/* ---- all of them ---- */

struct host {
	pid_t pid;
	int socket;
	struct state *state;
	struct bench_row *row;
};

static struct host hosts[WAYS];
static uint32_t n_children = MOST;

/* Where one fails: nobody else ends its children, which come to us. */
static void __attribute__((noreturn))
give_up(const struct host *host, int error)
{
	for (int way = 0; way < WAYS; way++)
		if (hosts[way].pid > 0)
			kill(hosts[way].pid, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	for (int way = 0; way < WAYS; way++)
		for (uint32_t i = 0; hosts[way].state && i < n_children; i++)
			if (hosts[way].state->children[i].pid > 0)
				kill(hosts[way].state->children[i].pid,
				     SIGKILL);
	bench_give_up(way_names[host - hosts], error);
}

static struct outcome hear(const struct host *host)
{
	struct outcome outcome;

	if (recv(host->socket, &outcome, sizeof(outcome), 0) != sizeof(outcome))
		give_up(host, -EPIPE);
	if (outcome.error < 0)
		give_up(host, outcome.error);
	bench_checked(host->row, n_children, n_children - outcome.n);
	return outcome;
}

static struct outcome order(const struct host *host, char what)
{
	if (send(host->socket, &what, 1, MSG_NOSIGNAL) != 1)
		give_up(host, -errno);
	return hear(host);
}

static void __attribute__((noreturn))
host_live(const struct host *host, int socket, const char *program)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	state = host->state;
	state->socket = socket;
	fcntl(state_fd, F_SETFD, 0);
	fcntl(socket, F_SETFD, 0);
	begin();
	for (uint32_t i = 0; i < state->n; i++)
		launch(i, program);
	tell(state->n);
	obey();
}

static void start_host(enum way way, const char *program)
{
	struct host *host = &hosts[way];
	int pair[2];

	bench_progress("%s", way_names[way]);
	host->row = bench_row(way_names[way], "all are handed over", 0);
	bench_unit(host->row, hosts[WAY_PIDTRACK].row);
	state_fd = memfd_create("state", MFD_CLOEXEC);
	if (state_fd < 0 || ftruncate(state_fd, sizeof(*state)) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		give_up(host, -errno);
	host->state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE,
			   MAP_SHARED, state_fd, 0);
	if (host->state == MAP_FAILED)
		give_up(host, -errno);
	host->state->way = way;
	host->state->n = n_children;
	host->pid = fork();
	if (host->pid < 0)
		give_up(host, -errno);
	if (host->pid == 0)
		host_live(host, pair[1], program);
	close(pair[1]);
	close(state_fd);
	host->socket = pair[0];
	hear(host);
}

static void run_rounds(unsigned int rounds)
{
	for (unsigned int round = 0; round < rounds; round++) {
		bench_progress("round %u of %u", round + 1, rounds);
		for (unsigned int i = 0; i < WAYS; i++) {
			const struct host *host =
				&hosts[bench_turn(round, i, WAYS)];
			struct outcome outcome = order(host, 'h');

			bench_time(host->row, round,
				   (double)outcome.ns / n_children);
			bench_count(host->row, "system calls",
				    (double)outcome.calls / n_children);
		}
	}
}

static const struct bench_job job = {
	.name = "handoff",
	.title = "One of 1000 children handed to the program that is executed",
	.unit = "pidtrack",
	.rounds = { 30, 5, 1 },
};

int main(int argc, char **argv)
{
	struct bench_asked asked;

	if (argc == 3 && argv[1][0] != '-')
		return resume(argv[1], argv[2]);
	asked = bench_begin(&job, argc, argv);
	if (asked.size == BENCH_SMOKE)
		n_children = 50;
	bench_fact("children", n_children);
	bench_all_descriptors();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int way = 0; way < WAYS; way++)
		start_host((enum way)way, asked.program);
	run_rounds(asked.rounds);
	for (int way = 0; way < WAYS; way++) {
		order(&hosts[way], 'e');
		waitpid(hosts[way].pid, NULL, 0);
		munmap(hosts[way].state, sizeof(*state));
	}
	return bench_end();
}
