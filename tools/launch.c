/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "complain.h"
#include "owned.h"
#include "record.h"
#include "search.h"

int launch_init(struct launch *launch, size_t words)
{
	memset(launch, 0, sizeof(*launch));
	launch->spawn.size = sizeof(launch->spawn);
	launch->cgroup_fd = -1;
	launch->env = calloc(words, sizeof(*launch->env));
	/* three more: what is not mapped of 0, 1 and 2 when detached */
	launch->fds = calloc(words + 3, sizeof(*launch->fds));
	if (launch->env && launch->fds)
		return 0;
	complain("beginning: %s", strerror(ENOMEM));
	return EXIT_FAILED;
}

void launch_done(struct launch *launch)
{
	free(launch->env);
	free(launch->fds);
	fd_closep(&launch->cgroup_fd);
}

int launch_check(const struct launch *launch)
{
	uint32_t flags = launch->spawn.flags;

	if (launch->detach && flags & PIDTRACK_SPAWN_BOUND)
		return complain_usage(
			"--detach and --bound exclude each "
			"other: outlive pidtrack, or die with it");
	if (flags & PIDTRACK_SPAWN_PGID &&
	    (launch->detach || flags & PIDTRACK_SPAWN_SETSID))
		return complain_usage("--pgroup is too much: with --detach and "
				      "--session it has a group of its own");
	if (flags & PIDTRACK_SPAWN_RECORD_SYNC && !launch->spawn.record)
		return complain_usage("--record-sync of which record? Give "
				      "--record FILE");
	if (launch->pins && !launch->spawn.label)
		return complain_usage("--pin %s by which name? Give --label "
				      "TEXT",
				      launch->pins);
	if (launch->json && !launch->detach)
		return complain_usage("--json goes with --detach; without, "
				      "standard output is the command's");
	return 0;
}

static bool is_mapped(const struct launch *launch, int child_fd)
{
	for (size_t i = 0; i < launch->spawn.n_fds; i++) {
		if (launch->fds[i].child_fd == child_fd)
			return true;
	}
	return false;
}

static bool is_file(int fd)
{
	struct stat stat;

	return fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode);
}

/*
 * A detached shim reads nothing, and writes into a file only: a terminal may go
 * away, and whoever reads a pipe of ours waits for its end.
 */
static void map_standard_descriptors(struct launch *launch)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (is_mapped(launch, fd))
			continue;
		launch->fds[launch->spawn.n_fds++] = (struct pidtrack_fd_map){
			.child_fd = fd,
			.fd = fd != STDIN_FILENO && is_file(fd) ?
				      fd :
				      PIDTRACK_FD_NULL,
		};
	}
}

/* The PATH of the shim if it is given one, else ours. */
static const char *path_of(const struct launch *launch)
{
	static const char name[] = "PATH=";
	const char *path = getenv("PATH");

	for (size_t i = 0; i < launch->n_env; i++) {
		if (strncmp(launch->env[i], name, strlen(name)) == 0)
			path = launch->env[i] + strlen(name);
	}
	return path ? path : "/bin:/usr/bin";
}

static int make_environment(const struct launch *launch)
{
	if (launch->clear_env && clearenv() != 0)
		return -ENOMEM;
	for (size_t i = 0; i < launch->n_env; i++) {
		if (putenv(launch->env[i]) != 0)
			return -errno;
	}
	return 0;
}

static const char *subject_of(const struct launch *launch, uint32_t stage)
{
	switch (stage) {
	case PIDTRACK_STAGE_CGROUP:
		return launch->cgroup;
	case PIDTRACK_STAGE_RECORD:
		return launch->spawn.record;
	case PIDTRACK_STAGE_KEEP:
		return launch->spawn.label;
	case PIDTRACK_STAGE_IDS:
		return launch->user;
	case PIDTRACK_STAGE_CAPS:
		return launch->spawn.caps;
	case PIDTRACK_STAGE_CWD:
		return launch->spawn.cwd;
	case PIDTRACK_STAGE_EXEC:
		return launch->argv[0];
	default:
		return NULL;
	}
}

