/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * What a test executes in its place: it resumes the handoff of descriptor FD,
 * says what it was told, one line each, and ends when it has told of all.
 *
 *	heir FD [thread] [again]	again: hands over to itself first, once
 *
 * with the pins of PIDTRACK_TEST_PINS, if that is set.
 *
 *	resumed -ERRNO			and nothing else, if that failed
 *	recovered LABEL VERDICT EVIDENCE ERROR STATE
 *	payload BYTES			of the process above
 *	status LABEL STATUS SOURCE	likewise, if it was told before
 *	event LABEL KIND STATUS SOURCE FLAGS
 *	left FDS CHILDREN		beside 0, 1 and 2
 */
#include <errno.h>
#include <fcntl.h>
#include <pidtrack.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL_MAX 1024

static struct pidtrack_process *all[ALL_MAX];
static int n;

static const char *label_of(const char *label)
{
	return label ? label : "-";
}

static void say_recovered(const struct pidtrack_recovered *recovered)
{
	const struct pidtrack_comparison *comparison = recovered->comparison;
	struct pidtrack_process *process = recovered->process;

	printf("recovered %s %s %s %d %s\n", label_of(recovered->label),
	       pidtrack_verdict_name(comparison->verdict),
	       comparison->evidence & PIDTRACK_EVIDENCE_PIN ? "pin" : "other",
	       recovered->error,
	       process ? pidtrack_state_name(
				 (uint32_t)pidtrack_process_state(process)) :
			 "-");
}

/* Whether nothing will be told of it any more. */
static bool is_over(struct pidtrack_process *process)
{
	int status, r = pidtrack_process_status(process, &status);

	if (r > 0)
		printf("status %s %#x %s\n",
		       label_of(pidtrack_process_label(process)), status,
		       pidtrack_source_name((uint32_t)r));
	return pidtrack_process_state(process) == PIDTRACK_STATE_REAPED;
}

static void say_payload(const struct pidtrack_recovered *recovered)
{
	size_t size;
	const char *payload =
		pidtrack_process_payload(recovered->process, &size);

	if (size > 0 && size == recovered->payload_size &&
	    !memcmp(payload, recovered->payload, size))
		printf("payload %.*s\n", (int)size, payload);
}

static void take_recovered(struct pidtrack_recovery *recovery)
{
	const struct pidtrack_recovered *recovered;

	while (pidtrack_recovery_next(recovery, &recovered) > 0) {
		say_recovered(recovered);
		if (recovered->process)
			say_payload(recovered);
		if (recovered->process && !is_over(recovered->process))
			all[n++] = recovered->process;
	}
	pidtrack_recovery_free(recovery);
	fflush(stdout);
}

static void hand_over(struct pidtrack *tracker, char **argv)
{
	char number[16];
	int fd, r;

	r = pidtrack_handoff_prepare(tracker, &fd);
	if (r < 0) {
		printf("prepared %d\n", r);
		exit(1);
	}
	snprintf(number, sizeof(number), "%d", fd);
	execl("/proc/self/exe", argv[0], number, (char *)NULL);
	exit(1);
}

static void take_events(struct pidtrack *tracker)
{
	const struct pidtrack_event *event;
	int left = n;

	while (left > 0 && pidtrack_wait(tracker, 20000, &event) > 0) {
		printf("event %s %s %#x %s%s\n",
		       label_of(pidtrack_process_label(event->process)),
		       pidtrack_event_name(event->kind),
		       (unsigned int)event->status,
		       pidtrack_source_name(event->source),
		       event->flags & PIDTRACK_EVENT_LAST ? " last" : "");
		fflush(stdout);
		left -= event->flags & PIDTRACK_EVENT_LAST ? 1 : 0;
	}
	if (left > 0)
		printf("missing %d\n", left);
	pidtrack_next(tracker, &event);
}

static void say_left(void)
{
	int fds = 0, children = 0;

	for (int fd = 3; fd < 1024; fd++)
		fds += fcntl(fd, F_GETFD) >= 0;
	while (waitpid(-1, NULL, WNOHANG) >= 0)
		children++;
	printf("left %d %d\n", fds, children);
}

int main(int argc, char **argv)
{
	bool thread = argc > 2 && !strcmp(argv[2], "thread");
	bool again = argc > 2 && !strcmp(argv[argc - 1], "again");
	struct pidtrack_options options =
		PIDTRACK_OPTIONS(.flags = thread ? PIDTRACK_THREAD : 0,
				 .pins = getenv("PIDTRACK_TEST_PINS"));
	struct pidtrack_recovery *recovery;
	struct pidtrack *tracker;
	int r;

	if (argc < 2 || pidtrack_new(&options, &tracker) < 0)
		return 1;
	r = pidtrack_handoff_resume(tracker, atoi(argv[1]), &recovery);
	if (r < 0) {
		printf("resumed %d\n", r);
		return 1;
	}
	if (again) {
		pidtrack_recovery_free(recovery);
		hand_over(tracker, argv);
	}
	take_recovered(recovery);
	take_events(tracker);
	pidtrack_free(tracker);
	say_left();
	return 0;
}
