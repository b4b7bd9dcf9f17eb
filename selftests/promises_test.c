/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What holds in any sandbox: a call may be refused, and says so, but no event
 * is lost, no stranger is signalled, no foreign child is reaped, no zombie
 * left. Where there is no tracker at all, it skips; for nothing else that is
 * refused, as tests of what works do.
 */
#include "tracked.h"
#include "verified.h"

enum { SHIMS = 24, FOREIGN = 6 };

struct life {
	struct pidtrack_process *process; /* NULL: not launched, or done */
	pid_t pid;
	int code;
	bool stolen;
	bool told;
};

struct world {
	struct pidtrack *tracker;
	struct life lives[SHIMS];
	int told_by;  /* the errno of a call that says it goes on no more */
	int given_up; /* of whom nothing was told, for that */
	pid_t live[FOREIGN], dead[FOREIGN];
	int gate[2]; /* the foreign ones end with it */
	bool known;  /* to the kernel: the status of those who are stolen */
	/* what must stay 0; lost are statuses, too, that are known */
	int lost, signalled, reaped, zombies;
	int n_launched, n_refused, n_told;
};

/* Children of the host's own: half of them live, half are zombies. */
static void bystanders_begin(struct __test_metadata *_metadata,
			     struct world *world)
{
	siginfo_t info;
	char byte;
	int i;

	ASSERT_EQ(0, pipe2(world->gate, O_CLOEXEC));
	for (i = 0; i < FOREIGN; i++) {
		world->live[i] = fork();
		if (!world->live[i]) {
			close(world->gate[1]);
			while (read(world->gate[0], &byte, 1) > 0)
				;
			_exit(40 + i);
		}
		world->dead[i] = fork();
		if (!world->dead[i])
			_exit(50 + i);
		ASSERT_TRUE(world->live[i] > 0 && world->dead[i] > 0);
		ASSERT_EQ(0, waitid(P_PID, world->dead[i], &info,
				    WEXITED | WNOWAIT));
	}
}

static void bystanders_end(struct world *world)
{
	int i, status;

	for (i = 0; i < FOREIGN; i++)
		if (waitpid(world->live[i], &status, WNOHANG) != 0)
			world->signalled++;
	close(world->gate[0]);
	close(world->gate[1]);
	for (i = 0; i < FOREIGN; i++) {
		if (waitpid(world->dead[i], &status, 0) != world->dead[i] ||
		    status != (50 + i) << 8)
			world->reaped++;
		if (waitpid(world->live[i], &status, 0) != world->live[i])
			world->reaped++;
		else if (status != (40 + i) << 8)
			world->signalled++;
	}
}

static bool is_all_there(void)
{
	return !getenv("PIDTRACK_TEST_SANDBOX") &&
	       !pidtrack_feature_probe(PIDTRACK_FEATURE_PIDFS);
}

/* For what it is; in a sandbox, or before Linux 6.9, maybe for another reason.
 */
#define EXPECT_REFUSED(error, seen)                 \
	do {                                        \
		int seen_ = (seen);                 \
		EXPECT_LT(seen_, 0);                \
		if (is_all_there())                 \
			EXPECT_EQ(-(error), seen_); \
	} while (0)

static bool world_begin(struct __test_metadata *_metadata, struct world *world)
{
	const char *backend = getenv("PIDTRACK_BACKEND");
	int r;

	memset(world, 0, sizeof(*world));
	world->known = works(PIDTRACK_FEATURE_EXIT_INFO);
	r = pidtrack_new(NULL, &world->tracker);
	if (r < 0) {
		EXPECT_NULL(world->tracker);
		EXPECT_GT(r, -134);
		EXPECT_FALSE(child_is_any());
		SKIP(, "no tracker%s%s: %s", backend ? " on " : "",
		     backend ? backend : "", strerror(-r));
		return false;
	}
	bystanders_begin(_metadata, world);
	return true;
}

/* Shims that wait at @gate, as far as they are to be had. */
static void launch_all(struct __test_metadata *_metadata, struct world *world,
		       const struct gate *gate)
{
	struct pidtrack_fd_map fds[] = { { .child_fd = 0, .fd = gate->shim } };
	int i;

	for (i = 0; i < SHIMS; i++) {
		struct life *life = &world->lives[i];
		char code[12];
		struct pidtrack_spawn_options options =
			PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("wait", "exit",
							    code),
					       .fds = fds, .n_fds = 1);
		int r;

		life->code = i + 1;
		snprintf(code, sizeof(code), "%d", life->code);
		r = pidtrack_spawn(world->tracker, &options, &life->process,
				   NULL);
		if (r < 0) {
			EXPECT_NULL(life->process);
			world->n_refused++;
			continue;
		}
		world->n_launched++;
		life->pid = pidtrack_process_pid(life->process);
	}
}