/* What to do about it; any error of the stage is meant by 0. */
static const struct {
	uint32_t stage;
	int error;
	const char *advice;
} advices[] = {
	{ PIDTRACK_STAGE_RESERVE, -EMFILE, "raise 'ulimit -n'" },
	{ PIDTRACK_STAGE_CLONE, -EAGAIN,
	  "too many processes: see 'ulimit -u' and pids.max of the cgroup" },
	{ PIDTRACK_STAGE_SESSION, -EPERM, "it leads a process group already" },
	{ PIDTRACK_STAGE_CGROUP, -EBADF,
	  "it is not on a cgroup2 mount: see 'findmnt -t cgroup2'" },
	{ PIDTRACK_STAGE_CGROUP, -ENOENT,
	  "make the directory first, on a cgroup2 mount: see 'findmnt -t "
	  "cgroup2'" },
	{ PIDTRACK_STAGE_CGROUP, -ENOTDIR,
	  "give the directory, not a file in it" },
	{ PIDTRACK_STAGE_CGROUP, -ENODEV, "the cgroup was removed" },
	{ PIDTRACK_STAGE_CGROUP, -EACCES,
	  "its cgroup.procs and that of the common ancestor must be writable" },
	{ PIDTRACK_STAGE_CGROUP, -EBUSY,
	  "a cgroup with controllers enabled for its children takes none" },
	{ PIDTRACK_STAGE_CGROUP, -EOPNOTSUPP,
	  "a cgroup beside or below a threaded one takes no processes" },
	{ PIDTRACK_STAGE_LIMITS, -EPERM,
	  "a hard limit is raised with CAP_SYS_RESOURCE only" },
	{ PIDTRACK_STAGE_RECORD, 0, "the command was not run" },
	{ PIDTRACK_STAGE_KEEP, -EEXIST,
	  "one of that label is pinned already: see 'pidtrack list'; 'list "
	  "--prune' lets go of those that have ended" },
	{ PIDTRACK_STAGE_KEEP, -ENOSPC, "raise the sysctl fs.mount-max" },
	{ PIDTRACK_STAGE_KEEP, -ENAMETOOLONG,
	  "no file has such a long name: shorten --label" },
	{ PIDTRACK_STAGE_KEEP, 0, "the command was not run" },
	{ PIDTRACK_STAGE_IDS, -EPERM, "this wants CAP_SETUID and CAP_SETGID" },
	{ PIDTRACK_STAGE_CAPS, -EPERM,
	  "give only what we have ourselves; without CAP_SETPCAP add "
	  "--no-new-privs" },
	{ PIDTRACK_STAGE_CWD, -ENOENT, "make the directory first" },
	{ PIDTRACK_STAGE_EXEC, -EACCES,
	  "it must be a file with permission to execute" },
	{ PIDTRACK_STAGE_EXEC, -ENOEXEC,
	  "a script begins with a line such as #!/bin/sh" },
	{ PIDTRACK_STAGE_EXEC, -E2BIG, "shorten arguments and environment" },
};

static const char *advice_on(uint32_t stage, int error)
{
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++) {
		if (advices[i].stage == stage &&
		    (advices[i].error == error || !advices[i].error))
			return advices[i].advice;
	}
	return NULL;
}

static int exit_code_of(uint32_t stage, int error)
{
	if (stage == PIDTRACK_STAGE_OPTIONS)
		return EXIT_USAGE;
	if (stage != PIDTRACK_STAGE_EXEC)
		return EXIT_FAILED;
	if (error == -ENOENT || error == -ENOTDIR)
		return EXIT_NOT_FOUND;
	return EXIT_CANNOT_EXECUTE;
}

static int launch_failed(const struct launch *launch, uint32_t stage, int error,
			 const char *advice)
{
	const char *subject = subject_of(launch, stage);

	complain("%s: %s%s%s%s%s%s", pidtrack_stage_name(stage),
		 subject ? "'" : "", subject ? subject : "",
		 subject ? "': " : "", strerror(-error), advice ? "; " : "",
		 advice ? advice : "");
	return exit_code_of(stage, error);
}

/* Only libcap knows, and what else an option can have wrong was looked at. */
static bool caps_misspelt(const struct launch *launch, uint32_t stage,
			  int error)
{
	return launch->spawn.caps && error == -EINVAL &&
	       (stage == PIDTRACK_STAGE_OPTIONS ||
		stage == PIDTRACK_STAGE_CAPS);
}

static int complain_of_caps(const struct launch *launch)
{
	return complain_usage("--caps '%s' is not as cap_from_text(3) has it, "
			      "such as 'cap_net_admin=ep', or '=' for none",
			      launch->spawn.caps);
}

