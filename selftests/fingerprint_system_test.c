/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What live and ended processes are known by, and that no other is ever taken
 * for one of them, not even one that has its number.
 */
#include <sys/time.h>

#include "tracked.h"

struct text {
	char text[PIDTRACK_FINGERPRINT_MAX];
};

static struct text fingerprint(struct __test_metadata *_metadata,
			       struct pidtrack_process *process)
{
	struct text text;
	int size = pidtrack_process_fingerprint(process, text.text,
						sizeof(text.text));

	ASSERT_GT(size, 0);
	ASSERT_EQ((size_t)size, strlen(text.text));
	return text;
}

static struct pidtrack_comparison compare(struct __test_metadata *_metadata,
					  struct pidtrack_process *process,
					  const struct text *text)
{
	struct pidtrack_comparison comparison = { 0 };

	ASSERT_EQ(0, pidtrack_process_compare(process, text->text, &comparison,
					      sizeof(comparison)));
	ASSERT_TRUE(comparison.reason != NULL);
	EXPECT_GT(strlen(comparison.reason), 0);
	EXPECT_STRNE("unknown", pidtrack_verdict_name(comparison.verdict));
	return comparison;
}

#define EXPECT_VERDICT(verdict_, process, text_)      \
	EXPECT_STREQ(pidtrack_verdict_name(verdict_), \
		     pidtrack_verdict_name(           \
			     compare(_metadata, process, text_).verdict))

/* What is compared at least where all is there. */
static uint32_t evidence_expected(void)
{
	if (works(PIDTRACK_FEATURE_PIDFS))
		return PIDTRACK_EVIDENCE_BOOT | PIDTRACK_EVIDENCE_INODE;
	return PIDTRACK_EVIDENCE_BOOT | PIDTRACK_EVIDENCE_PID |
	       PIDTRACK_EVIDENCE_START;
}

/* ---- the text ---- */

TEST(a_fingerprint_is_one_printable_word)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	struct text text;
	const char *c;

	process = shim_start_at(_metadata, tracker, &gate, 0);
	text = fingerprint(_metadata, process);
	for (c = text.text; *c; c++)
		EXPECT_TRUE(*c > ' ' && *c < 0x7f && !strchr("\"'\\`", *c));
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 0);
	pidtrack_free(tracker);
}

TEST(a_fingerprint_needs_room_for_it_and_a_nul)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	char small[PIDTRACK_FINGERPRINT_MAX + 1];
	struct text text;
	size_t size, i;

	process = shim_start_at(_metadata, tracker, &gate, 0);
	text = fingerprint(_metadata, process);
	size = strlen(text.text);
	for (i = 0; i <= size; i++) {
		memset(small, 0x7f, sizeof(small));
		ASSERT_EQ(-ENOBUFS,
			  pidtrack_process_fingerprint(process, small, i));
		ASSERT_EQ(0x7f, small[0]);
		ASSERT_EQ(0x7f, small[i]);
	}
	EXPECT_EQ((int)size,
		  pidtrack_process_fingerprint(process, small, size + 1));
	EXPECT_STREQ(text.text, small);
	EXPECT_EQ(-ENOBUFS, pidtrack_process_fingerprint(process, NULL, 0));
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 0);
	pidtrack_free(tracker);
}

/* ---- the same process ---- */

/* Without the hint, which a zombie has no more and an exec changes. */
static struct text essence(struct text text)
{
	char *hint = strstr(text.text, ",exe=");

	if (hint)
		*hint = '\0';
	return text;
}

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
	(void)signal;
	signals++;
}

/* A host that is told of all kinds of things by signals. */
TEST_WANTS(a_signal_amid_a_comparison_is_no_answer, boot_id)
{
	const struct sigaction action = { .sa_handler = count_signal };
	const struct timeval often = { .tv_usec = 1000 };
	const struct itimerval begin = { often, often }, end = { 0 };
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	struct text live;

	process = shim_start_at(_metadata, tracker, &gate, 0);
	live = fingerprint(_metadata, process);
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &begin, NULL));
	while (signals < 500) /* one in twenty comes in ppoll(2) */
		EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, process, &live);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &end, NULL));
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 0);
	pidtrack_free(tracker);
}

