/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Every call of the library's to libc and the kernel fails once, with each
 * error that it sensibly has, one at a time: whatever that makes of the call of
 * the host's, the same call again does what it should, nobody is lost, nobody
 * else is touched, and nothing is left.
 *
 * Each fault has a host of its own, which goes through a scene from beginning
 * to end.  PIDTRACK_TEST_FAULTS=all has each error of each call; otherwise it
 * is one of its errors, and where a scene has more than a hundred calls not
 * each of these.
 */
#include <sys/capability.h>

#include "calls.h"
#include "cgroups.h"
#include "family.h"
#include "faults.h"
#include "files.h"
#include "holder.h"
#include "kept.h"
#include "refusal.h"
#include "seccomp.h"
#include "service.h"

#define PROCESS_GROUP 4 /* PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9 */

/* A host, and what there is beside it. */
struct scene {
	struct __test_metadata *_metadata;
	struct pidtrack *tracker;
	const struct pidtrack_options *options;
	struct directory directory; /* of its own, empty in the end; or "" */
	struct room *room;	    /* with pins; or NULL */
	pid_t hold;		    /* which keeps; or 0 */
	struct service *service;    /* that keeps; or NULL */
	struct cgroup *cgroup;	    /* or NULL */
	struct gate gate;
	struct child bystander; /* of the host's own, that nobody gave away */
	bool stops;		/* who is handed over is being stopped */
	bool reaped_by_kernel;	/* SIGCHLD is ignored */
	bool failed_before;	/* a call of the host's: none does again */
	bool unproven; /* what was just verified may be: a call failed */
};

/* What became of one host, in shared memory. */
struct outcome {
	struct fault fault;
	bool done;	    /* it came to its end */
	int handoff;	    /* for who is executed in its place */
	struct scene scene; /* likewise */
};

static struct outcome *outcome;
static int outcome_fd = -1;

typedef void (*play)(struct __test_metadata *_metadata, struct scene *scene);

/* ---- calls ---- */

/* What has failed, or what there is none of for that. */
static bool is_sensible(int r)
{
#ifdef SYS_faccessat2
	if (fault_struck(SYS_faccessat2) && fault->error == EACCES)
		return r == -EPERM; /* a question, and that is the answer */
#endif
	return r == -fault->error || r == -EOPNOTSUPP || r == -ENOMEM ||
	       r == -ENODATA || r == -ETIMEDOUT;
}

static void refused(struct __test_metadata *_metadata, struct scene *scene,
		    const char *call, int r, bool struck_before)
{
	EXPECT_TRUE(fault->struck && !struck_before && !scene->failed_before)
	{
		TH_LOG("%.60s: %s, and nothing had failed", call, strerror(-r));
	}
	EXPECT_TRUE(is_sensible(r))
	{
		TH_LOG("%.60s: %s for %s", call, strerror(-r),
		       strerror(fault->error));
	}
	if (getenv("PIDTRACK_TEST_FAULTS_SAY"))
		TH_LOG("%.40s: %s: %s", call, strerror(fault->error),
		       strerror(-r));
	scene->failed_before = true;
}

#define ONCE(call)                    \
	({                            \
		int once_;            \
		fault_let_in = true;  \
		once_ = (int)(call);  \
		fault_let_in = false; \
		once_;                \
	})

#define ALWAYS(call)                  \
	do {                          \
		fault_let_in = true;  \
		(void)(call);         \
		fault_let_in = false; \
	} while (0)

/* What failed does not fail again. */
#define TRY(call)                                                        \
	({                                                               \
		bool before_ = fault->struck;                            \
		int try_ = ONCE(call);                                   \
                                                                         \
		if (try_ < 0) {                                          \
			refused(_metadata, scene, #call, try_, before_); \
			try_ = ONCE(call);                               \
		}                                                        \
		try_;                                                    \
	})

/* ---- what is looked at ---- */

/* Children of the host's but for the bystander, each with a blank behind. */
static const char *children_of_host(const struct scene *scene)
{
	static char text[4096];
	struct dirent *thread;
	DIR *threads = opendir("/proc/self/task");
	size_t size = 0;
	char path[320];
	FILE *file;
	int pid;

	text[0] = '\0';
	while (threads && (thread = readdir(threads))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/children",
			 thread->d_name);
		file = thread->d_name[0] == '.' ? NULL : fopen(path, "re");
		while (file && fscanf(file, "%d", &pid) == 1)
			if (pid != scene->bystander.pid &&
			    size < sizeof(text) - 16)
				size += sprintf(text + size, "%d ", pid);
		if (file)
			fclose(file);
	}
	if (threads)
		closedir(threads);
	return text;
}

/* Who is not to be waited for any more is still seen until it is gone. */
static void expect_nobody(struct __test_metadata *_metadata,
			  const struct scene *scene)
{
	for (int ms = 0;
	     scene->reaped_by_kernel && ms < 5000 && children_of_host(scene)[0];
	     ms++)
		poll(NULL, 0, 1);
	EXPECT_STREQ("", children_of_host(scene));
}

static void expect_no_file(struct __test_metadata *_metadata,
			   const struct scene *scene)
{
	if (scene->directory.path[0])
		EXPECT_STREQ("", directory_list(&scene->directory));
}

static bool has_exit_info; /* Linux 6.15 */
static bool has_handles;   /* Linux 6.17 */
static bool has_xattr;	   /* Linux 6.17 */

/* What it carries is told, unless it could not be had. */
static void expect_payload(struct __test_metadata *_metadata, size_t size)
{
	EXPECT_TRUE(size == 4 || (size == 0 && (fault->struck || !has_xattr)));
}

/* ---- steps ---- */

static void begin(struct __test_metadata *_metadata, struct scene *scene)
{
	ASSERT_EQ(0, TRY(pidtrack_new(scene->options, &scene->tracker)));
}

static void end(struct scene *scene)
{
	ALWAYS(pidtrack_free(scene->tracker));
	scene->tracker = NULL;
}

/* Of a launch that failed nothing is left. */
static struct pidtrack_process *
launch(struct __test_metadata *_metadata, struct scene *scene,
       const struct pidtrack_spawn_options *options)
{
	struct pidtrack_process *process = NULL;
	bool before = fault->struck;
	int fds = fds_count(), r;
	uint32_t stage = PIDTRACK_STAGE_NONE;

	r = ONCE(pidtrack_spawn(scene->tracker, options, &process, &stage));
	if (r < 0) {
		refused(_metadata, scene, pidtrack_stage_name(stage), r,
			before);
		EXPECT_NE(PIDTRACK_STAGE_NONE, stage);
		EXPECT_NULL(process);
		EXPECT_EQ(fds, fds_count());
		EXPECT_EQ(0, tracker_statistics(scene->tracker).tracked);
		expect_nobody(_metadata, scene);
		expect_no_file(_metadata, scene);
		r = ONCE(pidtrack_spawn(scene->tracker, options, &process,
					&stage));
	}
	ASSERT_EQ(0, r)
	{
		TH_LOG("at stage %s", pidtrack_stage_name(stage));
	}
	return process;
}

/* The next that is told; NULL and a failed test if nothing is. */
static const struct pidtrack_event *next(struct __test_metadata *_metadata,
					 struct scene *scene)
{
	const struct pidtrack_event *event = NULL;

	ASSERT_EQ(1,
		  TRY(pidtrack_wait(scene->tracker, awhile_ms() / 8, &event)));
	return event;
}

/* The end of @process is told, as it was. */
static void expect_end(struct __test_metadata *_metadata, struct scene *scene,
		       const struct pidtrack_process *process, int status)
{
	const struct pidtrack_event *event;

	do {
		event = next(_metadata, scene);
		ASSERT_EQ(process, event->process);
	} while (!(event->flags & PIDTRACK_EVENT_LAST));
	EXPECT_EQ(status, event->status);
	EXPECT_NE(PIDTRACK_SOURCE_UNKNOWN, event->source);
}

/*
 * The same of one that others reap: where PIDFD_GET_INFO is said not to be
 * there, or not for us, nobody knows; nor where the kernel forgets the dead.
 */
static void expect_foreign_end(struct __test_metadata *_metadata,
			       struct scene *scene,
			       const struct pidtrack_process *process,
			       int status)
{
	const struct pidtrack_event *event;

	do {
		event = next(_metadata, scene);
		ASSERT_EQ(process, event->process);
	} while (!(event->flags & PIDTRACK_EVENT_LAST));
	if (event->source == PIDTRACK_SOURCE_UNKNOWN)
		EXPECT_TRUE(fault_struck(FAULT_INFO) || !has_exit_info);
	else
		EXPECT_EQ(status, event->status);
}

/* Nothing more is told, which acknowledges all that was: now or when asked. */
static void expect_quiet(struct __test_metadata *_metadata, struct scene *scene)
{
	const struct pidtrack_event *event;

	do
		ASSERT_EQ(0, TRY(pidtrack_next(scene->tracker, &event)));
	while (tracker_is_readable(scene->tracker));
}

/* Waits for the end of a child that was launched, and that it is reaped. */
static void see_off(struct __test_metadata *_metadata, struct scene *scene,
		    struct pidtrack_process *process)
{
	int status = 0;

