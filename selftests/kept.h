/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Trackers with a directory of pins, hosts to be killed, and what is recovered
 * of them; on pidtrack.h alone.
 */
#ifndef KEPT_H
#define KEPT_H

#include "mounts.h"
#include "tracked.h"

#define KEEP PIDTRACK_SPAWN_KEEP

/* False, and the test skipped, where nothing may be pinned. */
static inline bool kept_room_make(struct __test_metadata *_metadata,
				  struct room *room)
{
	int r = pidtrack_feature_probe(PIDTRACK_FEATURE_PIN);
	const char *wanting = wants_proc();

	if (r < 0)
		SKIP(return false, "no pins here: %s", strerror(-r));
	if (wanting)
		SKIP(return false, "%s, to look for mounts", wanting);
	return room_make(_metadata, room);
}

/* A tracker with pins, or why there is none. */
static inline int kept_tracker_new(struct __test_metadata *_metadata,
				   const struct room *room, uint32_t flags,
				   struct pidtrack **ret_tracker)
{
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.flags = flags, .pins = room->pins);

	*ret_tracker = NULL;
	return pidtrack_new(&options, ret_tracker);
}

static inline struct pidtrack *kept_tracker(struct __test_metadata *_metadata,
					    const struct room *room)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);

	/* that skips where there is no such backend */
	pidtrack_free(tracker);
	ASSERT_EQ(0, kept_tracker_new(_metadata, room, 0, &tracker));
	return tracker;
}

/* Whether a mount is where that pin is to be. */
static inline bool is_pinned(const struct room *room, const char *name)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", room->pins, name);
	return mounts_at(path) == 1;
}

/* Launches one to be kept: 0, or why it is not, and at which stage. */
static inline int kept_spawn(struct pidtrack *tracker, int in,
			     const char *label, const char *const *argv,
			     struct pidtrack_process **ret_process,
			     uint32_t *reterr_stage)
{
	struct pidtrack_fd_map fds[] = { { .child_fd = 0, .fd = in } };
	struct pidtrack_spawn_options options =
		PIDTRACK_SPAWN_OPTIONS(.argv = argv, .flags = KEEP,
				       .label = label, .fds = fds, .n_fds = 1);
	int r;

	r = pidtrack_spawn(tracker, &options, ret_process, reterr_stage);
	harness_told(r, 0, "the launch");
	return r;
}

static inline struct pidtrack_process *
kept_start(struct __test_metadata *_metadata, struct pidtrack *tracker, int in,
	   const char *label, const char *const *argv)
{
	struct pidtrack_process *process = NULL;
	uint32_t stage = 0;

	ASSERT_EQ(0, kept_spawn(tracker, in, label, argv, &process, &stage))
	{
		TH_LOG("at stage %s", pidtrack_stage_name(stage));
	}
	return process;
}

/*
 * Of one that was freed.  Nothing is told of it, so there may be no more to
 * wait for once it is let go.
 */
static inline void await_let_go(struct __test_metadata *_metadata,
				struct pidtrack *tracker,
				const struct room *room, const char *name)
{
	for (;;) {
		ASSERT_NO_EVENT(tracker);
		if (!is_pinned(room, name))
			return;
		ASSERT_TRUE(tracker_await(tracker));
	}
}

/* ---- hosts that are killed ---- */

struct doomed {
	pid_t pid;
	int said; /* the pids of its shims, one after the other */
};

/*
 * A host, a child of ours, that launches what @launch does and then waits to be
 * killed.  What it says by @say are pids.
 */
static inline void
doomed_start(struct __test_metadata *_metadata, struct doomed *doomed,
	     const struct room *room,
	     void (*launch)(struct __test_metadata *_metadata,
			    struct pidtrack *tracker, int say, void *argument),
	     void *argument)
{
	struct pidtrack *tracker;
	int fds[2];

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	doomed->pid = fork();
	ASSERT_GE(doomed->pid, 0);
	if (!doomed->pid) {
		close(fds[0]);
		tracker = kept_tracker(_metadata, room);
		launch(_metadata, tracker, fds[1], argument);
		for (;;)
			pause();
	}
	close(fds[1]);
	doomed->said = fds[0];
}

