/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "process_name.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "complain.h"
#include "format.h"
#include "number.h"
#include "proc.h"

#define DIGITS "0123456789"

/* What begins as a number does was meant as one, unless there is a file. */
bool process_name_is_file(const char *text)
{
	if (strchr(text, '/'))
		return true;
	if (text[strspn(text, DIGITS ":")] == 0)
		return false;
	return !strchr(DIGITS "+- ", text[0]) || access(text, F_OK) == 0;
}

static int complain_of_number(const char *text)
{
	return complain_usage(
		"'%s' is no process: it is named by " PROCESS_NAME_KINDS
		", PID from 1 to %d",
		text, INT_MAX);
}

int process_name_parse(const char *text, struct process_name *ret_name)
{
	struct process_name name = { 0 };
	size_t n = strcspn(text, ":");
	uint64_t pid;

	if (process_name_is_file(text)) {
		name.record = text;
		*ret_name = name;
		return 0;
	}
	if (!number_parse(text, n, 10, INT_MAX, &pid) || pid == 0)
		return complain_of_number(text);

	name.pid = (pid_t)pid;
	if (text[n] && (!number_parse(text + n + 1, strlen(text + n + 1), 10,
				      UINT64_MAX, &name.inode) ||
			name.inode == 0))
		return complain_usage("'%s' is no process: the INODE of "
				      "PID:INODE is a number from 1 to "
				      "%" PRIu64,
				      text, UINT64_MAX);
	*ret_name = name;
	return 0;
}

/* The number that is called @key in a fingerprint; 0 if there is none. */
static uint64_t number_of(const char *fingerprint, const char *key,
			  uint64_t most)
{
	const char *field = fingerprint + strcspn(fingerprint, ":");
	size_t n = strlen(key);
	uint64_t number = 0;

	for (; *field; field += strcspn(field, ",")) {
		field++;
		if (strncmp(field, key, n) != 0 || field[n] != '=')
			continue;
		field += n + 1;
		number_parse(field, strcspn(field, ","), 10, most, &number);
		break;
	}
	return number;
}

void process_name_of(pid_t pid, const char *fingerprint,
		     struct process_name *ret_name)
{
	*ret_name = (struct process_name){
		.pid = pid,
		.inode = number_of(fingerprint, "inode", UINT64_MAX),
	};
}

pid_t process_name_pid_of(const char *fingerprint)
{
	return (pid_t)number_of(fingerprint, "pid", INT_MAX);
}

void process_name_format(const struct process_name *name,
			 char ret_text[PROCESS_NAME_SIZE])
{
	if (name->inode)
		format_text(ret_text, PROCESS_NAME_SIZE, "%d:%" PRIu64,
			    name->pid, name->inode);
	else
		format_text(ret_text, PROCESS_NAME_SIZE, "%d", name->pid);
}

static void complain_of_none(pid_t pid)
{
	pid_t owner = proc_thread_owner(pid);

	if (owner > 0)
		complain("%d is a thread of process %d; name that one", pid,
			 owner);
	else
		complain("no process has the pid %d", pid);
}

/* Who has the number of @name; "" if that cannot be told. */
static int find_holder(struct pidtrack *tracker,
		       const struct process_name *name,
		       char ret_holder[PROCESS_NAME_SIZE])
{
	char fingerprint[PIDTRACK_FINGERPRINT_MAX];
	struct pidtrack_process *process;
	struct process_name holder;
	int r;

	ret_holder[0] = 0;
	r = pidtrack_attach(tracker, name->pid, 0, PIDTRACK_ATTACH_OBSERVE,
			    &process);
	if (r < 0)
		return r;
	r = pidtrack_process_fingerprint(process, fingerprint,
					 sizeof(fingerprint));
	if (r >= 0) {
		process_name_of(name->pid, fingerprint, &holder);
		process_name_format(&holder, ret_holder);
	}
	pidtrack_process_free(process);
	return r;
}

/* Whether there ever was one with that inode, nobody can tell. */
static void complain_of_another(struct pidtrack *tracker,
				const struct process_name *name)
{
	char holder[PROCESS_NAME_SIZE];

	if (find_holder(tracker, name, holder) == -ESRCH)
		complain_of_none(name->pid);
	else
		complain("the process with pid %d is not %d:%" PRIu64 "%s%s%s",
			 name->pid, name->pid, name->inode,
			 *holder ? " (it is " : "", holder, *holder ? ")" : "");
}

int process_name_not_attached(struct pidtrack *tracker,
			      const struct process_name *name, int error)
{
	switch (error) {
	case -ESRCH:
		complain_of_none(name->pid);
		return EXIT_NO;
	case -ESTALE:
		complain_of_another(tracker, name);
		return EXIT_NO;
	case -EOPNOTSUPP:
		complain("%d:%" PRIu64 " cannot be told from others with its "
			 "pid: this kernel gives processes no inode (Linux "
			 "6.9 does)",
			 name->pid, name->inode);
		return EXIT_UNTOLD;
	default:
		complain("cannot track %d: %s%s", name->pid, strerror(-error),
			 error == -EMFILE ? "; raise 'ulimit -n'" : "");
		return EXIT_FAILED;
	}
}
