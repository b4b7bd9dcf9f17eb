/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Records of processes, of every kind, and what is expected of their verdicts;
 * on pidtrack.h alone.
 */
#ifndef VERIFIED_H
#define VERIFIED_H

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "tracked.h"

#define BOOT PIDTRACK_EVIDENCE_BOOT
#define PID PIDTRACK_EVIDENCE_PID
#define START PIDTRACK_EVIDENCE_START
#define INODE PIDTRACK_EVIDENCE_INODE
#define EXE PIDTRACK_EVIDENCE_EXE
#define LEGACY PIDTRACK_ATTACH_LEGACY

/* ---- records ---- */

static inline __attribute__((format(printf, 2, 3))) struct pidtrack_record *
record_of_text(struct __test_metadata *_metadata, const char *format, ...)
{
	struct pidtrack_record *record = NULL;
	char text[PIDTRACK_RECORD_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ASSERT_EQ(0, pidtrack_record_parse(text, n, &record));
	return record;
}

/* As its tracker has it: no label and no path, else as a native one. */
static inline struct pidtrack_record *
record_of(struct __test_metadata *_metadata, struct pidtrack_process *process)
{
	char text[PIDTRACK_FINGERPRINT_MAX];

	ASSERT_GT(pidtrack_process_fingerprint(process, text, sizeof(text)), 0);
	return record_of_text(_metadata, "%s", text);
}

/* Field 22 of its stat, and 0 if there is none. */
static inline unsigned long long start_of(pid_t pid)
{
	unsigned long long start = 0;
	char path[64], stat[1024];
	char *at;
	ssize_t n;
	int fd, i;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	stat[n > 0 ? n : 0] = '\0';
	at = strrchr(stat, ')');
	for (i = 0; at && i < 20; i++)
		at = strchr(at + 1, ' ');
	if (at)
		sscanf(at, " %llu", &start);
	return start;
}

/* As boxlite writes it. */
static inline struct pidtrack_record *
boxlite_record_of(struct __test_metadata *_metadata, pid_t pid)
{
	ASSERT_NE(0, start_of(pid));
	return record_of_text(_metadata, "%d\n%llu\n", pid, start_of(pid));
}

/* A shim that waits at @gate, and its record at @path. */
static inline struct pidtrack_process *
shim_start_recorded(struct __test_metadata *_metadata, struct pidtrack *tracker,
		    const struct gate *gate, const char *path)
{
	struct pidtrack_fd_map fds[] = { { .child_fd = 0, .fd = gate->shim } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait", "exit", "7"),
				       .fds = fds, .n_fds = 1, .record = path,
				       .label = "web 1", .payload = "\0 x",
				       .payload_size = 3);
	struct pidtrack_process *process = NULL;

	ASSERT_EQ(0, pidtrack_spawn(tracker, &options, &process, NULL));
	return process;
}

static inline struct pidtrack_record *
record_at(struct __test_metadata *_metadata, const char *path)
{
	struct pidtrack_record *record = NULL;

	ASSERT_EQ(0, pidtrack_record_read(path, &record));
	ASSERT_EQ(PIDTRACK_RECORD_NATIVE, pidtrack_record_format(record));
	return record;
}

/* A name that is nobody's. */
static inline const char *path_make(struct __test_metadata *_metadata)
{
	static char path[64];
	static int n;

	snprintf(path, sizeof(path), "/tmp/pt-verify-%d-%d-%lld", getpid(), n++,
		 (long long)now_ms());
	ASSERT_EQ(-1, access(path, F_OK));
	return path;
}

/* ---- verdicts ---- */

#define EVIDENCE_ALL (BOOT | PID | START | INODE | EXE | PIDTRACK_EVIDENCE_PIN)

static inline struct pidtrack_comparison
verify(struct __test_metadata *_metadata, struct pidtrack *tracker,
       const struct pidtrack_record *record)
{
	struct pidtrack_comparison it = { 0 };

	ASSERT_EQ(0, pidtrack_verify(tracker, record, &it, sizeof(it)));
	EXPECT_STRNE("unknown", pidtrack_verdict_name(it.verdict));
	ASSERT_TRUE(it.reason != NULL);
	EXPECT_GT(strlen(it.reason), 10);
	EXPECT_NE('.', it.reason[strlen(it.reason) - 1]);
	EXPECT_EQ(0, it.evidence & ~EVIDENCE_ALL);
	if (it.verdict != PIDTRACK_VERDICT_UNPROVEN)
		EXPECT_NE(0, it.evidence & ~EXE);
	return it;
}

#define EXPECT_VERDICT(verdict_, tracker, record)     \
	EXPECT_STREQ(pidtrack_verdict_name(verdict_), \
		     pidtrack_verdict_name(           \
			     verify(_metadata, tracker, record).verdict))

/* The verdict, and at least this evidence. */
#define EXPECT_PROOF(verdict_, evidence_, tracker, record)                   \
	do {                                                                 \
		struct pidtrack_comparison it_ =                             \
			verify(_metadata, tracker, record);                  \
		EXPECT_STREQ(pidtrack_verdict_name(verdict_),                \
			     pidtrack_verdict_name(it_.verdict));            \
		EXPECT_EQ((uint32_t)(evidence_), it_.evidence &(evidence_)); \
	} while (0)

/* Refused with that, however the number is taken at its word. */
static inline void expect_refused(struct __test_metadata *_metadata,
				  struct pidtrack *tracker,
				  const struct pidtrack_record *record,
				  int error)
{
	static const uint32_t flags[] = { 0, LEGACY, PIDTRACK_ATTACH_OBSERVE,
					  LEGACY | PIDTRACK_ATTACH_OBSERVE };
	struct pidtrack_process *const none = (void *)&flags;
	uint64_t tracked = tracker_statistics(tracker).tracked;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		struct pidtrack_process *process = none;
		struct pidtrack_comparison it = { 0 };

		EXPECT_EQ(error,
			  pidtrack_attach_record(tracker, record, flags[i],
						 &process, &it, sizeof(it)));
		EXPECT_EQ(none, process);
		EXPECT_NE(0, it.verdict);
		EXPECT_NE(PIDTRACK_VERDICT_SAME, it.verdict);
		EXPECT_NE(PIDTRACK_VERDICT_EXITED, it.verdict);
	}
	EXPECT_EQ(tracked, tracker_statistics(tracker).tracked);
}