TEST_WANTS(a_shims_fingerprint_is_the_same_in_life_and_death, boot_id)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	struct text live;

	process = shim_start_at(_metadata, tracker, &gate, 0);
	live = fingerprint(_metadata, process);
	EXPECT_STREQ(live.text, fingerprint(_metadata, process).text);
	EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, process, &live);
	gate_open(&gate);
	process_await_exit(process);
	EXPECT_STREQ(live.text, fingerprint(_metadata, process).text);
	EXPECT_VERDICT(PIDTRACK_VERDICT_EXITED, process, &live);
	ASSERT_EXITED(tracker, process, 0);
	EXPECT_STREQ(live.text, fingerprint(_metadata, process).text);
	EXPECT_VERDICT(PIDTRACK_VERDICT_EXITED, process, &live);
	ASSERT_NO_EVENT(tracker);
	EXPECT_STREQ(live.text, fingerprint(_metadata, process).text);
	EXPECT_NE(PIDTRACK_VERDICT_SAME,
		  compare(_metadata, process, &live).verdict);
	pidtrack_free(tracker);
}

TEST_WANTS(a_zombie_has_the_fingerprint_it_had_alive, boot_id)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *alive, *zombie;
	struct text text;
	struct child child;

	ASSERT_EQ(0, child_start(&child));
	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0,
				     PIDTRACK_ATTACH_OBSERVE, &alive));
	text = fingerprint(_metadata, alive);
	ASSERT_EQ(0, child_exit(&child, 0));
	ASSERT_EQ(0, child_await_exit(&child));
	ASSERT_EQ(0, pidtrack_attach(tracker, child.pid, 0,
				     PIDTRACK_ATTACH_OBSERVE, &zombie));
	EXPECT_STREQ(essence(text).text,
		     essence(fingerprint(_metadata, zombie)).text);
	EXPECT_VERDICT(PIDTRACK_VERDICT_EXITED, zombie, &text);
	EXPECT_VERDICT(PIDTRACK_VERDICT_EXITED, alive, &text);
	ASSERT_EQ(0, child_reap(&child));
	child_close(&child);
	pidtrack_free(tracker);
}

/* Taken and compared by anybody who sees it. */
TEST_WANTS(a_process_has_one_fingerprint_whoever_takes_it, boot_id)
{
	struct pidtrack *one = tracker_start(_metadata, 0);
	struct pidtrack *other = tracker_start(_metadata, 0);
	struct pidtrack_process *process, *again;
	struct foreign foreign;
	struct text text;

	ASSERT_EQ(0, foreign_start(&foreign));
	ASSERT_EQ(0, pidtrack_attach(one, foreign.child.pid, 0, 0, &process));
	ASSERT_EQ(0,
		  pidtrack_attach_pidfd(other, foreign.child.pidfd, 0, &again));
	text = fingerprint(_metadata, process);
	EXPECT_STREQ(text.text, fingerprint(_metadata, again).text);
	EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, again, &text);
	ASSERT_EQ(0, child_exit(&foreign.child, 0));
	ASSERT_EQ(0, child_await_exit(&foreign.child));
	EXPECT_VERDICT(PIDTRACK_VERDICT_EXITED, again, &text);
	ASSERT_EQ(0, foreign_reap(&foreign));
	EXPECT_NE(PIDTRACK_VERDICT_SAME,
		  compare(_metadata, again, &text).verdict);
	foreign_end(&foreign);
	pidtrack_free(one);
	pidtrack_free(other);
}

/* Executing changes a program, not a process. */
TEST_WANTS(a_fingerprint_outlives_an_exec, boot_id)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct gate go = gate_make(_metadata);
	struct pidtrack_process *process;
	char path[64], target[4096];
	struct text before;
	char byte;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (read(go.shim, &byte, 1) != 1)
			_exit(1);
		dup2(gate.shim, 0);
		execl(shim_path(), shim_path(), "wait", NULL);
		_exit(2);
	}
	ASSERT_EQ(0, pidtrack_attach(tracker, pid, 0, 0, &process));
	before = fingerprint(_metadata, process);
	ASSERT_EQ(1, write(go.host, "", 1));
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	for (;;) {
		ssize_t n = readlink(path, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0'; /* none for a moment */
		if (n > 7 && !strcmp(target + n - 7, "pt-shim"))
			break;
		sched_yield();
	}
	EXPECT_VERDICT(PIDTRACK_VERDICT_SAME, process, &before);
	gate_open(&gate);
	gate_open(&go);
	ASSERT_EXITED(tracker, process, 0);
	pidtrack_free(tracker);
}