/* The file is there, so it is what shall run it that is missing. */
static bool lacks_interpreter(const struct launch *launch, int error)
{
	const char *program = launch->program;
	CLEANUP(fd_closep) int at = -1;

	if (launch->spawn.cwd)
		at = open(launch->spawn.cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return error == -ENOENT &&
	       faccessat(at < 0 ? AT_FDCWD : at, program, F_OK, 0) == 0;
}

/* There is none, or it is damaged; or the launch will say what is wrong. */
static bool is_no_record(int error)
{
	return error == -ENOENT || error == -EBADMSG || error == -EFBIG ||
	       error == -ENOTDIR || error == -EISDIR || error == -ELOOP ||
	       error == -ENXIO;
}

/*
 * What is written over is forgotten: nobody whose record cannot be read just
 * now, or by us, nor who cannot be seen from here.  Another format's may be: a
 * number is nobody's for certain.
 *
 * Return: 0, or EXIT_FAILED, having complained.
 */
static int check_record(const struct launch *launch)
{
	CLEANUP(pidtrack_record_freep) struct pidtrack_record *record = NULL;
	const char *path = launch->spawn.record;
	struct pidtrack_comparison comparison;
	int r;

	if (!path)
		return 0;
	r = pidtrack_record_read(path, &record);
	if (r < 0 && is_no_record(r))
		return 0;
	if (r >= 0)
		r = pidtrack_verify(NULL, record, &comparison,
				    sizeof(comparison));
	if (r < 0) {
		record_not_read(path, r);
		return EXIT_FAILED;
	}
	if (comparison.verdict == PIDTRACK_VERDICT_UNPROVEN &&
	    pidtrack_record_format(record) == PIDTRACK_RECORD_NATIVE) {
		complain("whether the process that '%s' is the record of runs "
			 "is not known here: %s; give another file",
			 path, comparison.reason);
		return EXIT_FAILED;
	}
	if (comparison.verdict != PIDTRACK_VERDICT_SAME)
		return 0;
	complain("'%s' is the record of %d, which runs; stop that first, or "
		 "give another file",
		 path, (int)pidtrack_record_pid(record));
	return EXIT_FAILED;
}

static int spawn(struct launch *launch, struct pidtrack *tracker,
		 struct pidtrack_process **ret_process)
{
	uint32_t stage = PIDTRACK_STAGE_NONE;
	const char *advice;
	int r;

	r = pidtrack_spawn(tracker, &launch->spawn, ret_process, &stage);
	if (r >= 0)
		return 0;
	if (caps_misspelt(launch, stage, r))
		return complain_of_caps(launch);
	advice = advice_on(stage, r);
	if (stage == PIDTRACK_STAGE_EXEC && lacks_interpreter(launch, r))
		advice = "it is there, but not the interpreter that it names";
	return launch_failed(launch, stage, r, advice);
}

int launch_now(struct launch *launch, struct pidtrack *tracker,
	       struct pidtrack_process **ret_process)
{
	const char *name = launch->argv[0];
	int r;

	r = check_record(launch);
	if (r)
		return r;
	r = search_program(name, path_of(launch), launch->spawn.cwd,
			   launch->program);
	if (r < 0)
		return launch_failed(launch, PIDTRACK_STAGE_EXEC, r,
				     r == -ENOENT && *name ?
					     "there is none in PATH" :
					     advice_on(PIDTRACK_STAGE_EXEC, r));
	if (launch->cgroup) {
		launch->cgroup_fd =
			open(launch->cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (launch->cgroup_fd < 0)
			return launch_failed(
				launch, PIDTRACK_STAGE_CGROUP, -errno,
				advice_on(PIDTRACK_STAGE_CGROUP, -errno));
	}
	r = make_environment(launch);
	if (r < 0)
		return launch_failed(launch, PIDTRACK_STAGE_RESERVE, r, NULL);

	if (launch->detach)
		map_standard_descriptors(launch);
	launch->spawn.argv = (const char *const *)launch->argv;
	launch->spawn.program = launch->program;
	launch->spawn.cgroup_fd = launch->cgroup_fd;
	launch->spawn.fds = launch->fds;
	launch->spawn.rlimits = launch->rlimits;
	return spawn(launch, tracker, ret_process);
}