static int still_out(const struct world *world)
{
	int i, n = 0;

	for (i = 0; i < SHIMS; i++)
		n += world->lives[i].pid && !world->lives[i].told;
	return n;
}

static void take(struct __test_metadata *_metadata, struct world *world,
		 const struct pidtrack_event *event, int expected)
{
	int i;

	for (i = 0; i < SHIMS; i++) {
		struct life *life = &world->lives[i];

		if (life->process != event->process ||
		    !(event->flags & PIDTRACK_EVENT_LAST))
			continue;
		EXPECT_FALSE(life->told);
		life->told = true;
		world->n_told++;
		if (!life->stolen)
			EXPECT_EQ(PIDTRACK_SOURCE_WAITED, event->source);
		if (event->source != PIDTRACK_SOURCE_UNKNOWN) {
			EXPECT_EQ(expected ? expected : life->code << 8,
				  event->status);
			continue;
		}
		EXPECT_EQ(-1, event->status);
		world->lost += world->known;
	}
}

/* Where one cannot wait, by asking again and again. */
static int next_event(struct pidtrack *tracker,
		      const struct pidtrack_event **ret_event)
{
	int r = pidtrack_wait(tracker, 1000, ret_event);

	if (r >= 0 || r == -EINTR)
		return r;
	sched_yield();
	return pidtrack_next(tracker, ret_event);
}

/* Until each end is told, or a call says why that cannot be. */
static void hear_all(struct __test_metadata *_metadata, struct world *world,
		     int expected)
{
	const struct pidtrack_event *event;
	int64_t until = now_ms() + awhile_ms();
	int i, r;

	while (still_out(world) && !world->told_by && now_ms() < until) {
		r = next_event(world->tracker, &event);
		if (r == 1)
			take(_metadata, world, event, expected);
		else if (r < 0 && r != -EINTR)
			world->told_by = r;
	}
	*(world->told_by ? &world->given_up : &world->lost) += still_out(world);
	r = pidtrack_next(world->tracker, &event);
	EXPECT_LE(r, 0);
	for (i = 0; i < SHIMS; i++)
		if (world->lives[i].told &&
		    waitpid(world->lives[i].pid, NULL, WNOHANG) > 0)
			world->zombies++;
}

static void world_end(struct __test_metadata *_metadata, struct world *world)
{
	int i;

	pidtrack_free(world->tracker);
	bystanders_end(world);
	/* whom nobody could tell of is the host's again */
	for (i = 0; i < SHIMS; i++)
		if (world->lives[i].pid && !world->lives[i].told)
			waitpid(world->lives[i].pid, NULL, 0);
	TH_LOG("launched %d, refused %d, told %d%s%s, given up %d, lost %d, "
	       "strangers signalled %d, foreign reaped %d, zombies %d",
	       world->n_launched, world->n_refused, world->n_told,
	       world->told_by ? ", ended by " : "",
	       world->told_by ? strerror(-world->told_by) : "", world->given_up,
	       world->lost, world->signalled, world->reaped, world->zombies);
	EXPECT_EQ(0, world->lost);
	EXPECT_EQ(0, world->signalled);
	EXPECT_EQ(0, world->reaped);
	EXPECT_EQ(0, world->zombies);
}

TEST(every_end_is_told_once_and_truly)
{
	struct world world;
	struct gate gate;

	if (!world_begin(_metadata, &world))
		return;
	gate = gate_make(_metadata);
	launch_all(_metadata, &world, &gate);
	gate_open(&gate);
	hear_all(_metadata, &world, 0);
	world_end(_metadata, &world);
}

TEST(also_of_those_who_are_stolen)
{
	struct world world;
	struct gate gate;
	int i, status;

	if (!world_begin(_metadata, &world))
		return;
	gate = gate_make(_metadata);
	launch_all(_metadata, &world, &gate);
	gate_open(&gate);
	for (i = 0; i < SHIMS; i += 2) {
		world.lives[i].stolen = true;
		if (world.lives[i].pid)
			EXPECT_EQ(world.lives[i].pid,
				  waitpid(world.lives[i].pid, &status, 0));
	}
	hear_all(_metadata, &world, 0);
	world_end(_metadata, &world);
}

