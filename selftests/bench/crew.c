// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "crew.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Who there may be. */
static const struct kind {
	const char *name;
	const char *program; /* peer-PROGRAM */
	const char *backend; /* of pidtrack */
	const char *why;     /* it is not there */
	bool slow;
	bool parks; /* pidtrack, by PIDTRACK_PARK */
} kinds[] = {
	{ "floor", "floor", NULL, "not built", false },
	{ "pidtrack, ring", "pidtrack", "uring", "not built", false },
	{ "pidtrack, parked", "pidtrack", "uring", "not built", false, true },
	{ "pidtrack, epoll", "pidtrack", "epoll", "not built", false },
	{ "sd-event", "sd-event", NULL, "no libsystemd-dev", false },
	{ "GLib", "glib", NULL, "no libglib2.0-dev", false },
	{ "libuv", "libuv", NULL, "no libuv1-dev", false },
	{ "libev", "libev", NULL, "no libev-dev", false },
	{ "asyncio", "asyncio", NULL, "no Python", false },
	{ "epoll", "epoll", NULL, "not built", false },
	{ "signalfd", "signalfd", NULL, "not built", false },
	{ "polling", "polling", NULL, "not built", true },
};

struct member crew[CREW_MAX];
unsigned int crew_size;
struct slot *crew_slots;

static const struct kind *kind_of[CREW_MAX];
static char directory[4096];
static char *program;
static char slots_path[64], allocations_path[64];
static uint64_t *allocations;
static int counter = -1, counter_of_all = -1;
static time_t answer_seconds; /* then something is missing */

/* That others may open by @path. */
static void *share(const char *name, size_t size, char *path, size_t path_size)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	void *shared;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		bench_give_up(name, -errno);
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		bench_give_up(name, -errno);
	snprintf(path, path_size, "/proc/%d/fd/%d", getpid(), fd);
	return shared;
}

static void path_to(const char *name, const char *rest, char *path, size_t size)
{
	if (snprintf(path, size, "%s/%s%s", directory, name, rest) >= (int)size)
		bench_give_up(name, -ENAMETOOLONG);
}

void crew_begin(const struct bench_asked *asked)
{
	char path[4200];

	program = asked->program;
	answer_seconds = asked->size == BENCH_SMOKE ? 60 : 600;
	snprintf(path, sizeof(path), "%s", program);
	snprintf(directory, sizeof(directory), "%s", dirname(path));
	crew_slots =
		share("slots", SLOTS_BYTES, slots_path, sizeof(slots_path));
	allocations = share("allocations", sizeof(*allocations),
			    allocations_path, sizeof(allocations_path));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		path_to("peer-", kinds[i].program, path, sizeof(path));
		if (access(path, X_OK)) {
			bench_left_out(kinds[i].name, kinds[i].why);
			continue;
		}
		kind_of[crew_size] = &kinds[i];
		crew[crew_size].name = kinds[i].name;
		crew[crew_size++].slow = kinds[i].slow;
	}
}

/* ---- one of them ---- */

