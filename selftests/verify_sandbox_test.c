/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What cannot be seen is unproven, and nothing else: for want of descriptors,
 * of system calls, of /proc, of a right, or from another namespace.
 */
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>

#include "seccomp.h"
#include "verified.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080 /* Linux 5.6 */
#endif

/* A shim, in one of its states, with all its records. */
struct shim {
	struct pidtrack *tracker;
	struct pidtrack_process *process;
	struct gate gate;
	struct records records;
};

enum state { LIVE, ENDED, REAPED, N_STATES };

static struct shim shim_in(struct __test_metadata *_metadata, enum state state)
{
	struct shim shim = { .tracker = tracker_start(_metadata, 0),
			     .gate = gate_make(_metadata) };
	const char *path = path_make(_metadata);

	shim.process =
		shim_start_recorded(_metadata, shim.tracker, &shim.gate, path);
	shim.records = records_of(_metadata, shim.process, path);
	unlink(path);
	if (state == LIVE)
		return shim;
	ASSERT_EQ(0, pidtrack_process_signal(shim.process, SIGKILL));
	process_await_exit(shim.process);
	if (state == ENDED)
		return shim;
	ASSERT_EXITED(shim.tracker, shim.process, SIGKILL);
	ASSERT_NO_EVENT(shim.tracker);
	return shim;
}

static void shim_end(struct __test_metadata *_metadata, struct shim *shim,
		     enum state state)
{
	if (state == LIVE)
		ASSERT_EQ(0, pidtrack_process_signal(shim->process, SIGKILL));
	if (state != REAPED) {
		ASSERT_EXITED(shim->tracker, shim->process, SIGKILL);
		ASSERT_NO_EVENT(shim->tracker);
	}
	records_free(&shim->records);
	gate_open(&shim->gate);
	pidtrack_free(shim->tracker);
}

/* ---- descriptors ---- */

TEST_WANTS(without_a_descriptor_nothing_is_proven, numbers)
{
	struct rlimit none = { 0, 0 }, before;
	int state;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
	none.rlim_max = before.rlim_max;
	for (state = LIVE; state <= ENDED; state++) {
		struct shim shim = shim_in(_metadata, state);
		struct pidtrack_process *process = NULL;

		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
		expect_all(_metadata, shim.tracker, &shim.records,
			   PIDTRACK_VERDICT_UNPROVEN);
		EXPECT_LT(pidtrack_attach_record(shim.tracker,
						 shim.records.native, LEGACY,
						 &process, NULL, 0),
			  0);
		EXPECT_LT(pidtrack_attach_record(shim.tracker,
						 shim.records.number, LEGACY,
						 &process, NULL, 0),
			  0);
		EXPECT_NULL(process);
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
		EXPECT_VERDICT(state == LIVE ? PIDTRACK_VERDICT_SAME :
					       PIDTRACK_VERDICT_EXITED,
			       shim.tracker, shim.records.native);
		shim_end(_metadata, &shim, state);
	}
}

/* One is free, then the pidfd takes it and none is left for /proc. */
TEST_WANTS(nor_with_one_where_proc_needs_another, boot_id)
{
	struct shim shim = shim_in(_metadata, LIVE);
	struct rlimit before = fds_leave(_metadata, 1);

	EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, shim.tracker,
		       shim.records.boxlite);
	if (works(PIDTRACK_FEATURE_PIDFS))
		EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, shim.tracker,
			       shim.records.native);
	fds_restore(_metadata, before);
	shim_end(_metadata, &shim, LIVE);
}

/* A number that may be older than the process is a stranger's. */
TEST_WANTS(nor_is_a_number_taken_at_its_word_then, numbers)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process = NULL;
	struct pidtrack_record *record;
	struct child stranger;
	struct rlimit before;
	char text[64];

	ASSERT_EQ(0, child_start(&stranger));
	snprintf(text, sizeof(text), "%d\n", stranger.pid);
	record = file_of(_metadata, text, time(NULL) - 600);
	expect_refused(_metadata, tracker, record, -ENODATA);
	before = fds_leave(_metadata, 1);
	EXPECT_EQ(-ENODATA, pidtrack_attach_record(tracker, record, LEGACY,
						   &process, NULL, 0));
	EXPECT_NULL(process);
	fds_restore(_metadata, before);
	pidtrack_record_free(record);
	child_end(&stranger);
	pidtrack_free(tracker);
}