TEST_WANTS(the_evidence_is_the_best_there_is, boot_id)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_comparison comparison;
	struct pidtrack_process *process;
	uint32_t expected = evidence_expected(), verdict = 4711;
	struct text text;
	int i;

	process = shim_start_at(_metadata, tracker, &gate, 0);
	text = fingerprint(_metadata, process);
	comparison = compare(_metadata, process, &text);
	EXPECT_EQ(PIDTRACK_VERDICT_SAME, comparison.verdict);
	EXPECT_EQ(expected, comparison.evidence & expected);
	for (i = 0; i < 32; i++)
		if (comparison.evidence & 1U << i)
			EXPECT_STRNE("unknown",
				     pidtrack_evidence_name(1U << i));

	/* a caller that knows less of the struct */
	ASSERT_EQ(0, pidtrack_process_compare(
			     process, text.text,
			     (struct pidtrack_comparison *)(void *)&verdict,
			     sizeof(verdict)));
	EXPECT_EQ(PIDTRACK_VERDICT_SAME, verdict);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 0);
	pidtrack_free(tracker);
}

TEST(taken_after_its_end_was_acknowledged_it_never_lies)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct pidtrack_process *process;
	struct text text;
	int r;

	process = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
			     SHIM("exit", "0"));
	ASSERT_EXITED(tracker, process, 0);
	ASSERT_NO_EVENT(tracker);
	r = pidtrack_process_fingerprint(process, text.text, sizeof(text.text));
	if (works(PIDTRACK_FEATURE_PIDFS))
		EXPECT_GT(r, 0);
	if (r > 0)
		EXPECT_NE(PIDTRACK_VERDICT_SAME,
			  compare(_metadata, process, &text).verdict);
	pidtrack_free(tracker);
}

/* ---- another process ---- */

TEST_WANTS(another_process_is_never_the_same, boot_id)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *processes[4];
	struct text texts[4];
	uint32_t verdict;
	int i, j;

	for (i = 0; i < 3; i++)
		processes[i] = shim_start_at(_metadata, tracker, &gate, 0);
	ASSERT_EQ(0, pidtrack_attach(tracker, getppid(), 0, 0, &processes[3]));
	for (i = 0; i < 4; i++)
		texts[i] = fingerprint(_metadata, processes[i]);
	for (i = 0; i < 4; i++) {
		for (j = 0; j < 4; j++) {
			verdict = compare(_metadata, processes[i], &texts[j])
					  .verdict;
			if (i == j)
				EXPECT_EQ(PIDTRACK_VERDICT_SAME, verdict);
			else /* says nothing of where it is now */
				EXPECT_EQ(PIDTRACK_VERDICT_UNPROVEN, verdict);
		}
	}
	gate_open(&gate);
	for (i = 0; i < 3; i++) {
		const struct pidtrack_event *event;

		ASSERT_EQ(1, pidtrack_wait(tracker, awhile_ms(), &event));
	}
	ASSERT_NO_EVENT(tracker);
	pidtrack_free(tracker);
}

/* A child with that very number, by CLONE_ARGS' set_tid, Linux 5.5. */
static pid_t start_as(pid_t number, const struct gate *gate)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal,
			stack, stack_size, tls, set_tid, set_tid_size;
	} args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&number,
		.set_tid_size = 1,
	};
	pid_t pid = (pid_t)syscall(435 /* clone3 */, &args, sizeof(args));
	char byte;

	if (!pid) {
		close(gate->host);
		syscall(SYS_read, gate->shim, &byte, 1);
		syscall(SYS_exit_group, 0);
	}
	return pid < 0 ? -errno : pid;
}

/* Later by a tick, so that a start time alone can tell. */
static void next_tick(void)
{
	struct timespec now;
	long tick;

	clock_gettime(CLOCK_BOOTTIME, &now);
	tick = now.tv_nsec / 10000000;
	while (now.tv_nsec / 10000000 == tick)
		clock_gettime(CLOCK_BOOTTIME, &now);
}

