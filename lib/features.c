/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What this kernel, this sandbox and these capabilities give, by trying: each
 * probe is separate, leaves nothing behind, and answers 0 or the negative errno
 * of the refusal.
 */
#include <limits.h>

#include "base.h"
#include "claims.h"
#include "clone.h"
#include "lots.h"
#include "pidtrack.h"
#include "pin.h"
#include "procfs.h"
#include "quiet.h"
#include "ring.h"
#include "sys.h"

static int probe_clone3(void)
{
	/* a size that no version has: refused as such only where it exists */
	int r = sys_clone3_probe(NULL, 0);

	return r == -EINVAL ? 0 : r;
}

/*
 * Asks for @flags and a cgroup that is none: the complaint about the cgroup
 * comes after the flags were understood and allowed.  Not where the child would
 * be the first of a pid namespace: that one's failure is the namespace's end.
 */
static int probe_clone_flags(uint64_t flags)
{
	int pidfd;
	struct pt_clone_args args = {
		.flags = flags | PT_CLONE_INTO_CGROUP | PT_CLONE_PIDFD,
		.pidfd = (uintptr_t)&pidfd,
		.cgroup = INT_MAX,
	};
	int r;

	if (pt_procfs_children_elsewhere())
		return -EAGAIN;
	r = sys_clone3_probe(&args, sizeof(args));
	return r == -EBADF ? 0 : r;
}

static int probe_into_cgroup(void)
{
	return probe_clone_flags(0);
}

static int probe_autokill(void)
{
	return probe_clone_flags(PT_CLONE_PIDFD_AUTOKILL | PT_CLONE_AUTOREAP);
}

static int probe_close_range(void)
{
	/* the highest number is nobody's */
	return sys_close_range(~0U, ~0U, 0);
}

/* Runs @probe on a pidfd of our own. */
static int on_own_pidfd(int (*probe)(int pidfd))
{
	int fd, r;

	fd = sys_pidfd_open(sys_getpid(), 0);
	if (fd < 0)
		return fd;
	r = probe ? probe(fd) : 0;
	sys_close(fd);
	return r < 0 ? r : 0;
}

static int probe_pidfd_open(void)
{
	return on_own_pidfd(NULL);
}

static int probe_pidfd_wait(void)
{
	/* the highest number is nobody's, which is said only where it works */
	int r = sys_waitid(PT_P_PIDFD, INT_MAX, NULL, WEXITED | WNOHANG);

	if (r == -EBADF)
		return 0;
	return r < 0 ? r : -EOPNOTSUPP;
}

static int probe_ring(void)
{
	return pt_ring_probe(false);
}

static int probe_ring_waitid(void)
{
	return pt_ring_probe(true);
}

static int try_pidfs(int pidfd)
{
	int r = sys_on_pidfs(pidfd);

	return r == 0 ? -EOPNOTSUPP : r;
}

static int probe_pidfs(void)
{
	return on_own_pidfd(try_pidfs);
}

static int try_handle(int pidfd)
{
	struct pt_handle handle;

	return sys_handle_of(pidfd, &handle);
}

static int probe_handle(void)
{
	return on_own_pidfd(try_handle);
}

static int try_handle_open(int pidfd)
{
	struct pt_handle handle;
	int r;

	r = sys_handle_of(pidfd, &handle);
	if (r < 0)
		return r;
	r = sys_handle_open(&handle);
	if (r >= 0)
		sys_close(r);
	return r;
}

static int probe_handle_open(void)
{
	return on_own_pidfd(try_handle_open);
}

static int try_info(int pidfd)
{
	struct pt_pidfd_info told;

	return sys_pidfd_info(pidfd, PT_PIDFD_INFO_PID, &told);
}

static int probe_info(void)
{
	return on_own_pidfd(try_info);
}

static int probe_pin(void)
{
	int r = on_own_pidfd(pt_pin_try);

	return r < 0 ? r : pt_pin_may_drop();
}

/* ---- probes that need a process of their own ---- */

NEVER_RETURNS static void end_at_once(void *argument)
{
	(void)argument;
	sys_exit(0);
}

NEVER_RETURNS static int end_cloned(void *argument)
{
	end_at_once(argument);
	return 127;
}