	gate_open(&scene->gate);
	expect_end(_metadata, scene, process, 7 << 8);
	EXPECT_GT(pidtrack_process_status(process, &status), 0);
	EXPECT_EQ(7 << 8, status);
	expect_quiet(_metadata, scene);
	expect_nobody(_metadata, scene);
	ALWAYS(pidtrack_process_free(process));
	end(scene);
}

#define AT_GATE(...)                                                      \
	PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait", "exit", "7"),         \
			       .fds =                                     \
				       (struct pidtrack_fd_map[]){        \
					       { 0, scene->gate.shim } }, \
			       .n_fds = 1, ##__VA_ARGS__)

static void outcome_map(struct __test_metadata *_metadata)
{
	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE,
		       MAP_SHARED, outcome_fd, 0);
	ASSERT_NE(MAP_FAILED, (void *)outcome);
	fault = &outcome->fault;
}

/* ---- scenes: launching and waiting ---- */

static void play_launch(struct __test_metadata *_metadata, struct scene *scene)
{
	struct pidtrack_spawn_options options = AT_GATE();

	begin(_metadata, scene);
	see_off(_metadata, scene, launch(_metadata, scene, &options));
}

/* All that is done between clone and exec. */
static void play_launch_as(struct __test_metadata *_metadata,
			   struct scene *scene)
{
	const struct pidtrack_rlimit limits[] = { { RLIMIT_CORE, 0, 0, 0 } };
	const gid_t groups[] = { 7, 8 };
	struct pidtrack_spawn_options options =
		AT_GATE(.flags = PIDTRACK_SPAWN_SETSID | PIDTRACK_SPAWN_UID |
				 PIDTRACK_SPAWN_GID | PIDTRACK_SPAWN_GROUPS |
				 PIDTRACK_SPAWN_UMASK |
				 PIDTRACK_SPAWN_NO_NEW_PRIVS |
				 PIDTRACK_SPAWN_BOUND,
			.uid = geteuid() ? geteuid() : 65534,
			.gid = geteuid() ? getegid() : 65534, .umask = 077,
			.groups = groups, .n_groups = 2, .rlimits = limits,
			.n_rlimits = 1, .cwd = "/",
			.signal_mask = UINT64_C(1) << (SIGUSR1 - 1),
			.signal_ignore = UINT64_C(1) << (SIGPIPE - 1),
			.caps = "cap_net_raw=ep", .label = "shim");

	begin(_metadata, scene);
	see_off(_metadata, scene, launch(_metadata, scene, &options));
}

static void play_launch_by_libc(struct __test_metadata *_metadata,
				struct scene *scene)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	play_launch(_metadata, scene);
}

/* Nobody reaps it but the kernel: there is no zombie to be waited for. */
static void play_theft(struct __test_metadata *_metadata, struct scene *scene)
{
	struct pidtrack_spawn_options options = AT_GATE();
	struct pidtrack_process *process;

	signal(SIGCHLD, SIG_IGN);
	scene->reaped_by_kernel = true;
	begin(_metadata, scene);
	process = launch(_metadata, scene, &options);
	gate_open(&scene->gate);
	expect_foreign_end(_metadata, scene, process, 7 << 8);
	expect_quiet(_metadata, scene);
	expect_nobody(_metadata, scene);
	expect_quiet(_metadata, scene);
	ALWAYS(pidtrack_process_free(process));
	end(scene);
	signal(SIGCHLD, SIG_DFL);
}

static void play_cgroup(struct __test_metadata *_metadata, struct scene *scene)
{
	struct pidtrack_spawn_options options =
		AT_GATE(.flags = PIDTRACK_SPAWN_INTO_CGROUP,
			.cgroup_fd = scene->cgroup->fd);

	begin(_metadata, scene);
	see_off(_metadata, scene, launch(_metadata, scene, &options));
}

static void play_cgroup_by_libc(struct __test_metadata *_metadata,
				struct scene *scene)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_clone3, ENOSYS));
	play_cgroup(_metadata, scene);
}

/* ---- scenes: records ---- */

static struct path record_path(const struct scene *scene)
{
	return path_in(&scene->directory, "record");
}

/* A verdict on what lives, or that nothing could be proven, for once. */
static void expect_same(struct __test_metadata *_metadata, struct scene *scene,
			const struct pidtrack_comparison *comparison)
{
	if (scene->unproven && comparison->verdict == PIDTRACK_VERDICT_UNPROVEN)
		return;
	EXPECT_STREQ("same", pidtrack_verdict_name(comparison->verdict));
}

/* As a sandbox does, so that nobody asks again. */
static bool is_refused_for_good(void)
{
	return fault->error == EACCES || fault->error == ENOSYS;
}

static void expect_dead(struct __test_metadata *_metadata, struct scene *scene,
			const struct pidtrack_comparison *comparison)
{
	if ((scene->unproven || is_refused_for_good()) &&
	    comparison->verdict == PIDTRACK_VERDICT_UNPROVEN)
		return;
	if (comparison->verdict != PIDTRACK_VERDICT_REUSED)
		EXPECT_STREQ("gone",
			     pidtrack_verdict_name(comparison->verdict));
}

/*
 * Of a pin, which has it, also once it is reaped.  The kernel's ppoll(2) is
 * interrupted only where nothing has happened, so that reads as nothing.
 */
static void expect_exited(struct __test_metadata *_metadata,
			  struct scene *scene,
			  const struct pidtrack_comparison *comparison)
{
	if (scene->unproven && comparison->verdict == PIDTRACK_VERDICT_UNPROVEN)
		return;
	if (scene->unproven && fault_struck(SYS_ppoll) && fault->error == EINTR)
		return;
	EXPECT_STREQ("exited", pidtrack_verdict_name(comparison->verdict));
}

/* Of nothing but a number, for ever. */
static void expect_unproven(struct __test_metadata *_metadata,
			    struct scene *scene,
			    const struct pidtrack_comparison *comparison)
{
	(void)scene;
	EXPECT_STREQ("unproven", pidtrack_verdict_name(comparison->verdict));
}

static struct pidtrack_process *
launch_recorded(struct __test_metadata *_metadata, struct scene *scene)
{
	struct path path = record_path(scene);
	struct pidtrack_spawn_options options =
		AT_GATE(.flags = PIDTRACK_SPAWN_RECORD_SYNC |
				 PIDTRACK_SPAWN_EXIT_RECORD,
			.record = path.text, .label = "shim", .payload = "load",
			.payload_size = 4);

	begin(_metadata, scene);
	return launch(_metadata, scene, &options);
}

static struct pidtrack_record *read_record(struct __test_metadata *_metadata,
					   struct scene *scene)
{
	struct path path = record_path(scene);
	struct pidtrack_record *record = NULL;

	ASSERT_EQ(0, TRY(pidtrack_record_read(path.text, &record)));
	EXPECT_EQ(PIDTRACK_RECORD_NATIVE, pidtrack_record_format(record));
	return record;
}

static void remove_record(struct __test_metadata *_metadata,
			  struct scene *scene, struct pidtrack_record *record)
{
	struct path path = record_path(scene);

	EXPECT_EQ(0, TRY(pidtrack_record_remove(path.text, record)));
	ALWAYS(pidtrack_record_free(record));
	if (path_exists(path_in(&scene->directory, "record.exit").text))
		unlink(path_in(&scene->directory, "record.exit").text);
	expect_no_file(_metadata, scene);
}

/* What its exit record says, unless it was said that there is none. */
static void expect_ending(struct __test_metadata *_metadata,
			  struct scene *scene,
			  const struct pidtrack_record *record, bool unrecorded)
{
	struct path path = record_path(scene);
	struct pidtrack_ending ending = { 0 };
	bool before = fault->struck;
	int r = ONCE(pidtrack_ending_read(path.text, record, &ending,
					  sizeof(ending)));

	if (r < 0 && !before)
		r = ONCE(pidtrack_ending_read(path.text, record, &ending,
					      sizeof(ending)));
	EXPECT_TRUE(unrecorded ? !!fault->struck : r == 0)
	{
		TH_LOG("%s", strerror(-r));
	}
	if (r == 0)
		EXPECT_EQ(7 << 8, ending.status);
}

static void play_record(struct __test_metadata *_metadata, struct scene *scene)
{
	struct pidtrack_process *process = launch_recorded(_metadata, scene);
	struct pidtrack_record *record = read_record(_metadata, scene);
	const struct pidtrack_event *event;
	bool unrecorded;

	EXPECT_EQ(pidtrack_process_pid(process), pidtrack_record_pid(record));
	gate_open(&scene->gate);
	event = next(_metadata, scene);
	ASSERT_EQ(process, event->process);
	EXPECT_TRUE(event->flags & PIDTRACK_EVENT_LAST);
	EXPECT_EQ(7 << 8, event->status);
	unrecorded = event->flags & PIDTRACK_EVENT_UNRECORDED;
	expect_quiet(_metadata, scene);
	expect_nobody(_metadata, scene);
	expect_ending(_metadata, scene, record, unrecorded);
	ALWAYS(pidtrack_process_free(process));
	remove_record(_metadata, scene, record);
	end(scene);
}