/* ---- system calls ---- */

struct refused {
	int error;
	enum state state;
	bool before; /* the tracker is made */
};

/* Whatever the state: nobody has looked. */
static void verify_refused(struct __test_metadata *_metadata, void *arg)
{
	const struct refused *refused = arg;
	struct shim shim = shim_in(_metadata, refused->state);
	struct pidtrack *tracker = shim.tracker;

	ASSERT_EQ(0, seccomp_refuse(SYS_pidfd_open, refused->error));
	ASSERT_EQ(0, seccomp_refuse(SYS_open_by_handle_at, EPERM));
	if (refused->before)
		tracker = tracker_start(_metadata, 0);
	expect_all(_metadata, tracker, &shim.records,
		   PIDTRACK_VERDICT_UNPROVEN);
	expect_refused(_metadata, tracker, shim.records.native, -ENODATA);
	expect_refused(_metadata, tracker, shim.records.boxlite, -ENODATA);
	expect_refused(_metadata, tracker, shim.records.number, -ENODATA);
	if (refused->before)
		pidtrack_free(tracker);
	shim_end(_metadata, &shim, refused->state);
}

static void check_refused(struct __test_metadata *_metadata, int error)
{
	struct refused refused = { .error = error };
	int state, before;

	for (state = 0; state < N_STATES; state++)
		for (before = 0; before < 2; before++) {
			refused.state = state;
			refused.before = before;
			apart(_metadata, verify_refused, &refused);
		}
}

TEST_WANTS(without_a_right_to_pidfds_nothing_is_proven, boot_id)
{
	check_refused(_metadata, EPERM);
	check_refused(_metadata, EACCES);
}

TEST_WANTS(where_pidfd_open_is_hidden_nothing_is_proven, boot_id)
{
	check_refused(_metadata, ENOSYS);
}

/*
 * systemd #36982: a process that is just ending, and no thread.  Before Linux
 * 6.15 also for good, while its process group or session goes on.
 */
static void verify_invalid(struct __test_metadata *_metadata, void *arg)
{
	const enum state *state = arg;
	struct shim shim = shim_in(_metadata, *state);

	ASSERT_EQ(0, seccomp_refuse(SYS_pidfd_open, EINVAL));
	ASSERT_EQ(0, seccomp_refuse(SYS_open_by_handle_at, EPERM));
	if (*state == REAPED)
		EXPECT_PROOF(PIDTRACK_VERDICT_GONE, BOOT | PID, shim.tracker,
			     shim.records.native);
	else
		expect_all(_metadata, shim.tracker, &shim.records,
			   PIDTRACK_VERDICT_UNPROVEN);
	shim_end(_metadata, &shim, *state);
}

TEST_WANTS(what_is_invalid_is_gone_only_if_no_process_has_its_number, numbers)
{
	enum state state;

	if (sandbox_refuses("getpgid"))
		SKIP(return, "the sandbox refuses what tells that");
	for (state = 0; state < N_STATES; state++)
		apart(_metadata, verify_invalid, &state);
}

/*
 * Which old seccomp profiles do, and let fstatat(2) through.  The libc of
 * 32-bit machines takes EPERM for the last word.
 */
static void verify_without_statx(struct __test_metadata *_metadata, void *arg)
{
	const int *error = arg;
	struct shim shim;

	ASSERT_EQ(0, seccomp_refuse(SYS_statx, *error));
	shim = shim_in(_metadata, LIVE);
	EXPECT_PROOF(PIDTRACK_VERDICT_SAME, evidence_expected(), shim.tracker,
		     shim.records.native);
	EXPECT_PROOF(PIDTRACK_VERDICT_SAME, evidence_expected(), shim.tracker,
		     shim.records.fingerprint);
	EXPECT_PROOF(PIDTRACK_VERDICT_SAME, PID | START, shim.tracker,
		     shim.records.boxlite);
	shim_end(_metadata, &shim, LIVE);
}