static inline void doomed_say(struct __test_metadata *_metadata, int say,
			      const struct pidtrack_process *process)
{
	pid_t pid = pidtrack_process_pid(process);

	ASSERT_EQ(sizeof(pid), write(say, &pid, sizeof(pid)));
}

/* The pid of the next of its shims. */
static inline pid_t doomed_said(struct __test_metadata *_metadata,
				const struct doomed *doomed)
{
	pid_t pid = 0;

	ASSERT_EQ(sizeof(pid), read(doomed->said, &pid, sizeof(pid)));
	return pid;
}

/* Its shims are ours from then on: a test is a subreaper. */
static inline void doomed_kill(struct __test_metadata *_metadata,
			       struct doomed *doomed)
{
	int status = 0;

	ASSERT_EQ(0, kill(doomed->pid, SIGKILL));
	ASSERT_EQ(doomed->pid, waitpid(doomed->pid, &status, 0));
	EXPECT_EQ(SIGKILL, status);
	close(doomed->said);
}

/* ---- what is recovered ---- */

static inline struct pidtrack_recovery *
recover(struct __test_metadata *_metadata, struct pidtrack *tracker)
{
	struct pidtrack_recovery *recovery = NULL;

	ASSERT_EQ(0, pidtrack_recover(tracker, &recovery));
	return recovery;
}

/* Recovers exactly one, which is SAME or EXITED. */
static inline struct pidtrack_process *
recover_one(struct __test_metadata *_metadata, struct pidtrack *tracker,
	    const char *label, uint32_t verdict)
{
	struct pidtrack_recovery *recovery = recover(_metadata, tracker);
	const struct pidtrack_recovered *recovered = NULL;
	struct pidtrack_process *process;

	ASSERT_EQ(1, pidtrack_recovery_next(recovery, &recovered));
	ASSERT_EQ(0, recovered->error);
	process = recovered->process;
	ASSERT_TRUE(process != NULL);
	EXPECT_STREQ(label, recovered->label);
	EXPECT_STREQ(label, pidtrack_process_label(process));
	EXPECT_STREQ(pidtrack_verdict_name(verdict),
		     pidtrack_verdict_name(recovered->comparison->verdict));
	EXPECT_EQ(PIDTRACK_EVIDENCE_PIN, recovered->comparison->evidence);
	EXPECT_TRUE(recovered->comparison->reason != NULL);
	EXPECT_EQ(0, pidtrack_recovery_next(recovery, &recovered));
	pidtrack_recovery_free(recovery);
	return process;
}

/* Recovers exactly one, which cannot be tracked. */
static inline void expect_unrecovered(struct __test_metadata *_metadata,
				      struct pidtrack *tracker,
				      const char *name, int error)
{
	struct pidtrack_recovery *recovery = recover(_metadata, tracker);
	const struct pidtrack_recovered *recovered = NULL;

	ASSERT_EQ(1, pidtrack_recovery_next(recovery, &recovered));
	EXPECT_EQ(error, recovered->error);
	EXPECT_NULL(recovered->process);
	EXPECT_STREQ(name, recovered->name);
	EXPECT_EQ(PIDTRACK_VERDICT_UNPROVEN, recovered->comparison->verdict);
	EXPECT_EQ(0, recovered->comparison->evidence);
	EXPECT_TRUE(recovered->comparison->reason != NULL);
	EXPECT_EQ(0, pidtrack_recovery_next(recovery, &recovered));
	pidtrack_recovery_free(recovery);
}

static inline void expect_nothing_kept(struct __test_metadata *_metadata,
				       struct pidtrack *tracker)
{
	struct pidtrack_recovery *recovery = recover(_metadata, tracker);
	const struct pidtrack_recovered *recovered = NULL;

	EXPECT_EQ(0, pidtrack_recovery_next(recovery, &recovered));
	pidtrack_recovery_free(recovery);
}

/* Nothing is left: no mount, no directory.  What cannot be listed stays. */
static inline void expect_clean(struct __test_metadata *_metadata,
				const struct room *room)
{
	if (sandbox_refuses("lseek"))
		SKIP(return, "the sandbox has the library list no pins");
	EXPECT_EQ(1, mounts_at(room->path));
	EXPECT_FALSE(path_exists(room->pins));
}

#endif