typedef void (*expect)(struct __test_metadata *_metadata, struct scene *scene,
		       const struct pidtrack_comparison *comparison);

static void verify(struct __test_metadata *_metadata, struct scene *scene,
		   const struct pidtrack_record *record, expect expect)
{
	struct pidtrack_comparison comparison = { 0 };
	bool before = fault->struck;

	ASSERT_EQ(0, TRY(pidtrack_verify(NULL, record, &comparison,
					 sizeof(comparison))));
	scene->unproven = fault->struck && !before;
	expect(_metadata, scene, &comparison);
	ASSERT_TRUE(comparison.reason != NULL);
	/* what may be had the next time is said to be the reason */
	if (!is_refused_for_good())
		EXPECT_FALSE(strstr(comparison.reason, "no boot id") ||
			     strstr(comparison.reason, "pid namespace"));
	/* as ever, once nothing fails */
	scene->unproven = false;
	ASSERT_EQ(0, pidtrack_verify(scene->tracker, record, &comparison,
				     sizeof(comparison)));
	expect(_metadata, scene, &comparison);
}

/* While it runs, and once it is reaped: what is expected then. */
static void verify_both(struct __test_metadata *_metadata, struct scene *scene,
			struct pidtrack_process *process,
			struct pidtrack_record *record, expect expect_then)
{
	verify(_metadata, scene, record, expect_same);
	gate_open(&scene->gate);
	expect_end(_metadata, scene, process, 7 << 8);
	expect_quiet(_metadata, scene);
	verify(_metadata, scene, record, expect_then);
	ALWAYS(pidtrack_process_free(process));
	end(scene);
	ALWAYS(pidtrack_record_free(record));
}

static void play_verify(struct __test_metadata *_metadata, struct scene *scene)
{
	struct pidtrack_process *process = launch_recorded(_metadata, scene);
	struct pidtrack_record *record = read_record(_metadata, scene);
	struct path path = record_path(scene);

	verify_both(_metadata, scene, process, record, expect_dead);
	unlink(path.text);
	unlink(path_in(&scene->directory, "record.exit").text);
}

/* Again, if it could not be: nothing is left of that. */
static struct pidtrack_process *
attach_record(struct __test_metadata *_metadata, struct scene *scene,
	      const struct pidtrack_record *record, uint32_t flags,
	      expect expect)
{
	struct pidtrack_process *process = NULL;
	struct pidtrack_comparison comparison = { 0 };
	int fds = fds_count();

	scene->unproven = !fault->struck;
	if (ONCE(pidtrack_attach_record(scene->tracker, record, flags, &process,
					&comparison, sizeof(comparison))) < 0) {
		EXPECT_TRUE(fault->struck);
		EXPECT_NULL(process);
		EXPECT_EQ(fds, fds_count());
		/* for want of a descriptor there is none */
		if (comparison.verdict)
			expect(_metadata, scene, &comparison);
		scene->unproven = false;
		ASSERT_EQ(0, pidtrack_attach_record(
				     scene->tracker, record, flags, &process,
				     &comparison, sizeof(comparison)));
	}
	expect(_metadata, scene, &comparison);
	return process;
}

/* By a record, by number, and by pidfd: children of the host's. */
static void play_attach_record(struct __test_metadata *_metadata,
			       struct scene *scene)
{
	struct pidtrack_process *process;
	struct pidtrack_record *record;
	struct path path = record_path(scene);

	ALWAYS(pidtrack_process_free(launch_recorded(_metadata, scene)));
	end(scene);
	begin(_metadata, scene);
	record = read_record(_metadata, scene);
	process = attach_record(_metadata, scene, record, 0, expect_same);
	ALWAYS(pidtrack_record_free(record));
	unlink(path.text);
	see_off(_metadata, scene, process);
	unlink(path_in(&scene->directory, "record.exit").text);
	unlink(path_in(&scene->directory, "record.exit.previous").text);
}

static void number_write(struct __test_metadata *_metadata, const char *path,
			 pid_t pid)
{
	FILE *file = fopen(path, "we");

	ASSERT_TRUE(file != NULL);
	fprintf(file, "%d\n", pid);
	ASSERT_EQ(0, fclose(file));
}

/* A pid file is taken at its word, and then a record is in its place. */
static void play_attach_legacy(struct __test_metadata *_metadata,
			       struct scene *scene)
{
	struct path path = record_path(scene);
	struct pidtrack_record_options options =
		PIDTRACK_RECORD_OPTIONS(.path = path.text, .label = "shim");
	struct pidtrack_process *process;
	struct pidtrack_record *record = NULL;
	struct child child;

	begin(_metadata, scene);
	ASSERT_EQ(0, child_start(&child));
	number_write(_metadata, path.text, child.pid);
	ASSERT_EQ(0, TRY(pidtrack_record_read(path.text, &record)));
	EXPECT_EQ(PIDTRACK_RECORD_PID, pidtrack_record_format(record));
	process = attach_record(_metadata, scene, record,
				PIDTRACK_ATTACH_LEGACY, expect_unproven);
	ALWAYS(pidtrack_record_free(record));
	EXPECT_EQ(child.pid, pidtrack_process_pid(process));
	ASSERT_EQ(0, TRY(pidtrack_process_record(process, &options)));
	record = read_record(_metadata, scene);
	verify(_metadata, scene, record, expect_same);
	remove_record(_metadata, scene, record);
	ASSERT_EQ(0, child_exit(&child, 7));
	child_close(&child);
	see_off(_metadata, scene, process);
}

/* ---- scenes: attaching ---- */

/* As before Linux 6.13: what a pidfd tells is in /proc, and no handle works. */
static void forget_info(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_ioctl, ENOTTY));
	ASSERT_EQ(0, seccomp_refuse(SYS_open_by_handle_at, EINVAL));
	fault->no_handles = true;
}

static void play_attach_record_by_proc(struct __test_metadata *_metadata,
				       struct scene *scene)
{
	forget_info(_metadata);
	play_attach_record(_metadata, scene);
}

static void play_attach_legacy_by_proc(struct __test_metadata *_metadata,
				       struct scene *scene)
{
	forget_info(_metadata);
	play_attach_legacy(_metadata, scene);
}

/* As under the profiles of old runtimes. */
static void play_attach_record_by_stat(struct __test_metadata *_metadata,
				       struct scene *scene)
{
	ASSERT_EQ(0, seccomp_refuse(SYS_statx, ENOSYS));
	play_attach_record(_metadata, scene);
}

static void play_attach(struct __test_metadata *_metadata, struct scene *scene)
{
	struct pidtrack_process *process = NULL;
	struct child child;

	begin(_metadata, scene);
	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, TRY(pidtrack_attach(scene->tracker, child.pid, 0, 0,
					 &process)));
	ASSERT_EQ(0, child_exit(&child, 7));
	child_close(&child);
	see_off(_metadata, scene, process);
}

static void play_attach_foreign(struct __test_metadata *_metadata,
				struct scene *scene)
{
	struct pidtrack_process *process = NULL;
	struct foreign foreign;

	begin(_metadata, scene);
	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0,
		  TRY(pidtrack_attach_pidfd(scene->tracker, foreign.child.pidfd,
					    0, &process)));
	ASSERT_EQ(0, child_exit(&foreign.child, 7));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	ASSERT_EQ(7 << 8, foreign_reap(&foreign));
	expect_foreign_end(_metadata, scene, process, 7 << 8);
	expect_quiet(_metadata, scene);
	ALWAYS(pidtrack_process_free(process));
	end(scene);
	child_end(&foreign.parent);
	child_close(&foreign.child);
	gate_open(&scene->gate);
}

/* The host before has given it a label and a payload; none was a promise. */
static void play_attach_labelled(struct __test_metadata *_metadata,
				 struct scene *scene)
{
	struct pidtrack_spawn_options options =
		AT_GATE(.label = "shim", .payload = "load", .payload_size = 4);
	struct pidtrack_process *process = NULL;
	struct pidtrack *before = NULL;
	const char *label;
	size_t size;
	pid_t pid;

	ASSERT_EQ(0, pidtrack_new(scene->options, &before));
	ASSERT_EQ(0, pidtrack_spawn(before, &options, &process, NULL));
	pid = pidtrack_process_pid(process);
	pidtrack_free(before);
	begin(_metadata, scene);
	ASSERT_EQ(0, TRY(pidtrack_attach(scene->tracker, pid, 0, 0, &process)));
	label = pidtrack_process_label(process);
	EXPECT_STREQ("shim", label ? label : fault->struck ? "shim" : "none");
	pidtrack_process_payload(process, &size);
	expect_payload(_metadata, size);
	see_off(_metadata, scene, process);
}

/* With a record of its own, a payload and a fingerprint. */
static void play_describe(struct __test_metadata *_metadata,
			  struct scene *scene)
{
	struct path path = record_path(scene);
	struct pidtrack_record_options options =
		PIDTRACK_RECORD_OPTIONS(.path = path.text, .label = "shim",
					.flags = PIDTRACK_RECORD_SYNC |
						 PIDTRACK_RECORD_WITH_EXIT);
	struct pidtrack_process *process = NULL;
	struct pidtrack_comparison comparison = { 0 };
	struct pidtrack_record *record;
	char text[PIDTRACK_FINGERPRINT_MAX];
	struct child child;