static void __attribute__((noreturn))
become(const struct kind *kind, int socket, bool counted)
{
	char path[4200], malloc[4200], number[16];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fcntl(socket, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", socket);
	path_to("peer-", kind->program, path, sizeof(path));
	path_to("bench-malloc.so", "", malloc, sizeof(malloc));
	if (kind->backend)
		setenv("PIDTRACK_BACKEND", kind->backend, 1);
	if (kind->parks)
		setenv("BENCH_PARK", "1", 1);
	if (counted && !access(malloc, R_OK)) {
		setenv("LD_PRELOAD", malloc, 1);
		setenv("BENCH_ALLOCATIONS", allocations_path, 1);
		setenv("PYTHONMALLOC", "malloc", 1);
	}
	execl(path, path, number, program, slots_path, NULL);
	_exit(127);
}

/* Of the tracepoint of system calls, wherever there is a tracefs; or -1. */
static int tracepoint(void)
{
	static const char *const places[] = {
		"/sys/kernel/tracing/events/raw_syscalls/sys_enter/id",
		"/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id",
	};
	int fs, mount = -1, fd = -1;
	char text[32] = "-1";

	for (size_t i = 0; i < 2 && fd < 0; i++)
		fd = open(places[i], O_RDONLY | O_CLOEXEC);
	if (fd < 0 && (fs = fsopen("tracefs", FSOPEN_CLOEXEC)) >= 0) {
		if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
			mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
		fd = openat(mount, "events/raw_syscalls/sys_enter/id",
			    O_RDONLY | O_CLOEXEC);
		close(fs);
		close(mount);
	}
	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		strcpy(text, "-1");
	close(fd);
	return atoi(text);
}

static int count_syscalls(pid_t pid, bool of_children)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.inherit = of_children,
	};
	int id = tracepoint();

	attr.config = (uint64_t)id;
	return id < 0 ? -1 :
			(int)syscall(SYS_perf_event_open, &attr, pid, -1, -1,
				     PERF_FLAG_FD_CLOEXEC);
}

static int64_t counted_by(int fd)
{
	int64_t n;

	return fd >= 0 && read(fd, &n, sizeof(n)) == sizeof(n) ? n : -1;
}

void crew_start(struct member *member, bool counted)
{
	const struct kind *kind = kind_of[member - crew];
	struct timeval time = { .tv_sec = answer_seconds };
	struct answer answer;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		bench_give_up("socketpair", -errno);
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
	member->pid = fork();
	if (member->pid < 0)
		bench_give_up("fork", -errno);
	if (member->pid == 0)
		become(kind, pair[1], counted);
	close(pair[1]);
	member->socket = pair[0];
	member->there = true;
	r = crew_hear(member, &answer);
	if (r < 0) {
		crew_drop(member, 0, r);
	} else if (counted) {
		counter = count_syscalls(member->pid, false);
		counter_of_all = count_syscalls(member->pid, true);
		if (counter < 0)
			bench_left_out("system calls",
				       "no perf tracepoints, which want root");
	}
}