TEST_WANTS(without_statx_as_much_is_proven, numbers)
{
	int errors[] = { ENOSYS, EPERM };
	size_t i;

	for (i = 0; i < (sizeof(long) > 4 ? 2 : 1); i++)
		apart(_metadata, verify_without_statx, &errors[i]);
}

/* ---- /proc ---- */

struct hidden {
	bool before; /* the tracker is made */
	bool pidfs;
};

static void verify_without_proc(struct __test_metadata *_metadata, void *arg)
{
	const struct hidden *hidden = arg;
	struct pidtrack *tracker;
	struct shim shim;

	if (!hidden->pidfs)
		ASSERT_EQ(0, seccomp_refuse(SECCOMP_FSTATFS, ENOSYS));
	shim = shim_in(_metadata, LIVE);
	tracker = shim.tracker;
	if (!proc_hide()) {
		SKIP(, "no mount of our own: %s", strerror(errno));
		shim_end(_metadata, &shim, LIVE);
		return;
	}
	if (hidden->before)
		tracker = tracker_start(_metadata, 0);
	/* without /proc there is no boot id and no pid namespace known */
	if (hidden->pidfs && !hidden->before && works(PIDTRACK_FEATURE_PIDFS)) {
		EXPECT_PROOF(PIDTRACK_VERDICT_SAME, BOOT | INODE, tracker,
			     shim.records.native);
	} else {
		EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker,
			       shim.records.native);
		expect_refused(_metadata, tracker, shim.records.native,
			       -ENODATA);
	}
	EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker,
		       shim.records.boxlite);
	expect_weak_unproven(_metadata, tracker, &shim.records);
	expect_refused(_metadata, tracker, shim.records.boxlite, -ENODATA);
	expect_refused(_metadata, tracker, shim.records.brood_box, -ENODATA);
	if (hidden->before)
		pidtrack_free(tracker);
	shim_end(_metadata, &shim, LIVE);
}

TEST_WANTS(without_proc_no_live_shim_is_gone, boot_id)
{
	struct hidden hidden;
	int i;

	for (i = 0; i < 4; i++) {
		hidden.before = i & 1;
		hidden.pidfs = i & 2;
		apart(_metadata, verify_without_proc, &hidden);
	}
}

/* A daemon of another user, on a host with hidepid=2. */
static void verify_as_nobody(struct __test_metadata *_metadata, void *arg)
{
	const struct hidden *hidden = arg;
	struct pidtrack *tracker;
	struct shim shim;

	if (!hidden->pidfs)
		ASSERT_EQ(0, seccomp_refuse(SECCOMP_FSTATFS, ENOSYS));
	shim = shim_in(_metadata, LIVE);
	if (hidden->before &&
	    (unshare(CLONE_NEWNS) ||
	     mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	     mount("proc", "/proc", "proc", 0, "hidepid=2"))) {
		SKIP(, "no /proc of our own: %s", strerror(errno));
		shim_end(_metadata, &shim, LIVE);
		return;
	}
	/* hidepid does not count for root's group */
	ASSERT_EQ(0, setgroups(0, NULL));
	ASSERT_EQ(0, setegid(65534));
	ASSERT_EQ(0, seteuid(65534));
	tracker = tracker_start(_metadata, 0);
	if (!hidden->before || (hidden->pidfs && works(PIDTRACK_FEATURE_PIDFS)))
		EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, tracker,
			       shim.records.native);
	else
		EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker,
			       shim.records.native);
	EXPECT_VERDICT(hidden->before ? PIDTRACK_VERDICT_UNPROVEN :
					PIDTRACK_VERDICT_SAME,
		       tracker, shim.records.boxlite);
	expect_weak_unproven(_metadata, tracker, &shim.records);
	pidtrack_free(tracker);
	ASSERT_EQ(0, seteuid(0));
	shim_end(_metadata, &shim, LIVE);
}