	begin(_metadata, scene);
	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, TRY(pidtrack_attach(scene->tracker, child.pid, 0, 0,
					 &process)));
	ASSERT_EQ(0, TRY(pidtrack_process_set_payload(process, "load", 4)));
	ASSERT_GT(
		TRY(pidtrack_process_fingerprint(process, text, sizeof(text))),
		0);
	scene->unproven = !fault->struck;
	ASSERT_EQ(0, TRY(pidtrack_process_compare(process, text, &comparison,
						  sizeof(comparison))));
	expect_same(_metadata, scene, &comparison);
	ASSERT_EQ(0, TRY(pidtrack_process_record(process, &options)));
	record = read_record(_metadata, scene);
	/* by its inode, if not by all there is to see */
	EXPECT_EQ(child.pid, pidtrack_record_pid(record));
	if (!fault->struck)
		EXPECT_STREQ(text, pidtrack_record_fingerprint(record));
	ALWAYS(pidtrack_record_free(record));
	ASSERT_EQ(0, child_exit(&child, 7));
	child_close(&child);
	see_off(_metadata, scene, process);
	unlink(path.text);
	unlink(path_in(&scene->directory, "record.exit").text);
}

/* A stop and a continuation are told, however often they must be asked for. */
static void play_notify(struct __test_metadata *_metadata, struct scene *scene)
{
	const uint32_t kinds = UINT32_C(1) << PIDTRACK_STOPPED |
			       UINT32_C(1) << PIDTRACK_CONTINUED;
	struct pidtrack_spawn_options options = AT_GATE();
	const struct pidtrack_event *event;
	struct pidtrack_process *process;

	begin(_metadata, scene);
	process = launch(_metadata, scene, &options);
	ASSERT_EQ(0, TRY(pidtrack_process_notify(process, kinds)));
	ASSERT_EQ(0, TRY(pidtrack_process_signal(process, SIGSTOP)));
	event = next(_metadata, scene);
	EXPECT_EQ(PIDTRACK_STOPPED, event->kind);
	ASSERT_EQ(0, TRY(pidtrack_process_signal(process, SIGCONT)));
	event = next(_metadata, scene);
	EXPECT_EQ(PIDTRACK_CONTINUED, event->kind);
	see_off(_metadata, scene, process);
}

/* ---- scenes: stopping ---- */

static const struct pidtrack_stop_step term_then_kill[] = {
	{ SIGTERM, 5 }, { SIGKILL, 1000 }, /* of a busy machine */
};

static void stop(struct __test_metadata *_metadata, struct scene *scene,
		 struct pidtrack_process *process, uint32_t flags)
{
	struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.flags = flags, .steps = term_then_kill,
				      .n_steps = 2);

	if (flags & PIDTRACK_STOP_CGROUP)
		options.cgroup_fd = scene->cgroup->fd;
	ASSERT_EQ(0, TRY(pidtrack_process_stop(process, &options)));
}

/*
 * It ends, with all that are to end with it; or it is said that somebody has
 * not, who could not be signalled, might not have been seen, or took longer on
 * a busy machine: once it has ended itself, nobody leads to those.
 */
static void expect_stopped(struct __test_metadata *_metadata,
			   struct scene *scene,
			   struct pidtrack_process *process, uint32_t flags,
			   const struct family *family)
{
	const struct pidtrack_event *event;
	bool timed_out = false;

	for (;;) {
		event = next(_metadata, scene);
		ASSERT_EQ(process, event->process);
		timed_out |= event->kind == PIDTRACK_STOP_TIMED_OUT;
		if (event->flags & PIDTRACK_EVENT_LAST)
			break;
		if (event->kind == PIDTRACK_STOP_TIMED_OUT)
			stop(_metadata, scene, process, flags);
	}
	EXPECT_TRUE(!timed_out || fault->struck);
	EXPECT_EQ(SIGKILL, event->status);
	if (family && !timed_out)
		EXPECT_EQ(family->n_pidfds, family_ended(family));
}

static void see_stopped(struct __test_metadata *_metadata, struct scene *scene,
			struct pidtrack_process *process)
{
	expect_stopped(_metadata, scene, process, 0, NULL);
	expect_quiet(_metadata, scene);
	ALWAYS(pidtrack_process_free(process));
	end(scene);
	gate_open(&scene->gate);
}

static void play_stop(struct __test_metadata *_metadata, struct scene *scene)
{
	struct pidtrack_spawn_options options =
		AT_GATE(.signal_ignore = UINT64_C(1) << (SIGTERM - 1));
	struct pidtrack_process *process;

	begin(_metadata, scene);
	process = launch(_metadata, scene, &options);
	stop(_metadata, scene, process, 0);
	see_stopped(_metadata, scene, process);
}

/* Who is stopped has children, who are stubborn too. */
static void play_stop_all(struct __test_metadata *_metadata,
			  struct scene *scene, uint32_t flags)
{
	struct family *family = family_make(_metadata);
	struct pidtrack_process *process = NULL;
	pid_t root;
	int n;

	family->stubborn = true;
	begin(_metadata, scene);
	root = fork();
	ASSERT_GE(root, 0);
	if (!root) {
		signal(SIGTERM, SIG_IGN);
		if (flags & PIDTRACK_STOP_GROUP && setpgid(0, 0))
			_exit(92);
		if (scene->cgroup && cgroup_join(scene->cgroup->path))
			_exit(93);
		family_start(family, 0, 0);
		family_start(family, 0, 0);
		family_join(family);
		family_live();
	}
	ASSERT_EQ(0,
		  TRY(pidtrack_attach(scene->tracker, root, 0, 0, &process)));
	family_await(_metadata, family, 3);
	stop(_metadata, scene, process, flags);
	expect_stopped(_metadata, scene, process, flags, family);
	expect_quiet(_metadata, scene);
	ALWAYS(pidtrack_process_free(process));
	end(scene);
	for (n = 0; n < family->n_pidfds; n++) {
		syscall(SYS_pidfd_send_signal, family->pidfds[n], SIGKILL, NULL,
			0);
		child_reap(&(struct child){ .pid = family->pids[n] });
		close(family->pidfds[n]);
	}
	munmap(family, sizeof(*family));
	expect_nobody(_metadata, scene);
	gate_open(&scene->gate);
}

static void play_stop_tree(struct __test_metadata *_metadata,
			   struct scene *scene)
{
	play_stop_all(_metadata, scene, PIDTRACK_STOP_TREE);
}

static void play_stop_cgroup(struct __test_metadata *_metadata,
			     struct scene *scene)
{
	play_stop_all(_metadata, scene, PIDTRACK_STOP_CGROUP);
}

static void play_stop_group(struct __test_metadata *_metadata,
			    struct scene *scene)
{
	play_stop_all(_metadata, scene, PIDTRACK_STOP_GROUP);
}

/* As before Linux 6.9. */
static void play_stop_group_one_by_one(struct __test_metadata *_metadata,
				       struct scene *scene)
{
	ASSERT_EQ(0, seccomp_refuse_bits(SYS_pidfd_send_signal, 3,
					 PROCESS_GROUP, EINVAL));
	play_stop_group(_metadata, scene);
}

/* ---- scenes: pins ---- */

static struct pidtrack_process *launch_kept(struct __test_metadata *_metadata,
					    struct scene *scene)
{
	struct pidtrack_spawn_options options =
		AT_GATE(.flags = PIDTRACK_SPAWN_KEEP, .label = "shim",
			.payload = "load", .payload_size = 4);

	return launch(_metadata, scene, &options);
}

static void expect_kept(struct __test_metadata *_metadata,
			const struct scene *scene)
{
	if (scene->room)
		EXPECT_TRUE(is_pinned(scene->room, "shim"));
	if (scene->hold)
		EXPECT_EQ(1, holder_count(scene->hold));
	if (scene->service)
		EXPECT_EQ(1, service_count(_metadata, scene->service));
}

static void play_keep(struct __test_metadata *_metadata, struct scene *scene)
{
	struct pidtrack_process *process;

	begin(_metadata, scene);
	process = launch_kept(_metadata, scene);
	expect_kept(_metadata, scene);
	EXPECT_EQ(0, TRY(pidtrack_process_set_payload(process, "more", 4)));
	see_off(_metadata, scene, process);
}

/* It runs already. */
static void play_keep_later(struct __test_metadata *_metadata,
			    struct scene *scene)
{
	struct pidtrack_spawn_options options =
		AT_GATE(.label = "shim", .payload = "load", .payload_size = 4);
	struct pidtrack_process *process;

	begin(_metadata, scene);
	process = launch(_metadata, scene, &options);
	ASSERT_EQ(0, TRY(pidtrack_process_keep(process)));
	expect_kept(_metadata, scene);
	see_off(_metadata, scene, process);
}

/* A host that ends without a word; its shim is a child of ours then. */
static void launch_and_die(struct __test_metadata *_metadata,
			   struct scene *scene)
{
	int status = -1;
	pid_t pid = fork();