/* By a ladder; or where that is refused, the shims end by themselves. */
TEST(who_is_stopped_ends_and_nobody_else)
{
	static const struct pidtrack_stop_step kill_at_once = { SIGKILL, 0 };
	struct pidtrack_stop_options options =
		PIDTRACK_STOP_OPTIONS(.steps = &kill_at_once, .n_steps = 1);
	struct world world;
	struct gate gate;
	int i, r, refused = 0;

	if (!world_begin(_metadata, &world))
		return;
	gate = gate_make(_metadata);
	launch_all(_metadata, &world, &gate);
	for (i = 0; i < SHIMS; i++) {
		if (!world.lives[i].process)
			continue;
		r = pidtrack_process_stop(world.lives[i].process, &options);
		EXPECT_LE(r, 0);
		refused += r < 0;
	}
	if (refused) {
		/* killed or not: who was not has his own code */
		EXPECT_EQ(world.n_launched, refused);
		gate_open(&gate);
		hear_all(_metadata, &world, 0);
	} else {
		hear_all(_metadata, &world, SIGKILL);
		gate_open(&gate);
	}
	world_end(_metadata, &world);
}

/* As an older host of boxlite's may have noted it, before the number's reuse.
 */
TEST(a_stranger_is_never_attached_for_another)
{
	struct pidtrack_process *process = NULL;
	struct pidtrack_record *record = NULL;
	struct pidtrack_comparison it = { 0 };
	struct world world;
	char text[64];
	int i, n;

	if (!world_begin(_metadata, &world))
		return;
	for (i = 0; i < FOREIGN; i++) {
		n = snprintf(text, sizeof(text), "%d\n%llu\n", world.live[i],
			     start_of(world.live[i]) + 1);
		if (pidtrack_record_parse(text, n, &record))
			continue;
		EXPECT_REFUSED(ESTALE,
			       pidtrack_attach_record(world.tracker, record, 0,
						      &process, NULL, 0));
		EXPECT_NULL(process);
		if (!pidtrack_verify(world.tracker, record, &it, sizeof(it)))
			EXPECT_TRUE(it.verdict != PIDTRACK_VERDICT_SAME &&
				    it.verdict != PIDTRACK_VERDICT_EXITED);
		record = pidtrack_record_free(record);
		/* an inode that is nobody's */
		EXPECT_REFUSED(ESTALE,
			       pidtrack_attach(world.tracker, world.live[i],
					       UINT64_MAX, 0, &process));
	}
	world_end(_metadata, &world);
}

TEST(a_live_one_is_never_called_gone)
{
	struct pidtrack_record *record;
	struct pidtrack_comparison it = { 0 };
	char text[PIDTRACK_FINGERPRINT_MAX];
	struct world world;
	struct gate gate;
	int i, n, same = 0;

	if (!world_begin(_metadata, &world))
		return;
	gate = gate_make(_metadata);
	launch_all(_metadata, &world, &gate);
	for (i = 0; i < SHIMS; i++) {
		if (!world.lives[i].process)
			continue;
		n = pidtrack_process_fingerprint(world.lives[i].process, text,
						 sizeof(text));
		record = NULL;
		it = (struct pidtrack_comparison){ 0 };
		if (n <= 0 || pidtrack_record_parse(text, n, &record))
			continue;
		if (!pidtrack_verify(world.tracker, record, &it, sizeof(it)))
			EXPECT_TRUE(it.verdict == PIDTRACK_VERDICT_SAME ||
				    it.verdict == PIDTRACK_VERDICT_UNPROVEN)
			{
				TH_LOG("%s", pidtrack_verdict_name(it.verdict));
			}
		same += it.verdict == PIDTRACK_VERDICT_SAME;
		pidtrack_record_free(record);
	}
	if (is_all_there())
		EXPECT_EQ(SHIMS, same);
	gate_open(&gate);
	hear_all(_metadata, &world, 0);
	world_end(_metadata, &world);
}

/* What was not launched did not run, and is not there. */
TEST(a_launch_that_fails_leaves_nobody)
{
	struct pidtrack_process *process = NULL;
	struct pidtrack_spawn_options nobody =
		PIDTRACK_SPAWN_OPTIONS(.argv = SHIM("exit", "1"),
				       .program = "/is/not/there");
	struct world world;
	int i;

	if (!world_begin(_metadata, &world))
		return;
	for (i = 0; i < SHIMS; i++) {
		EXPECT_REFUSED(ENOENT, pidtrack_spawn(world.tracker, &nobody,
						      &process, NULL));
		EXPECT_NULL(process);
		world.n_refused++;
	}
	world_end(_metadata, &world);
}

TEST_HARNESS_MAIN