/* @later: in another tick; without pidfs nothing else tells them apart. */
static void check_number_in_other_hands(struct __test_metadata *_metadata,
					bool later)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *old, *new;
	struct text text;
	int i;

	for (i = 0; i < 20; i++) {
		pid_t number, pid;

		old = shim_start(_metadata, tracker, PIDTRACK_FD_NULL,
				 SHIM("exit", "0"));
		number = pidtrack_process_pid(old);
		text = fingerprint(_metadata, old);
		ASSERT_EXITED(tracker, old, 0);
		ASSERT_NO_EVENT(tracker);
		if (later)
			next_tick();
		pid = start_as(number, &gate);
		if (pid == -EEXIST)
			continue; /* somebody else has it already */
		if (pid < 0) {
			gate_open(&gate);
			pidtrack_free(tracker);
			SKIP(return, "no pid can be chosen: %s",
				   strerror(-pid));
		}
		ASSERT_EQ(number, pid);
		ASSERT_EQ(0, pidtrack_attach(tracker, pid, 0, 0, &new));
		EXPECT_VERDICT(PIDTRACK_VERDICT_REUSED, new, &text);
		EXPECT_STRNE(text.text, fingerprint(_metadata, new).text);
		/* nor is the new one taken for the old */
		text = fingerprint(_metadata, new);
		EXPECT_NE(PIDTRACK_VERDICT_SAME,
			  compare(_metadata, old, &text).verdict);
		EXPECT_NE(PIDTRACK_VERDICT_EXITED,
			  compare(_metadata, old, &text).verdict);
		ASSERT_EQ(0, pidtrack_process_signal(new, SIGKILL));
		ASSERT_EXITED(tracker, new, SIGKILL);
		EXPECT_VERDICT(PIDTRACK_VERDICT_EXITED, new, &text);
	}
	ASSERT_NO_EVENT(tracker);
	gate_open(&gate);
	pidtrack_free(tracker);
}

TEST_WANTS(a_process_that_got_the_number_is_told_from_the_one_that_had_it,
	   boot_id)
{
	check_number_in_other_hands(_metadata, true);
}

TEST_WANTS(so_it_is_when_both_started_within_a_tick, boot_id)
{
	if (!works(PIDTRACK_FEATURE_PIDFS))
		SKIP(return, "no pidfs, Linux < 6.9");
	check_number_in_other_hands(_metadata, false);
}

/* ---- another boot ---- */

/* With or without its dashes; the text has it one way. */
static char *find_boot_id(char *text)
{
	char id[64] = "", bare[64], *to = bare;
	const char *from;
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char *found;

	if (fd < 0)
		return NULL;
	if (read(fd, id, sizeof(id) - 1) < 0)
		id[0] = '\0';
	close(fd);
	id[strcspn(id, "\n")] = '\0';
	for (from = id; *from; from++)
		if (*from != '-')
			*to++ = *from;
	*to = '\0';
	found = strstr(text, id);
	return found || !id[0] ? found : strstr(text, bare);
}

TEST_WANTS(one_of_another_boot_is_told_so, boot_id)
{
	struct pidtrack *tracker = tracker_start(_metadata, 0);
	struct gate gate = gate_make(_metadata);
	struct pidtrack_process *process;
	struct pidtrack_comparison comparison;
	struct text text;
	char *id;

	process = shim_start_at(_metadata, tracker, &gate, 0);
	text = fingerprint(_metadata, process);
	id = find_boot_id(text.text);
	ASSERT_TRUE(id != NULL);
	*id = *id == '0' ? '1' : '0';
	comparison = compare(_metadata, process, &text);
	EXPECT_STREQ(pidtrack_verdict_name(PIDTRACK_VERDICT_OTHER_BOOT),
		     pidtrack_verdict_name(comparison.verdict));
	EXPECT_TRUE(comparison.evidence & PIDTRACK_EVIDENCE_BOOT);
	gate_open(&gate);
	ASSERT_EXITED(tracker, process, 0);
	pidtrack_free(tracker);
}

TEST_HARNESS_MAIN