/* Not attached but as a legacy; and that is undone. */
static inline void expect_legacy(struct __test_metadata *_metadata,
				 struct pidtrack *tracker,
				 const struct pidtrack_record *record)
{
	struct pidtrack_process *process = NULL;
	struct pidtrack_comparison it = { 0 };

	EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker, record);
	EXPECT_EQ(-ENODATA, pidtrack_attach_record(tracker, record, 0, &process,
						   &it, sizeof(it)));
	EXPECT_NULL(process);
	EXPECT_EQ(PIDTRACK_VERDICT_UNPROVEN, it.verdict);
	it.verdict = 0;
	ASSERT_EQ(0, pidtrack_attach_record(tracker, record,
					    LEGACY | PIDTRACK_ATTACH_OBSERVE,
					    &process, &it, sizeof(it)));
	EXPECT_EQ(PIDTRACK_VERDICT_UNPROVEN, it.verdict);
	EXPECT_EQ(pidtrack_record_pid(record), pidtrack_process_pid(process));
	pidtrack_process_free(process);
}

/* What there is to compare of a native record. */
static inline uint32_t evidence_expected(void)
{
	return works(PIDTRACK_FEATURE_PIDFS) ? BOOT | INODE :
					       BOOT | PID | START;
}

/* Whether a process is found by its inode, whatever number it has here. */
static inline bool inode_leads_to_it(void)
{
	return works(PIDTRACK_FEATURE_PIDFS) &&
	       works(PIDTRACK_FEATURE_HANDLE_OPEN);
}

/* All kinds of records of one process, live when they are taken. */
struct records {
	struct pidtrack_record *native;
	struct pidtrack_record *fingerprint;
	struct pidtrack_record *boxlite;
	struct pidtrack_record *brood_box;
	struct pidtrack_record *other_exe;
	struct pidtrack_record *number;
	struct pidtrack_record *capability; /* and no start time */
};

/* The program of a shim, lent.  A launch returns a moment before it is that. */
static inline const char *exe_of_shim(struct __test_metadata *_metadata,
				      pid_t pid)
{
	static char exe[PATH_MAX], ours[PATH_MAX];
	char link[64];
	ssize_t n;

	ASSERT_GT(readlink("/proc/self/exe", ours, sizeof(ours) - 1), 0);
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	do {
		n = readlink(link, exe, sizeof(exe) - 1);
		ASSERT_GT(n, 0);
		exe[n] = '\0';
	} while (!strcmp(exe, ours));
	return exe;
}