	ASSERT_GE(pid, 0);
	if (!pid) {
		if (pidtrack_new(scene->options, &scene->tracker) < 0)
			_exit(1);
		launch_kept(_metadata, scene);
		raise(SIGKILL);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(SIGKILL, status);
}

static void play_recover(struct __test_metadata *_metadata, struct scene *scene)
{
	struct pidtrack_recovery *recovery = NULL;
	const struct pidtrack_recovered *recovered = NULL;
	struct pidtrack_process *process;
	int r;

	launch_and_die(_metadata, scene);
	begin(_metadata, scene);
	ASSERT_EQ(0, TRY(pidtrack_recover(scene->tracker, &recovery)));
	r = ONCE(pidtrack_recovery_next(recovery, &recovered));
	ASSERT_EQ(1, r);
	if (!recovered->process) {
		EXPECT_TRUE(recovered->error < 0 && fault->struck);
		ALWAYS(pidtrack_recovery_free(recovery));
		ASSERT_EQ(0, pidtrack_recover(scene->tracker, &recovery));
		ASSERT_EQ(1, pidtrack_recovery_next(recovery, &recovered));
	}
	process = recovered->process;
	ASSERT_TRUE(process != NULL);
	expect_payload(_metadata, recovered->payload_size);
	ALWAYS(pidtrack_recovery_free(recovery));
	see_off(_metadata, scene, process);
}

/* Whatever could not be let go of, the next host is told of: how many. */
static int succeed(struct __test_metadata *_metadata, struct scene *scene)
{
	struct pidtrack_recovery *recovery = NULL;
	const struct pidtrack_recovered *recovered = NULL;
	struct pidtrack_process *process = NULL;
	struct pidtrack *tracker = NULL;
	int n;

	ASSERT_EQ(0, pidtrack_new(scene->options, &tracker));
	ASSERT_EQ(0, pidtrack_recover(tracker, &recovery));
	for (n = 0; pidtrack_recovery_next(recovery, &recovered) > 0; n++) {
		if (!recovered->process)
			continue;
		EXPECT_STREQ("exited", pidtrack_verdict_name(
					       recovered->comparison->verdict));
		process = recovered->process;
	}
	pidtrack_recovery_free(recovery);
	scene->tracker = tracker;
	/* the host before this one has reaped it */
	if (process)
		expect_foreign_end(_metadata, scene, process, 7 << 8);
	scene->tracker = NULL;
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
	return n;
}

/* ---- scenes: a pin, as a record ---- */

static struct path pin_path(const struct scene *scene)
{
	struct path path;

	snprintf(path.text, sizeof(path.text), "%s/shim", scene->room->pins);
	return path;
}

static struct pidtrack_record *read_pin(struct __test_metadata *_metadata,
					struct scene *scene)
{
	struct path path = pin_path(scene);
	struct pidtrack_record *record = NULL;
	size_t size;

	ASSERT_EQ(0, TRY(pidtrack_record_read(path.text, &record)));
	EXPECT_EQ(PIDTRACK_RECORD_PIN, pidtrack_record_format(record));
	EXPECT_STREQ("shim", pidtrack_record_label(record));
	pidtrack_record_payload(record, &size);
	expect_payload(_metadata, size);
	return record;
}

/* The record has it still when the pin is gone. */
static void play_verify_pin(struct __test_metadata *_metadata,
			    struct scene *scene)
{
	struct pidtrack_process *process;
	struct pidtrack_record *record;

	begin(_metadata, scene);
	process = launch_kept(_metadata, scene);
	record = read_pin(_metadata, scene);
	verify_both(_metadata, scene, process, record, expect_exited);
}

static void play_attach_pin(struct __test_metadata *_metadata,
			    struct scene *scene)
{
	struct pidtrack_process *process;
	struct pidtrack_record *record;

	launch_and_die(_metadata, scene);
	begin(_metadata, scene);
	record = read_pin(_metadata, scene);
	process = attach_record(_metadata, scene, record, 0, expect_same);
	ALWAYS(pidtrack_record_free(record));
	see_off(_metadata, scene, process);
	/* nobody has recovered it, to let it go */
	EXPECT_EQ(1, succeed(_metadata, scene));
}

/* One whom nobody recovered, and somebody else has reaped. */
static void play_remove_pin(struct __test_metadata *_metadata,
			    struct scene *scene)
{
	struct path path = pin_path(scene);
	struct pidtrack_ending ending = { 0 };
	struct pidtrack_record *record;
	int status = -1;

	launch_and_die(_metadata, scene);
	gate_open(&scene->gate);
	ASSERT_GT(waitpid(atoi(children_of_host(scene)), &status, 0), 0);
	begin(_metadata, scene);
	record = read_pin(_metadata, scene);
	if (has_exit_info) {
		ASSERT_EQ(0,
			  TRY(pidtrack_ending_read(path.text, record, &ending,
						   sizeof(ending))));
		EXPECT_EQ(7 << 8, ending.status);
	}
	EXPECT_EQ(0, TRY(pidtrack_record_remove(path.text, record)));
	EXPECT_FALSE(path_exists(path.text));
	ALWAYS(pidtrack_record_free(record));
	end(scene);
}

/* ---- scenes: a directory of records ---- */

/* How many are told of, each once, until there is nothing more. */
static int scan(struct __test_metadata *_metadata, struct scene *scene,
		struct pidtrack_registry *registry, struct pidtrack *tracker)
{
	const struct pidtrack_found *found = NULL;
	bool before = fault->struck;
	int n = 0;

	do {
		while (TRY(pidtrack_registry_next(registry, tracker, &found)) >
		       0) {
			n += found->change != PIDTRACK_REMOVED;
			scene->unproven = fault->struck && !before;
			before = fault->struck;
			if (found->record)
				expect_same(_metadata, scene,
					    found->comparison);
		}
	} while (await_fd(pidtrack_registry_fd(registry), POLLIN, 0) & POLLIN);
	return n;
}

static void follow(struct __test_metadata *_metadata, struct scene *scene,
		   struct pidtrack *tracker)
{
	struct path path = record_path(scene);
	struct pidtrack_registry *registry = NULL;

	ASSERT_EQ(0, TRY(pidtrack_registry_open(scene->directory.path,
						PIDTRACK_REGISTRY_FOLLOW,
						&registry)));
	EXPECT_GE(scan(_metadata, scene, registry, tracker), 1);
	unlink(path.text);
	/* what could not be read was told, and is told again */
	EXPECT_LE(scan(_metadata, scene, registry, tracker),
		  fault->struck ? 1 : 0);
	ALWAYS(pidtrack_registry_free(registry));
}

static void play_registry(struct __test_metadata *_metadata,
			  struct scene *scene)
{
	struct pidtrack_process *process = launch_recorded(_metadata, scene);

	follow(_metadata, scene, scene->tracker);
	see_off(_metadata, scene, process);
	unlink(path_in(&scene->directory, "record.exit").text);
}

/* Nothing fails but what the registry does itself. */
static void play_registry_alone(struct __test_metadata *_metadata,
				struct scene *scene)
{
	struct pidtrack_spawn_options options =
		AT_GATE(.record = record_path(scene).text, .label = "shim");
	struct pidtrack_process *process = NULL;

	ASSERT_EQ(0, pidtrack_new(scene->options, &scene->tracker));
	ASSERT_EQ(0, pidtrack_spawn(scene->tracker, &options, &process, NULL));
	follow(_metadata, scene, NULL);
	gate_open(&scene->gate);
	expect_end(_metadata, scene, process, 7 << 8);
	pidtrack_free(scene->tracker);
	scene->tracker = NULL;
}

/* ---- scenes: the unclaimed ---- */

static void await_collected(struct __test_metadata *_metadata,
			    struct scene *scene)
{
	do {
		ASSERT_TRUE(await_fd(pidtrack_fd(scene->tracker), POLLIN,
				     awhile_ms() / 5) &
			    POLLIN);
		expect_quiet(_metadata, scene);
	} while (tracker_statistics(scene->tracker).orphans == 0);
	EXPECT_EQ(1, tracker_statistics(scene->tracker).orphans);
}

static void play_orphans(struct __test_metadata *_metadata, struct scene *scene)
{
	struct child orphan;

	begin(_metadata, scene);
	ASSERT_EQ(0, orphan_start(&orphan));
	ASSERT_EQ(0, child_exit(&orphan, 3));
	ASSERT_EQ(0, child_await_exit(&orphan));
	await_collected(_metadata, scene);
	EXPECT_TRUE(pidfd_is_reaped(orphan.pidfd));
	child_close(&orphan);
	expect_nobody(_metadata, scene);
	end(scene);
	gate_open(&scene->gate);
}

/* Each is told once, is given to the tracker, and has an end as any other. */
static void play_ask(struct __test_metadata *_metadata, struct scene *scene)
{
	struct pidtrack_process *process = NULL;
	const struct pidtrack_event *event;
	struct child orphan;

	begin(_metadata, scene);
	ASSERT_EQ(0, orphan_start(&orphan));
	ASSERT_EQ(0, child_exit(&orphan, 7));
	ASSERT_EQ(0, child_await_exit(&orphan));
	event = next(_metadata, scene);
	ASSERT_EQ(PIDTRACK_ORPHAN, event->kind);
	EXPECT_NULL(event->process);
	EXPECT_EQ(orphan.pid, event->pid);
	ASSERT_EQ(0, TRY(pidtrack_attach_pidfd(scene->tracker, event->pidfd, 0,
					       &process)));
	EXPECT_FALSE(pidfd_is_reaped(orphan.pidfd));
	see_off(_metadata, scene, process);
	EXPECT_TRUE(pidfd_is_reaped(orphan.pidfd));
	child_close(&orphan);
}

/* Who orphaned it leads a session, and waits; its number is said. */
static struct pidtrack_process *launch_leader(struct __test_metadata *_metadata,
					      struct scene *scene,
					      struct child *ret_orphan)
{
	struct gate said = gate_make(_metadata);
	struct pidtrack_fd_map fds[] = { { 0, scene->gate.shim },
					 { 1, said.host } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("fork-orphan", "wait",
						    "exit", "7"),
				       .flags = PIDTRACK_SPAWN_SETSID,
				       .fds = fds, .n_fds = 2);
	struct pidtrack_process *process = launch(_metadata, scene, &options);

