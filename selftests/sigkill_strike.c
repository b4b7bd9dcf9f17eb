/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Killing a host of sigkill_storm at a certain point, which is found by
 * following it with ptrace(2): while it is stopped nothing else of it changes.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sigkill.h"

#ifndef SYS_open_tree
#define SYS_open_tree 428 /* Linux 5.2 */
#endif
#ifndef SYS_move_mount
#define SYS_move_mount 429 /* Linux 5.2 */
#endif

#define STOPS_MAX 60000 /* of a host that never comes there */

struct hunt {
	pid_t host;
	pid_t child; /* between clone and exec; or 0 */
	enum storm_mode mode;
	enum windows window;
	const struct storm_bystander *bystander;
	uint32_t pass;	 /* that many points that fit */
	uint32_t felled; /* who is dead and not told of; or nobody */
	uint32_t stops;
	long call; /* of the child */
	bool over;
	bool gone; /* it has ended by itself, and is reaped */
	bool hit;
};

/* Lets it go to its next stop; false if there is none any more. */
static bool step(pid_t pid, int *ret_status)
{
	int signal = 0, r;

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)signal))
			return false;
		do
			r = waitpid(pid, ret_status, __WALL);
		while (r < 0 && errno == EINTR && !storm->late);
		if (r < 0 || !WIFSTOPPED(*ret_status))
			return false;
		if (WSTOPSIG(*ret_status) == (SIGTRAP | 0x80) ||
		    *ret_status >> 16)
			return true;
		signal = WSTOPSIG(*ret_status);
	}
}

static int event_of(int status)
{
	return status >> 16;
}

/* The system call that it is about to make or has just made. */
static long call_of(const struct hunt *hunt, bool *ret_before)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, hunt->child, (void *)sizeof(info),
		   &info) <= 0)
		return -1;
	*ret_before = info.op == PTRACE_SYSCALL_INFO_ENTRY;
	return *ret_before ? (long)info.entry.nr : hunt->call;
}

static bool is_keeping(const struct hunt *hunt)
{
	if (hunt->mode == STORM_RECORDS)
		return hunt->call == SYS_renameat2;
	if (hunt->mode == STORM_STORE)
		return hunt->call == SYS_sendmsg || hunt->call == SYS_recvmsg;
	return hunt->call == SYS_open_tree || hunt->call == SYS_move_mount;
}

/* ---- the child ---- */

static void let_child_go(struct hunt *hunt)
{
	storm_release(hunt->child);
	hunt->child = 0;
}

/* Follows it until it executes, or it is time. */
static void follow_child(struct hunt *hunt)
{
	uint32_t pass = storm_draw(hunt->window == CLONED ? 200 : 4);
	bool before;
	int status;

	while (hunt->window == KEPT || pass-- > 0) {
		if (!step(hunt->child, &status)) {
			hunt->child = 0;
			return;
		}
		if (event_of(status) == PTRACE_EVENT_EXEC) {
			let_child_go(hunt);
			return;
		}
		hunt->call = call_of(hunt, &before);
		if (hunt->window == KEPT && is_keeping(hunt) && pass-- == 0)
			break;
	}
	hunt->hit = true;
}

/* Whether this launch is the one. */
static bool is_wanted(struct hunt *hunt)
{
	if ((hunt->window != CLONED && hunt->window != KEPT) ||
	    storm->launching == 0)
		return false;
	if (hunt->pass == 0)
		return true;
	hunt->pass--;
	return false;
}

static void at_clone(struct hunt *hunt)
{
	unsigned long child = 0;
	int status;

	ptrace(PTRACE_GETEVENTMSG, hunt->host, NULL, &child);
	hunt->child = (pid_t)child;
	while (waitpid(hunt->child, &status, __WALL) < 0)
		if (errno != EINTR || storm->late)
			return;
	if (is_wanted(hunt))
		follow_child(hunt);
	else
		let_child_go(hunt);
}

/* ---- the host ---- */

static void at_recovering(struct hunt *hunt)
{
	if (storm->host_is_up)
		hunt->over = true;
	else if (hunt->pass-- == 0)
		hunt->hit = true;
}

static void at_untold(struct hunt *hunt)
{
	if (!storm->host_is_up)
		return;
	if (hunt->felled == NOBODY_HERE) {
		hunt->felled = hunt->bystander->fell();
		hunt->pass = storm_draw(30);
		return;
	}
	if (storm->lives[hunt->felled].told)
		hunt->felled = NOBODY_HERE;
	else if (hunt->pass-- == 0)
		hunt->hit = true;
}

static void at_unacked(struct hunt *hunt)
{
	if (storm->handed != 0 && !storm->acking && hunt->pass-- == 0)
		hunt->hit = true;
}

static void at_call(struct hunt *hunt)
{
	if (hunt->window == RECOVERING)
		at_recovering(hunt);
	if (hunt->window == UNTOLD)
		at_untold(hunt);
	if (hunt->window == UNACKED)
		at_unacked(hunt);
}

static void follow(struct hunt *hunt)
{
	int status = 0x7f; /* stopped */

	while (!hunt->hit && !hunt->over && hunt->stops++ < STOPS_MAX) {
		if (storm->late)
			return;
		if (!step(hunt->host, &status)) {
			hunt->gone = !WIFSTOPPED(status);
			return;
		}
		switch (event_of(status)) {
		case PTRACE_EVENT_CLONE:
		case PTRACE_EVENT_FORK:
		case PTRACE_EVENT_VFORK:
			at_clone(hunt);
			break;
		case 0:
			at_call(hunt);
			break;
		default:
			break;
		}
		if (hunt->stops % 64 == 0)
			hunt->bystander->tend();
	}
}

/* In a window that comes often; how often is about what there is. */
static uint32_t points_to_pass(enum windows window, bool first)
{
	if (window == RECOVERING)
		return storm_draw(first ? 30 : 250);
	return storm_draw(window == UNACKED ? 20 : 8);
}

static bool seize(pid_t pid)
{
	const uintptr_t options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
				  PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
				  PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;

	return !ptrace(PTRACE_SEIZE, pid, NULL, (void *)options) &&
	       !ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) &&
	       waitpid(pid, NULL, __WALL) == pid;
}

bool storm_strike(pid_t host, int go, enum storm_mode mode, enum windows window,
		  bool first, const struct storm_bystander *bystander,
		  pid_t *ret_late)
{
	struct hunt hunt = {
		.host = host,
		.mode = mode,
		.window = window,
		.bystander = bystander,
		.pass = points_to_pass(window, first),
		.felled = NOBODY_HERE,
	};
	int status, r;

	if (seize(host) && write(go, "", 1) == 1)
		follow(&hunt);
	*ret_late = hunt.child;
	if (hunt.gone)
		return false;
	kill(host, SIGKILL);
	do
		r = waitpid(host, &status, __WALL);
	while (r < 0 ? errno == EINTR : WIFSTOPPED(status));
	return hunt.hit;
}

/* Without a tracer it goes on. */
void storm_release(pid_t late)
{
	ptrace(PTRACE_DETACH, late, NULL, NULL);
}