static inline struct records records_of(struct __test_metadata *_metadata,
					struct pidtrack_process *process,
					const char *path)
{
	pid_t pid = pidtrack_process_pid(process);

	return (struct records){
		.native = record_at(_metadata, path),
		.fingerprint = record_of(_metadata, process),
		.boxlite = boxlite_record_of(_metadata, pid),
		.brood_box = record_of_text(_metadata, "%d\n%s", pid,
					    exe_of_shim(_metadata, pid)),
		.other_exe = record_of_text(_metadata, "%d\n/bin/x", pid),
		.number = record_of_text(_metadata, "%d\n", pid),
		.capability = record_of_text(_metadata,
					     "%d\n\nservices-mux-v1\n", pid),
	};
}

static inline void records_free(struct records *records)
{
	pidtrack_record_free(records->native);
	pidtrack_record_free(records->fingerprint);
	pidtrack_record_free(records->boxlite);
	pidtrack_record_free(records->brood_box);
	pidtrack_record_free(records->other_exe);
	pidtrack_record_free(records->number);
	pidtrack_record_free(records->capability);
}

/* What is known of it by number alone, as long as something has that. */
static inline void expect_weak_unproven(struct __test_metadata *_metadata,
					struct pidtrack *tracker,
					const struct records *records)
{
	EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker, records->brood_box);
	EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker, records->other_exe);
	EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker, records->number);
	EXPECT_VERDICT(PIDTRACK_VERDICT_UNPROVEN, tracker, records->capability);
}

static inline void expect_all(struct __test_metadata *_metadata,
			      struct pidtrack *tracker,
			      const struct records *records, uint32_t verdict)
{
	EXPECT_VERDICT(verdict, tracker, records->native);
	EXPECT_VERDICT(verdict, tracker, records->fingerprint);
	EXPECT_VERDICT(verdict, tracker, records->boxlite);
	EXPECT_VERDICT(verdict, tracker, records->brood_box);
	EXPECT_VERDICT(verdict, tracker, records->other_exe);
	EXPECT_VERDICT(verdict, tracker, records->number);
	EXPECT_VERDICT(verdict, tracker, records->capability);
}

/* ---- apart ---- */

/* In a process of its own: the harness could look at nothing after that. */
static inline void
apart(struct __test_metadata *_metadata,
      void (*run)(struct __test_metadata *_metadata, void *arg), void *arg)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		run(_metadata, arg);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

struct namespace_run {
	void (*run)(struct __test_metadata *_metadata, void *arg);
	void *arg;
};

/* Whose children are elsewhere; the test's own must not be, for LeakSanitizer.
 */
static inline void be_pid_namespace(struct __test_metadata *_metadata,
				    void *arg)
{
	const struct namespace_run *inside = arg;
	int status;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWPID))
		SKIP(return, "no pid namespace: %s", strerror(errno));
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNS) ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("proc", "/proc", "proc", 0, NULL))
			SKIP(_exit(0), "no /proc of our own: %s",
			     strerror(errno));
		inside->run(_metadata, inside->arg);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Whether pid_max is: Linux 6.14; before, it is the whole machine's. */
static inline bool pid_max_is_of_namespaces(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	sscanf(name.release, "%d.%d", &major, &minor);
	return major > 6 || (major == 6 && minor >= 14);
}

/* In a namespace of our own, where pid_max is of those: 300 and more for ever.
 */
static inline void have_numbers_below(struct __test_metadata *_metadata,
				      const char *pid_max)
{
	int fd = open("/proc/sys/kernel/pid_max", O_WRONLY | O_CLOEXEC);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(3, write(fd, pid_max, 3));
	close(fd);
}

/* Runs @run as pid 1 with a /proc of its own. */
static inline void
in_pid_namespace(struct __test_metadata *_metadata,
		 void (*run)(struct __test_metadata *_metadata, void *arg),
		 void *arg)
{
	struct namespace_run inside = { run, arg };

	apart(_metadata, be_pid_namespace, &inside);
}

/* Of a file with that text and time. */
static inline struct pidtrack_record *file_of(struct __test_metadata *_metadata,
					      const char *text, time_t modified)
{
	struct timespec times[2] = { { modified, 0 }, { modified, 0 } };
	const char *path = path_make(_metadata);
	struct pidtrack_record *record = NULL;
	int fd;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ASSERT_GE(fd, 0);
	ASSERT_EQ((ssize_t)strlen(text), write(fd, text, strlen(text)));
	ASSERT_EQ(0, futimens(fd, times));
	close(fd);
	ASSERT_EQ(0, pidtrack_record_read(path, &record));
	unlink(path);
	return record;
}

#endif