	*ret_orphan = (struct child)CHILD_NULL;
	ASSERT_EQ(0, child_open(ret_orphan,
				atoi(fd_text(_metadata, said.shim, true))));
	gate_open(&said);
	return process;
}

/*
 * Of a shim that leads a session, and no other.  For want of memory it is not
 * known to lead one: then its orphans stay.
 */
static void play_descendants(struct __test_metadata *_metadata,
			     struct scene *scene)
{
	struct pidtrack_process *process;
	struct child orphan, stranger;
	bool before, unknown;

	begin(_metadata, scene);
	before = fault->struck;
	process = launch_leader(_metadata, scene, &orphan);
	unknown = fault_struck(FAULT_MEMORY) && !before &&
		  !scene->failed_before;
	ASSERT_EQ(0, orphan_start(&stranger));
	ASSERT_EQ(0, child_exit(&stranger, 3));
	ASSERT_EQ(0, child_await_exit(&stranger));
	ASSERT_EQ(0, child_signal(&orphan, SIGKILL));
	if (unknown)
		EXPECT_EQ(SIGKILL, child_reap(&orphan));
	else
		await_collected(_metadata, scene);
	EXPECT_TRUE(pidfd_is_reaped(orphan.pidfd));
	child_close(&orphan);
	EXPECT_EQ(3 << 8, child_reap(&stranger));
	child_close(&stranger);
	see_off(_metadata, scene, process);
}

/* ---- scenes: parking ---- */

#define CROWD 17

/*
 * Launches without faults all but the last two, by which the first are parked:
 * eight at a time, of those that are more than eight.
 */
static void launch_crowd(struct __test_metadata *_metadata, struct scene *scene,
			 struct pidtrack_process **crowd)
{
	struct pidtrack_spawn_options options = AT_GATE(.label = "shim");
	const int fds = fds_count();

	for (int i = 0; i < CROWD - 2; i++)
		ASSERT_EQ(0, pidtrack_spawn(scene->tracker, &options, &crowd[i],
					    NULL));
	/* where they are parked is made with faults, too */
	EXPECT_EQ(fds + CROWD - 2, fds_count());
	for (int i = CROWD - 2; i < CROWD; i++)
		ASSERT_EQ(0, TRY(pidtrack_spawn(scene->tracker, &options,
						&crowd[i], NULL)));
}

static void play_park(struct __test_metadata *_metadata, struct scene *scene)
{
	struct pidtrack_process *crowd[CROWD] = { NULL };
	struct pidtrack_process *parked = NULL;
	char text[PIDTRACK_FINGERPRINT_MAX];
	const struct pidtrack_event *event;

	begin(_metadata, scene);
	launch_crowd(_metadata, scene, crowd);
	parked = crowd[CROWD - 4];
	ASSERT_EQ(0, TRY(pidtrack_process_signal(parked, 0)));
	ASSERT_LT(0, TRY(pidtrack_process_fingerprint(parked, text,
						      sizeof(text))));
	ASSERT_LE(0, TRY(pidtrack_process_pidfd(crowd[CROWD - 5])));
	ASSERT_EQ(0, TRY(pidtrack_process_stop(crowd[CROWD - 6], NULL)));
	expect_end(_metadata, scene, crowd[CROWD - 6], SIGTERM);
	ALWAYS(pidtrack_process_free(parked)); /* is reaped all the same */
	gate_open(&scene->gate);
	for (int i = 0; i < CROWD - 2; i++) {
		event = next(_metadata, scene);
		EXPECT_TRUE(event->flags & PIDTRACK_EVENT_LAST);
		EXPECT_EQ(7 << 8, event->status);
		EXPECT_NE(PIDTRACK_SOURCE_UNKNOWN, event->source);
		ALWAYS(pidtrack_process_free(event->process));
	}
	expect_quiet(_metadata, scene);
	while (children_of_host(scene)[0])
		expect_quiet(_metadata, scene);
	end(scene);
}

/* ---- scenes: what works here ---- */

/* Each is tried once by itself, and then as often as is asked. */
static void play_features(struct __test_metadata *_metadata,
			  struct scene *scene)
{
	for (uint32_t i = 0; i <= PIDTRACK_FEATURE_PARK; i++) {
		ALWAYS(pidtrack_feature_probe(i));
		EXPECT_EQ(pidtrack_feature_probe(i), pidtrack_feature_probe(i));
	}
	expect_nobody(_metadata, scene);
	gate_open(&scene->gate);
}

/* ---- scenes: handing over ---- */

/* Until it is executed all can be taken back. */
static void play_prepare(struct __test_metadata *_metadata, struct scene *scene)
{
	struct pidtrack_spawn_options options = AT_GATE(.label = "shim");
	struct pidtrack_process *process;
	int fd = -1, fds;

	begin(_metadata, scene);
	process = launch(_metadata, scene, &options);
	fds = fds_count();
	ASSERT_EQ(0, TRY(pidtrack_handoff_prepare(scene->tracker, &fd)));
	EXPECT_EQ(0, fcntl(pidtrack_process_pidfd(process), F_GETFD));
	ASSERT_EQ(0, TRY(pidtrack_handoff_cancel(scene->tracker)));
	EXPECT_EQ(FD_CLOEXEC, fcntl(pidtrack_process_pidfd(process), F_GETFD));
	EXPECT_EQ(fds, fds_count());
	see_off(_metadata, scene, process);
}

static void play_resume(struct __test_metadata *_metadata, struct scene *scene)
{
	struct pidtrack_spawn_options options =
		AT_GATE(.label = "shim", .payload = "load", .payload_size = 4,
			.signal_ignore = UINT64_C(1) << (SIGTERM - 1));
	struct pidtrack_process *process = NULL;
	char number[16];

	ASSERT_EQ(0, pidtrack_new(NULL, &scene->tracker));
	ASSERT_EQ(0, pidtrack_spawn(scene->tracker, &options, &process, NULL));
	if (scene->stops)
		stop(_metadata, scene, process, 0);
	ASSERT_EQ(0,
		  pidtrack_handoff_prepare(scene->tracker, &outcome->handoff));
	fcntl(scene->gate.host, F_SETFD, 0);
	fcntl(scene->bystander.socket, F_SETFD, 0);
	fcntl(scene->bystander.pidfd, F_SETFD, 0);
	fcntl(outcome_fd, F_SETFD, 0);
	outcome->scene = *scene;
	snprintf(number, sizeof(number), "%d", outcome_fd);
	setenv("PIDTRACK_TEST_RESUME", number, 1);
	execl("/proc/self/exe", "faults_test", (char *)NULL);
	ASSERT_TRUE(false);
}

static void play_resume_stop(struct __test_metadata *_metadata,
			     struct scene *scene)
{
	scene->stops = true;
	play_resume(_metadata, scene);
}

/* ---- the test ---- */

struct tally {
	int calls, faults, in_child, memory;
};

static void prepare(struct __test_metadata *_metadata, struct scene *scene)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	directory_make(_metadata, &scene->directory);
	scene->gate = gate_make(_metadata);
	ASSERT_EQ(0, child_start(&scene->bystander));
}

static void expect_nothing_pinned(struct __test_metadata *_metadata,
				  struct scene *scene)
{
	if (path_exists(scene->room->pins)) {
		EXPECT_TRUE(fault->struck);
		EXPECT_LE(succeed(_metadata, scene), 1);
		rmdir(scene->room->pins);
	}
	expect_clean(_metadata, scene->room);
}

/* What was said before is done by the time that a list is there. */
static void expect_nothing_held(struct __test_metadata *_metadata,
				struct scene *scene)
{
	EXPECT_LE(succeed(_metadata, scene), fault->struck ? 1 : 0);
	EXPECT_EQ(0, succeed(_metadata, scene));
	EXPECT_EQ(0, holder_count(scene->hold));
}