void crew_end(struct member *member)
{
	if (!member->there)
		return;
	member->there = false;
	close(member->socket);
	if (counter >= 0)
		close(counter);
	if (counter_of_all >= 0)
		close(counter_of_all);
	counter = counter_of_all = -1;
	while (waitpid(member->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void crew_drop(struct member *member, uint64_t x, int error)
{
	char why[128], at[32] = "";

	if (x)
		snprintf(at, sizeof(at), "at %u: ", (unsigned int)x);
	snprintf(why, sizeof(why), "%s%s", at, strerror(-error));
	bench_left_out(member->name, why);
	if (member->there)
		kill(member->pid, SIGKILL);
	crew_end(member);
}

/* ---- orders ---- */

/* That it could not be sent is seen by who waits for the answer. */
void crew_tell(struct member *member, const struct order *order)
{
	if (member->there &&
	    send(member->socket, order, sizeof(*order), MSG_NOSIGNAL) < 0)
		shutdown(member->socket, SHUT_RDWR);
}

int crew_hear(struct member *member, struct answer *ret_answer)
{
	ssize_t n = 0;
	int r;

	memset(ret_answer, 0, sizeof(*ret_answer));
	if (!member->there)
		return -ECHILD;
	do
		n = recv(member->socket, ret_answer, sizeof(*ret_answer), 0);
	while (n < 0 && errno == EINTR);
	if (n == sizeof(*ret_answer))
		return ret_answer->error;
	r = n < 0 && errno == EAGAIN ? -ETIMEDOUT : -ECHILD;
	memset(ret_answer, 0, sizeof(*ret_answer));
	crew_drop(member, 0, r);
	return r;
}

int crew_order(struct member *member, const struct order *order,
	       struct answer *ret_answer)
{
	crew_tell(member, order);
	return crew_hear(member, ret_answer);
}

static char state_of(pid_t pid)
{
	char path[32], stat[512], *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
	close(fd);
	stat[n > 0 ? n : 0] = '\0';
	at = strrchr(stat, ')');
	return at && at[1] ? at[2] : 'X';
}

void crew_await_sleep(const struct member *member)
{
	while (state_of(member->pid) == 'R')
		usleep(50);
}

/* ---- counts ---- */

struct tally crew_tally(const struct member *member)
{
	struct tally tally = { .allocations = -1 };
	char path[4200];

	crew_await_sleep(member);
	tally.syscalls = counted_by(counter);
	tally.with_children = counted_by(counter_of_all);
	path_to("bench-malloc.so", "", path, sizeof(path));
	if (!access(path, R_OK))
		tally.allocations =
			(int64_t)__atomic_load_n(allocations, __ATOMIC_RELAXED);
	return tally;
}

void crew_count(struct bench_row *row, const struct tally *before,
		const struct tally *after, unsigned int orders, uint64_t n)
{
	int64_t own = (int64_t)orders * ORDER_SYSCALLS;

	if (after->syscalls >= 0)
		bench_count(row, "system calls",
			    (double)(after->syscalls - before->syscalls - own) /
				    (double)n);
	if (after->allocations >= 0)
		bench_count(row, "allocations",
			    (double)(after->allocations - before->allocations) /
				    (double)n);
}

void crew_count_children(struct bench_row *row, const struct tally *before,
			 const struct tally *after, uint64_t n)
{
	int64_t all = after->with_children - before->with_children;
	int64_t own = after->syscalls - before->syscalls;

	if (after->with_children >= 0 && after->syscalls >= 0)
		bench_count(row, "of the child",
			    (double)(all - own) / (double)n);
}

static int64_t by_perf(struct member *member, const struct order *order,
		       struct answer *ret_answer)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	int64_t n = -1;
	int fd;

	fd = (int)syscall(SYS_perf_event_open, &attr, member->pid, -1, -1,
			  PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -1;
	crew_order(member, order, ret_answer);
	crew_await_sleep(member);
	if (read(fd, &n, sizeof(n)) < 0)
		n = -1;
	close(fd);
	return n;
}

static bool answered(const struct member *member)
{
	char byte;

	return recv(member->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* One further instruction.  Return: the signal that stopped it, or -1. */
static int step(pid_t pid, int signal)
{
	int status;

	if (ptrace(PTRACE_SINGLESTEP, pid, 0, (void *)(intptr_t)signal) < 0 ||
	    waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		return -1;
	return WSTOPSIG(status);
}

static int64_t by_steps(struct member *member, const struct order *order,
			struct answer *ret_answer, int64_t most)
{
	int signal = 0, status;
	int64_t n = 0;

	if (ptrace(PTRACE_SEIZE, member->pid, 0, 0) < 0)
		return -1;
	ptrace(PTRACE_INTERRUPT, member->pid, 0, 0);
	waitpid(member->pid, &status, __WALL);
	crew_tell(member, order);
	while (n <= most && !answered(member)) {
		signal = step(member->pid, signal);
		if (signal < 0)
			break;
		if (signal == SIGTRAP) {
			signal = 0;
			n++;
		}
	}
	ptrace(PTRACE_DETACH, member->pid, 0,
	       (void *)(intptr_t)(signal > 0 ? signal : 0));
	crew_hear(member, ret_answer);
	return n > most || signal < 0 ? -1 : n;
}

int64_t crew_instructions(struct member *member, const struct order *order,
			  struct answer *ret_answer, int64_t most)
{
	int64_t n;

	crew_await_sleep(member);
	n = by_perf(member, order, ret_answer);
	bench_fact("instructions one by one", n < 0);
	return n >= 0 ? n : by_steps(member, order, ret_answer, most);
}