#define ENDED (CLONE_VM | CLONE_VFORK | PT_CLONE_PIDFD)
#define STACK_SIZE 16384

/*
 * In two ways, as a launch: handlers must not run on the memory two share, nor
 * a terminal stop the child while we wait for it.
 */
static int clone_by_clone3(char *stack, int *ret_pidfd)
{
	struct pt_clone_args args = {
		.flags = ENDED | PT_CLONE_CLEAR_SIGHAND,
		.pidfd = (uintptr_t)ret_pidfd,
		.stack = (uintptr_t)stack,
		.stack_size = STACK_SIZE,
	};
	uint64_t mask;
	bool blocked;
	int r;

	blocked = pt_quiet_stops(&mask);
	r = pt_clone3_run(&args, PT_CLONE_ARGS_SIZE_VER0, end_at_once, NULL);
	if (blocked)
		sys_signal_mask(&mask, NULL);
	return r;
}

static int clone_by_libc(char *stack, int *ret_pidfd)
{
	uint64_t mask;
	int r;

	r = pt_quiet_enter(&mask);
	if (r < 0)
		return r;
	r = sys_clone(end_cloned, stack + STACK_SIZE, (int)ENDED, NULL,
		      ret_pidfd);
	sys_signal_mask(&mask, NULL);
	return r;
}

/*
 * A child that has ended; no signal tells of it, and no waitpid(-1) sees it.
 * Nor is it the first of a pid namespace, which would end with it.
 */
static int make_ended(int *ret_pidfd)
{
	_Alignas(16) char stack[STACK_SIZE];
	int r;

	if (pt_procfs_children_elsewhere())
		return -EAGAIN;
	r = clone_by_clone3(stack, ret_pidfd);
	return r < 0 ? clone_by_libc(stack, ret_pidfd) : r;
}

/*
 * However often that is interrupted: it is only just ending.  Others may have
 * been first; its number can be another child's by now.
 */
static void reap_ended(int by, int id)
{
	int r;

	do
		r = sys_waitid(by, id, NULL, WEXITED | __WALL);
	while (r == -EINTR);
}

static int try_exit_info(int pidfd)
{
	struct pt_pidfd_info told;
	int r;

	reap_ended(PT_P_PIDFD, pidfd);
	r = sys_pidfd_info(pidfd, PT_PIDFD_INFO_EXIT, &told);
	if (r < 0)
		return r;
	return told.mask & PT_PIDFD_INFO_EXIT ? 0 : -EOPNOTSUPP;
}

/* Written, read and taken back: each may be refused. */
static int try_xattr(int pidfd)
{
	static const char name[] = "trusted.pidtrack.probe";
	char byte;
	int r;

	/* no process but on pidfs has its own: trackers look at theirs */
	r = probe_pidfs();
	if (r >= 0)
		r = sys_set_xattr(pidfd, name, "1", 1);
	if (r >= 0)
		r = sys_get_xattr(pidfd, name, &byte, 1);
	if (r >= 0)
		r = sys_remove_xattr(pidfd, name);
	reap_ended(PT_P_PIDFD, pidfd);
	return MIN(r, 0);
}

static int on_ended(int (*probe)(int pidfd))
{
	int fd = -1, r;

	/* or it would stay a zombie */
	r = probe_pidfd_wait();
	if (r >= 0)
		r = make_ended(&fd);
	if (r < 0)
		return r;
	if (fd < 0) { /* an emulator's, that knows no pidfds */
		reap_ended(P_PID, r);
		return -EOPNOTSUPP;
	}
	r = probe(fd);
	sys_close(fd);
	return r;
}

static int probe_exit_info(void)
{
	return on_ended(try_exit_info);
}

static int probe_xattr(void)
{
	return on_ended(try_xattr);
}

static int probe_proc(void)
{
	struct pt_procfs_stat stat;

	return pt_procfs_stat(0, &stat);
}

static int probe_park(void)
{
	return pt_lots_probe();
}

/* ---- the table ---- */