/* That the bystander lived until now, and is the host's alone. */
static void look_round(struct __test_metadata *_metadata, struct scene *scene)
{
	EXPECT_NULL(scene->tracker);
	EXPECT_EQ(0, await_fd(scene->bystander.pidfd, POLLIN, 0));
	EXPECT_EQ(0, child_exit(&scene->bystander, 5));
	EXPECT_EQ(5 << 8, child_reap(&scene->bystander));
	child_close(&scene->bystander);
	EXPECT_FALSE(child_is_any());
	expect_no_file(_metadata, scene);
	directory_remove(&scene->directory);
	if (scene->room)
		expect_nothing_pinned(_metadata, scene);
	if (scene->hold)
		expect_nothing_held(_metadata, scene);
}

static void __attribute__((noreturn))
be_host(struct __test_metadata *_metadata, const struct scene *model, play play)
{
	struct scene scene = *model;
	int fds = fds_count();

	alarm(awhile_ms() / 2000);
	fault->host = getpid();
	prepare(_metadata, &scene);
	play(_metadata, &scene);
	look_round(_metadata, &scene);
	EXPECT_EQ(fds, fds_count());
	outcome->done = !_metadata->failed;
	exit(0);
}

/* What a failed test has left is not the fault of the next. */
static void room_clear(const struct room *room)
{
	while (!umount2(room->pins, MNT_DETACH))
		;
	rmdir(room->pins);
}

static void serve(struct __test_metadata *_metadata, struct service *service)
{
	const struct service_options options = { .max = 100 };
	char address[64];

	snprintf(address, sizeof(address), "@pidtrack-faults-%d", getpid());
	service_start(_metadata, service, address, &options);
}

/* It could not be told of more than one that it was to let go of. */
static void expect_nothing_stored(struct __test_metadata *_metadata,
				  struct service *service)
{
	int n = service_count(_metadata, service);

	EXPECT_LE(n, outcome->fault.struck ? 1 : 0);
	if (n == 0)
		return;
	service_end(service);
	serve(_metadata, service);
}

/* Whether there was a call to fail, and another error for it. */
static const struct fault_errors *run_host(struct __test_metadata *_metadata,
					   const struct scene *model, play play,
					   int at, int which)
{
	const struct fault_errors *struck;
	const bool failed = _metadata->failed;
	int status = -1;
	pid_t pid;

	_metadata->failed = false;
	*outcome = (struct outcome){ .fault = {
					     .at = at,
					     .which = which,
					     .no_handles = !has_handles,
				     } };
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		be_host(_metadata, model, play);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	_metadata->failed |= failed;
	struck = outcome->fault.struck ?
			 &fault_table[outcome->fault.struck - 1] :
			 NULL;
	if (model->service)
		expect_nothing_stored(_metadata, model->service);
	EXPECT_TRUE(outcome->done && !status)
	{
		TH_LOG("that was call %d%s: %s, %s; status %#x", at,
		       outcome->fault.in_child ? ", a shim's" : "",
		       struck ? struck->name : "none",
		       strerror(outcome->fault.error), status);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (model->room)
			room_clear(model->room);
	}
	return struck;
}

static void count(struct tally *tally, const struct fault_errors *struck)
{
	tally->faults++;
	tally->in_child += outcome->fault.in_child;
	tally->memory += struck->number == FAULT_MEMORY;
}

#define FAILURES_MAX 20 /* of a scene: enough to see */
#define SHORT_MAX 40	/* calls of a scene that fail, without "all" */

/* With each fault there is. */
static void play_all(struct __test_metadata *_metadata,
		     const struct scene *model, play play)
{
	const char *form = getenv("PIDTRACK_TEST_FAULTS");
	const bool all = form && !strcmp(form, "all");
	struct tally tally = { 0 };
	struct child stranger;
	int at, which, stride, failures = 0;

	outcome_fd = memfd_create("outcome", MFD_CLOEXEC);
	ASSERT_EQ(0, ftruncate(outcome_fd, sizeof(*outcome)));
	outcome_map(_metadata);
	has_exit_info = works(PIDTRACK_FEATURE_EXIT_INFO);
	has_handles = works(PIDTRACK_FEATURE_HANDLE_OPEN);
	has_xattr = works(PIDTRACK_FEATURE_XATTR);
	fault_results = fault_results_work();
	ASSERT_EQ(0, child_start(&stranger));
	run_host(_metadata, model, play, 0, 0);
	ASSERT_TRUE(outcome->done);
	tally.calls = outcome->fault.calls;
	stride = all ? 1 : (tally.calls + SHORT_MAX - 1) / SHORT_MAX;
	for (at = 1; failures < FAILURES_MAX; at += stride) {
		const struct fault_errors *struck;
		int n;

		which = all ? 0 : at;
		struck = run_host(_metadata, model, play, at, which);
		if (!struck)
			break;
		count(&tally, struck);
		failures += !outcome->done;
		n = all ? fault_errors_of(struck) : 1;
		for (which = 1; which < n; which++) {
			if (run_host(_metadata, model, play, at, which)) {
				count(&tally, struck);
				failures += !outcome->done;
			}
		}
	}
	EXPECT_EQ(0, await_fd(stranger.pidfd, POLLIN, 0));
	child_end(&stranger);
	EXPECT_GT(tally.faults, 0);
	TH_LOG("%d faults in %d calls: %d of memory, %d in a shim",
	       tally.faults, tally.calls, tally.memory, tally.in_child);
	munmap(outcome, sizeof(*outcome));
	close(outcome_fd);
}

static const char *wants_one_failure(void)
{
	return sandbox_is_place() ?
		       "one call fails in a scene, and the sandbox refuses "
		       "others" :
		       NULL;
}

#define SCENE(name)                                                       \
	static void name(struct __test_metadata *_metadata);              \
	HARNESS_TEST(name, #name, .run = name, .timeout = 280,            \
		     .wants = wants_one_failure)                          \
	static void name(struct __test_metadata __attribute__((unused)) * \
			 _metadata)

/* Skips where there is no such backend. */
static void demand_backend(struct __test_metadata *_metadata)
{
	pidtrack_free(tracker_start(_metadata, 0));
}

static void play_simple(struct __test_metadata *_metadata, play play)
{
	struct scene scene = { ._metadata = _metadata };

	demand_backend(_metadata);
	play_all(_metadata, &scene, play);
}

SCENE(a_shim_is_launched_and_waited_for)
{
	play_simple(_metadata, play_launch);
}

SCENE(a_shim_is_launched_and_its_end_is_stolen)
{
	play_simple(_metadata, play_theft);
}

static void play_by_thread(struct __test_metadata *_metadata, play play)
{
	const struct pidtrack_options options =
		PIDTRACK_OPTIONS(.flags = PIDTRACK_THREAD);
	struct scene scene = { ._metadata = _metadata, .options = &options };

	demand_backend(_metadata);
	play_all(_metadata, &scene, play);
}

SCENE(a_shim_is_launched_by_the_trackers_thread)
{
	play_by_thread(_metadata, play_launch);
}

SCENE(a_shim_is_stopped_by_the_trackers_thread)
{
	play_by_thread(_metadata, play_stop);
}

SCENE(a_shim_is_launched_as_somebody_else)
{
	play_simple(_metadata, play_launch_as);
}

SCENE(a_shim_is_launched_without_clone3)
{
	play_simple(_metadata, play_launch_by_libc);
}

static void play_in_cgroup(struct __test_metadata *_metadata, play play)
{
	struct cgroup cgroup;
	struct scene scene = { ._metadata = _metadata, .cgroup = &cgroup };
	int r = cgroup_make(&cgroup);

	demand_backend(_metadata);
	if (r < 0)
		SKIP(, "no cgroup: %s", strerror(-r));
	else
		play_all(_metadata, &scene, play);
	cgroup_remove(&cgroup);
}

SCENE(a_shim_is_launched_into_a_cgroup)
{
	play_in_cgroup(_metadata, play_cgroup);
}

SCENE(a_shim_is_launched_into_a_cgroup_without_clone3)
{
	play_in_cgroup(_metadata, play_cgroup_by_libc);
}

/* In another image of the same host. */
static void resume(struct __test_metadata *_metadata, struct scene *scene)
{
	struct pidtrack_recovery *recovery = NULL;
	const struct pidtrack_recovered *recovered = NULL;
	struct pidtrack_process *process;
	int status = -1;

	begin(_metadata, scene);
	ASSERT_EQ(0, TRY(pidtrack_handoff_resume(scene->tracker,
						 outcome->handoff, &recovery)));
	ASSERT_EQ(1, ONCE(pidtrack_recovery_next(recovery, &recovered)));
	process = recovered->process;
	EXPECT_TRUE(process ? recovered->error == 0 :
			      recovered->error < 0 && fault->struck);
	EXPECT_EQ(4, recovered->payload_size);
	ALWAYS(pidtrack_recovery_free(recovery));
	if (process && scene->stops) {
		see_stopped(_metadata, scene, process);
		return;
	}
	if (process) {
		see_off(_metadata, scene, process);
		return;
	}
	/* said not to be tracked: it is there to be waited for */
	gate_open(&scene->gate);
	ASSERT_GT(waitpid(atoi(children_of_host(scene)), &status, 0), 0);
	EXPECT_EQ(7 << 8, status);
	end(scene);
}