/* banger: EPERM must read "alive, not mine". */
TEST_WANTS(a_live_shim_of_another_user_is_never_gone, numbers)
{
	struct hidden hidden;
	int i;

	if (geteuid())
		SKIP(return, "only root can be somebody else");
	for (i = 0; i < 4; i++) {
		hidden.before = i & 1; /* /proc hides it */
		hidden.pidfs = i & 2;
		apart(_metadata, verify_as_nobody, &hidden);
	}
}

/* ---- another pid namespace ---- */

static void verify_from_inside(struct __test_metadata *_metadata, void *arg)
{
	struct shim *shim = arg;
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct child others[40];
	size_t i;

	/* those of the first numbers, one of which the record may have */
	for (i = 0; i < ARRAY_SIZE(others); i++)
		ASSERT_EQ(0, child_start(&others[i]));
	EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker,
		       shim->records.native);
	EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker,
		       shim->records.fingerprint);
	expect_refused(_metadata, tracker, shim->records.native, -ENODATA);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		child_end(&others[i]);
	pidtrack_free(tracker);
}

TEST_WANTS(from_inside_a_pid_namespace_those_outside_are_unproven, boot_id)
{
	struct shim shim = shim_in(_metadata, LIVE);

	in_pid_namespace(_metadata, verify_from_inside, &shim);
	shim_end(_metadata, &shim, LIVE);
}

TEST_WANTS(nor_is_one_that_has_ended_gone_from_there, boot_id)
{
	struct shim shim = shim_in(_metadata, REAPED);

	in_pid_namespace(_metadata, verify_from_inside, &shim);
	shim_end(_metadata, &shim, REAPED);
}

struct inside {
	struct gate ready, done;
	char path[64];
};

static void live_inside(struct __test_metadata *_metadata, void *arg)
{
	struct inside *inside = arg;
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	char byte;

	process = shim_start_recorded(_metadata, tracker, &gate, inside->path);
	ASSERT_EQ(1, write(inside->ready.host, "", 1));
	ASSERT_EQ(0, read(inside->done.shim, &byte, 1));
	/* killed from outside, or not */
	gate_open(&gate);
	process_await_exit(process);
	pidtrack_free(tracker);
}

/* By its inode it is found; else nothing is known, for its number is not ours.
 */
static void check_from_outside(struct __test_metadata *_metadata, bool handles)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct inside inside = { .ready = gate_make(_metadata),
				 .done = gate_make(_metadata) };
	struct pidtrack_process *process;
	const struct pidtrack_event *event;
	struct pidtrack_record *record;
	char byte;
	pid_t pid;

	strcpy(inside.path, path_make(_metadata));
	pid = fork();
	if (!pid) {
		close(inside.done.host);
		in_pid_namespace(_metadata, live_inside, &inside);
		_exit(0);
	}
	close(inside.ready.host);
	inside.ready.host = -1;
	if (read(inside.ready.shim, &byte, 1) != 1) { /* no namespace */
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
		close(inside.ready.shim);
		gate_open(&inside.done);
		pidtrack_free(tracker);
		return;
	}
	record = record_at(_metadata, inside.path);
	EXPECT_LT(pidtrack_record_pid(record), 100);
	if (!handles)
		ASSERT_EQ(0, seccomp_refuse(SYS_open_by_handle_at, EPERM));
	if (handles && inode_leads_to_it()) {
		EXPECT_PROOF(PIDTRACK_VERDICT_SAME, BOOT | INODE, tracker,
			     record);
		ASSERT_EQ(0, pidtrack_attach_record(tracker, record, 0,
						    &process, NULL, 0));
		EXPECT_NE(pidtrack_record_pid(record),
			  pidtrack_process_pid(process));
		EXPECT_EQ(0, kill(pidtrack_process_pid(process), 0));
		ASSERT_EQ(0, pidtrack_process_signal(process, SIGTERM));
		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
		EXPECT_EQ(PIDTRACK_EXITED, event->kind);
		EXPECT_VERDICT(PIDTRACK_VERDICT_EXITED, tracker, record);
		pidtrack_process_free(process);
	} else {
		EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker, record);
		expect_refused(_metadata, tracker, record, -ENODATA);
	}
	close(inside.ready.shim);
	gate_open(&inside.done);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	/* gone, but nobody here can know */
	EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker, record);
	unlink(inside.path);
	pidtrack_record_free(record);
	pidtrack_free(tracker);
}