static const struct feature {
	const char *name;
	const char *linux_version;
	const char *loss;
	int (*probe)(void);
} features[] = {
	[PIDTRACK_FEATURE_CLONE3] = {
		"clone3", "5.3",
		"shims are launched with clone(2), then moved into their cgroup",
		probe_clone3,
	},
	[PIDTRACK_FEATURE_CLONE_INTO_CGROUP] = {
		"clone-into-cgroup", "5.7",
		"a shim moves itself into its cgroup before it executes",
		probe_into_cgroup,
	},
	[PIDTRACK_FEATURE_CLONE_AUTOKILL] = {
		"clone-autokill", "7.1",
		"a bound shim is killed when the launching thread ends, not when the last pidfd is closed",
		probe_autokill,
	},
	[PIDTRACK_FEATURE_CLOSE_RANGE] = {
		"close-range", "5.9",
		"a launch costs more the more descriptors the host has",
		probe_close_range,
	},
	[PIDTRACK_FEATURE_PIDFD_OPEN] = {
		"pidfd-open", "5.3",
		"only processes launched here can be tracked",
		probe_pidfd_open,
	},
	[PIDTRACK_FEATURE_PIDFD_WAIT] = {
		"pidfd-wait", "5.4",
		"no status can be waited for: the library does not work here",
		probe_pidfd_wait,
	},
	[PIDTRACK_FEATURE_RING] = {
		"ring", "6.1",
		"epoll is used: two system calls an exit instead of a few a burst",
		probe_ring,
	},
	[PIDTRACK_FEATURE_RING_WAITID] = {
		"ring-waitid", "6.7",
		"epoll is used: two system calls an exit instead of a few a burst",
		probe_ring_waitid,
	},
	[PIDTRACK_FEATURE_PIDFS] = {
		"pidfs", "6.9",
		"identity rests on the start time, which has a grain of 10 ms, and when others have reaped a process is not seen",
		probe_pidfs,
	},
	[PIDTRACK_FEATURE_HANDLE] = {
		"handle", "6.14",
		"a fingerprint cannot be made into a pidfd without its number",
		probe_handle,
	},
	[PIDTRACK_FEATURE_HANDLE_OPEN] = {
		"handle-open", "6.17",
		"a process is found again by number, then compared",
		probe_handle_open,
	},
	[PIDTRACK_FEATURE_INFO] = {
		"info", "6.13",
		"the number behind a pidfd is read from /proc",
		probe_info,
	},
	[PIDTRACK_FEATURE_EXIT_INFO] = {
		"exit-info", "6.15",
		"the status of a process that others reaped is unknown",
		probe_exit_info,
	},
	[PIDTRACK_FEATURE_PIN] = {
		"pin", "6.14",
		"processes cannot be pinned in a directory; their records still can be kept",
		probe_pin,
	},
	[PIDTRACK_FEATURE_XATTR] = {
		"xattr", "6.17",
		"a process cannot carry its label itself",
		probe_xattr,
	},
	[PIDTRACK_FEATURE_PROC] = {
		"proc", "any",
		"no boot id, no start times, no paths: no record or fingerprint proves an identity",
		probe_proc,
	},
	[PIDTRACK_FEATURE_PARK] = {
		"park", "6.8",
		"thousands of pidfds slow down each fork of the host, and are bounded by RLIMIT_NOFILE",
		probe_park,
	},
};

static const struct feature *feature_at(uint32_t feature)
{
	return feature < ARRAY_SIZE(features) ? &features[feature] : NULL;
}

PUBLIC int pidtrack_feature_probe(uint32_t feature)
{
	int begun, r;

	if (!feature_at(feature))
		return -ERANGE;
	begun = pt_claims_begin(); /* some make a child */
	r = feature_at(feature)->probe();
	pt_claims_end(begun);
	return r < 0 ? r : 0;
}

PUBLIC const char *pidtrack_feature_name(uint32_t feature)
{
	return feature_at(feature) ? feature_at(feature)->name : NULL;
}

PUBLIC const char *pidtrack_feature_linux(uint32_t feature)
{
	return feature_at(feature) ? feature_at(feature)->linux_version : NULL;
}

PUBLIC const char *pidtrack_feature_loss(uint32_t feature)
{
	return feature_at(feature) ? feature_at(feature)->loss : NULL;
}