static __attribute__((constructor)) void be_resumed(void)
{
	static struct __test_metadata metadata = {
		.name = "a_handoff_is_resumed"
	};
	struct __test_metadata *_metadata = &metadata;
	const char *number = getenv("PIDTRACK_TEST_RESUME");
	struct scene scene;
	int fds;

	if (!number)
		return;
	outcome_fd = atoi(number);
	outcome_map(_metadata);
	fds = fds_count();
	scene = outcome->scene;
	scene.tracker = NULL;
	scene.gate.shim = -1; /* closed by exec */
	resume(_metadata, &scene);
	look_round(_metadata, &scene);
	/*
	 * Shim, handoff, gate, and two of the bystander's; a shim's that could
	 * not be seen to be one may be the host's own.
	 */
	EXPECT_GE(fds_count(), fds - 5);
	EXPECT_LE(fds_count(), fds - 5 + !!fault->struck);
	outcome->done = !_metadata->failed;
	exit(0);
}

SCENE(a_handoff_is_resumed)
{
	play_simple(_metadata, play_resume);
}

SCENE(a_handoff_of_one_being_stopped_is_resumed)
{
	play_simple(_metadata, play_resume_stop);
}

SCENE(many_are_parked_and_come_back)
{
	const struct pidtrack_options options =
		PIDTRACK_OPTIONS(.flags = PIDTRACK_PARK);
	struct scene scene = { ._metadata = _metadata, .options = &options };

	demand_backend(_metadata);
	play_all(_metadata, &scene, play_park);
}

SCENE(a_shim_is_recorded_and_so_is_its_end)
{
	play_simple(_metadata, play_record);
}

SCENE(a_record_is_verified)
{
	play_simple(_metadata, play_verify);
}

SCENE(a_shim_is_attached_by_its_record)
{
	play_simple(_metadata, play_attach_record);
}

SCENE(so_it_is_without_PIDFD_GET_INFO)
{
	play_simple(_metadata, play_attach_record_by_proc);
}

SCENE(so_it_is_without_statx)
{
	play_simple(_metadata, play_attach_record_by_stat);
}

SCENE(a_child_is_attached_by_a_pid_file)
{
	play_simple(_metadata, play_attach_legacy);
}

SCENE(so_it_is_by_a_pid_file_without_PIDFD_GET_INFO)
{
	play_simple(_metadata, play_attach_legacy_by_proc);
}

SCENE(a_child_is_attached)
{
	play_simple(_metadata, play_attach);
}

SCENE(a_process_of_somebody_else_is_attached)
{
	play_simple(_metadata, play_attach_foreign);
}

SCENE(a_shim_that_carries_a_label_is_attached)
{
	if (!works(PIDTRACK_FEATURE_XATTR))
		SKIP(return, "no attributes of processes: Linux < 6.17, or "
			     "not root");
	play_simple(_metadata, play_attach_labelled);
}

SCENE(a_process_is_described)
{
	play_simple(_metadata, play_describe);
}

SCENE(stops_and_continuations_are_told)
{
	play_simple(_metadata, play_notify);
}

SCENE(a_shim_is_stopped)
{
	play_simple(_metadata, play_stop);
}

SCENE(a_tree_is_stopped)
{
	play_simple(_metadata, play_stop_tree);
}

SCENE(a_group_is_stopped)
{
	play_simple(_metadata, play_stop_group);
}

SCENE(a_group_is_stopped_one_by_one)
{
	play_simple(_metadata, play_stop_group_one_by_one);
}

SCENE(a_cgroup_is_stopped)
{
	play_in_cgroup(_metadata, play_stop_cgroup);
}

SCENE(a_directory_of_records_is_scanned)
{
	play_simple(_metadata, play_registry);
}

SCENE(a_directory_is_scanned_without_a_tracker)
{
	play_simple(_metadata, play_registry_alone);
}

static void play_with_orphans(struct __test_metadata *_metadata,
			      uint32_t policy, play play)
{
	const struct pidtrack_options options =
		PIDTRACK_OPTIONS(.orphans = policy, .orphan_time_ms = 1);
	struct scene scene = { ._metadata = _metadata, .options = &options };

	demand_backend(_metadata);
	play_all(_metadata, &scene, play);
}

SCENE(an_orphan_is_collected)
{
	play_with_orphans(_metadata, PIDTRACK_ORPHANS_COLLECT, play_orphans);
}

SCENE(an_orphan_is_told_and_attached)
{
	play_with_orphans(_metadata, PIDTRACK_ORPHANS_ASK, play_ask);
}

SCENE(an_orphan_of_a_session_is_collected_and_no_other)
{
	play_with_orphans(_metadata, PIDTRACK_ORPHANS_DESCENDANTS,
			  play_descendants);
}

SCENE(features_are_tried)
{
	play_simple(_metadata, play_features);
}

SCENE(a_handoff_is_prepared_and_taken_back)
{
	play_simple(_metadata, play_prepare);
}

static void play_in_room(struct __test_metadata *_metadata, play play)
{
	struct room room = ROOM_NULL;
	struct pidtrack_options options = PIDTRACK_OPTIONS();
	struct scene scene = { ._metadata = _metadata,
			       .room = &room,
			       .options = &options };

	demand_backend(_metadata);
	if (!kept_room_make(_metadata, &room))
		return;
	options.pins = room.pins;
	play_all(_metadata, &scene, play);
	room_end(&room);
}

SCENE(a_shim_is_kept)
{
	play_in_room(_metadata, play_keep);
}

SCENE(a_shim_is_recovered)
{
	play_in_room(_metadata, play_recover);
}

SCENE(a_shim_that_runs_is_kept)
{
	play_in_room(_metadata, play_keep_later);
}

SCENE(a_pin_is_verified)
{
	play_in_room(_metadata, play_verify_pin);
}

SCENE(a_shim_is_attached_by_its_pin)
{
	play_in_room(_metadata, play_attach_pin);
}

SCENE(a_pin_is_removed)
{
	play_in_room(_metadata, play_remove_pin);
}

static void play_with_hold(struct __test_metadata *_metadata, play play)
{
	struct pidtrack_options options = PIDTRACK_OPTIONS();
	struct scene scene = { ._metadata = _metadata, .options = &options };
	struct directory directory;
	struct path socket;

	demand_backend(_metadata);
	if (!works(PIDTRACK_FEATURE_PIDFS))
		SKIP(return, "no pidfs: Linux < 6.9");
	directory_make(_metadata, &directory);
	socket = path_in(&directory, "socket");
	options.store = socket.text;
	if (holder_start(_metadata, socket.text, 100, &scene.hold)) {
		play_all(_metadata, &scene, play);
		holder_end(scene.hold, SIGTERM);
	}
	directory_remove(&directory);
}

SCENE(a_shim_is_given_to_a_hold)
{
	play_with_hold(_metadata, play_keep);
}

SCENE(a_shim_that_runs_is_given_to_a_hold)
{
	play_with_hold(_metadata, play_keep_later);
}

SCENE(a_shim_that_a_hold_has_is_recovered)
{
	play_with_hold(_metadata, play_recover);
}

/* As the library has them; sandboxes refuse them all the same. */
static const char *const unfailing[] = {
	"exit_group", "geteuid",	 "getgid",	   "getpid",
	"getppid",    "gettid",		 "getuid",	   "lseek",
	"munmap",     "rt_sigaction",	 "rt_sigprocmask", "sched_yield",
	"umask",      "timerfd_settime",
};

/* So that none of the calls of the library is forgotten here. */
TEST(what_the_library_calls_fails_here_or_cannot)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		const char *name = calls[i].name;
		bool fails = false, cannot = false;

		for (size_t j = 0; j < ARRAY_SIZE(fault_table); j++)
			fails |= !strcmp(name, fault_table[j].name);
		for (size_t j = 0; j < ARRAY_SIZE(unfailing); j++)
			cannot |= !strcmp(name, unfailing[j]);
		EXPECT_TRUE(fails != cannot)
		{
			TH_LOG("%s: %s", name, fails ? "both" : "neither");
		}
	}
}

static void play_with_service(struct __test_metadata *_metadata, play play)
{
	const struct pidtrack_options options =
		PIDTRACK_OPTIONS(.store = PIDTRACK_STORE_SERVICE);
	struct service service;
	struct scene scene = { ._metadata = _metadata,
			       .options = &options,
			       .service = &service };

	demand_backend(_metadata);
	if (!works(PIDTRACK_FEATURE_PIDFS))
		SKIP(return, "no pidfs: Linux < 6.9");
	serve(_metadata, &service);
	setenv("NOTIFY_SOCKET", service.address, 1);
	play_all(_metadata, &scene, play);
	service_end(&service);
}

SCENE(a_shim_is_given_to_the_service_manager)
{
	play_with_service(_metadata, play_keep);
}

SCENE(a_shim_that_runs_is_given_to_the_service_manager)
{
	play_with_service(_metadata, play_keep_later);
}

TEST_HARNESS_MAIN