TEST_WANTS(from_outside_one_in_a_pid_namespace_is_known_by_its_inode, boot_id)
{
	if (sandbox_refuses("name_to_handle_at"))
		SKIP(return, "the sandbox has the probe not find one to open");
	check_from_outside(_metadata, true);
}

TEST(without_that_its_number_proves_nothing)
{
	check_from_outside(_metadata, false);
}

/* ---- another time namespace ---- */

static void verify_at_another_time(struct __test_metadata *_metadata, void *arg)
{
	bool pidfs = *(bool *)arg;
	struct shim shim;
	struct pidtrack_record *native, *boxlite;
	struct gate ready = gate_make(_metadata), done = gate_make(_metadata);
	const char *path = path_make(_metadata);
	char byte;
	int fd, status;
	pid_t pid;

	if (!pidfs)
		ASSERT_EQ(0, seccomp_refuse(SECCOMP_FSTATFS, ENOSYS));
	shim = shim_in(_metadata, LIVE);
	if (unshare(CLONE_NEWTIME)) {
		SKIP(, "no time namespace: %s", strerror(errno));
		shim_end(_metadata, &shim, LIVE);
		return;
	}
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(15, write(fd, "boottime 1000 0", 15));
	close(fd);
	pid = fork();
	if (!pid) {
		struct pidtrack *tracker = tracker_start(_metadata, 0);
		struct gate gate = gate_make(_metadata);
		struct pidtrack_process *process;

		/* made outside, seen inside */
		EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, tracker,
			       shim.records.native);
		EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker,
			       shim.records.boxlite);
		expect_refused(_metadata, tracker, shim.records.boxlite,
			       -ENODATA);
		process = shim_start_recorded(_metadata, tracker, &gate, path);
		boxlite = boxlite_record_of(_metadata,
					    pidtrack_process_pid(process));
		EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, tracker, boxlite);
		ASSERT_EQ((ssize_t)sizeof(unsigned long long),
			  write(ready.host,
				&(unsigned long long){ start_of(
					pidtrack_process_pid(process)) },
				sizeof(unsigned long long)));
		close(done.host);
		ASSERT_EQ(0, read(done.shim, &byte, 1));
		gate_open(&gate);
		process_await_exit(process);
		ASSERT_EXITED(tracker, process, 7 << 8);
		ASSERT_NO_EVENT(tracker);
		pidtrack_free(tracker);
		_exit(0);
	}
	close(ready.host);
	{
		unsigned long long start = 0;

		/* made inside, seen outside */
		ASSERT_EQ((ssize_t)sizeof(start),
			  read(ready.shim, &start, sizeof(start)));
		native = record_at(_metadata, path);
		boxlite = record_of_text(_metadata, "%d\n%llu\n",
					 pidtrack_record_pid(native), start);
	}
	EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, shim.tracker, native);
	EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, shim.tracker, boxlite);
	expect_refused(_metadata, shim.tracker, boxlite, -ENODATA);
	gate_open(&done);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_VERDICT(PIDTRACK_VERDICT_GONE, shim.tracker, native);
	pidtrack_record_free(native);
	pidtrack_record_free(boxlite);
	unlink(path);
	shim_end(_metadata, &shim, LIVE);
}

TEST_WANTS(at_another_time_ours_is_the_same_and_others_are_unproven, numbers)
{
	bool pidfs;

	pidfs = true;
	apart(_metadata, verify_at_another_time, &pidfs);
	pidfs = false;
	apart(_metadata, verify_at_another_time, &pidfs);
}

TEST_HARNESS_MAIN
