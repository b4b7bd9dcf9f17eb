/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* What the options of `pidtrack run` mean. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "complain.h"
#include "launch.h"
#include "number.h"
#include "owned.h"
#include "rlimit.h"

#define LABEL_MAX 255

static int set_flag(struct launch *launch, uint32_t flag)
{
	launch->spawn.flags |= flag;
	return 0;
}

static int set_detach(void *to, const char *value)
{
	struct launch *launch = to;

	launch->detach = true;
	return set_flag(launch, PIDTRACK_SPAWN_DETACHED);
}

static int set_json(void *to, const char *value)
{
	((struct launch *)to)->json = true;
	return 0;
}

static int set_label(void *to, const char *value)
{
	if (strlen(value) > LABEL_MAX)
		return complain_usage("--label: %zu bytes are too long; up to "
				      "%d will do",
				      strlen(value), LABEL_MAX);
	for (const char *c = value; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return complain_usage("--label '%s' has a control "
					      "character; leave it out",
					      value);
	}
	((struct launch *)to)->spawn.label = value;
	return 0;
}

static int set_record(void *to, const char *value)
{
	((struct launch *)to)->spawn.record = value;
	return 0;
}

static int set_record_sync(void *to, const char *value)
{
	return set_flag(to, PIDTRACK_SPAWN_RECORD_SYNC);
}

static int set_pin(void *to, const char *value)
{
	((struct launch *)to)->pins = value;
	return set_flag(to, PIDTRACK_SPAWN_KEEP);
}

static int set_cgroup(void *to, const char *value)
{
	((struct launch *)to)->cgroup = value;
	return set_flag(to, PIDTRACK_SPAWN_INTO_CGROUP);
}

static int set_caps(void *to, const char *value)
{
	((struct launch *)to)->spawn.caps = value;
	return 0;
}

static int set_cwd(void *to, const char *value)
{
	((struct launch *)to)->spawn.cwd = value;
	return 0;
}

static int set_env(void *to, const char *value)
{
	struct launch *launch = to;
	const char *equals = strchr(value, '=');

	if (!equals || equals == value)
		return complain_usage("--env '%s' is not NAME=VALUE", value);
	/* argv's words are ours to point into, and putenv(3) wants them so */
	launch->env[launch->n_env++] = (char *)(uintptr_t)value;
	return 0;
}

static int set_clear_env(void *to, const char *value)
{
	((struct launch *)to)->clear_env = true;
	return 0;
}

static int set_user(void *to, const char *value)
{
	struct launch *launch = to;
	size_t n = strcspn(value, ":");
	uint64_t uid, gid = 0;
	const char *group = value[n] ? value + n + 1 : NULL;

	/* the highest id means "leave it" to the kernel */
	if (!number_parse(value, n, 10, UINT32_MAX - 1, &uid) ||
	    (group &&
	     !number_parse(group, strlen(group), 10, UINT32_MAX - 1, &gid)))
		return complain_usage("--user '%s' is not UID or UID:GID, in "
				      "numbers",
				      value);

	launch->user = value;
	launch->spawn.uid = (uint32_t)uid;
	launch->spawn.gid = (uint32_t)gid;
	launch->spawn.flags &= ~PIDTRACK_SPAWN_GID;
	if (group)
		set_flag(launch, PIDTRACK_SPAWN_GID);
	return set_flag(launch, PIDTRACK_SPAWN_UID | PIDTRACK_SPAWN_GROUPS);
}

static int set_no_new_privs(void *to, const char *value)
{
	return set_flag(to, PIDTRACK_SPAWN_NO_NEW_PRIVS);
}

static int set_bound(void *to, const char *value)
{
	return set_flag(to, PIDTRACK_SPAWN_BOUND);
}

static int set_pgroup(void *to, const char *value)
{
	return set_flag(to, PIDTRACK_SPAWN_PGID);
}

static int set_session(void *to, const char *value)
{
	return set_flag(to, PIDTRACK_SPAWN_SETSID);
}

/* The place of @child_fd in the map, a new one unless it was named before. */
static struct pidtrack_fd_map *mapping_of(struct launch *launch, int child_fd)
{
	struct pidtrack_fd_map *map;

	for (map = launch->fds; map < launch->fds + launch->spawn.n_fds;
	     map++) {
		if (map->child_fd == child_fd)
			return map;
	}
	launch->spawn.n_fds++;
	map->child_fd = child_fd;
	return map;
}

/*
 * Whether it is open is looked up here and now: once we have opened our own, a
 * number that the user got wrong may be one of those.
 */
static int set_fd(void *to, const char *value)
{
	size_t n = strcspn(value, "=");
	uint64_t child, ours = 0;
	bool none = strcmp(value + n, "=null") == 0;

	if (!number_parse(value, n, 10, INT_MAX, &child) || !value[n] ||
	    (!none && !number_parse(value + n + 1, strlen(value + n + 1), 10,
				    INT_MAX, &ours)))
		return complain_usage("--fd '%s' is not CHILD=OURS, two "
				      "descriptors, or CHILD=null",
				      value);
	if (!none && fcntl((int)ours, F_GETFD) < 0)
		return complain_usage("--fd %s: we have no descriptor %d; the "
				      "shell opens one with %d<FILE",
				      value, (int)ours, (int)ours);

	mapping_of(to, (int)child)->fd = none ? PIDTRACK_FD_NULL : (int)ours;
	return 0;
}

static int set_umask(void *to, const char *value)
{
	struct launch *launch = to;
	uint64_t mask;

	if (!number_parse(value, strlen(value), 8, 0777, &mask))
		return complain_usage("--umask '%s' is no octal number from 0 "
				      "to 777",
				      value);
	launch->spawn.umask = (uint32_t)mask;
	return set_flag(launch, PIDTRACK_SPAWN_UMASK);
}

static int set_rlimit(void *to, const char *value)
{
	struct launch *launch = to;
	struct pidtrack_rlimit limit, *known;
	int r;

	r = rlimit_parse(value, &limit);
	if (r)
		return r;
	for (known = launch->rlimits;
	     known < launch->rlimits + launch->spawn.n_rlimits; known++) {
		if (known->resource == limit.resource)
			break;
	}
	if (known == launch->rlimits + launch->spawn.n_rlimits)
		launch->spawn.n_rlimits++;
	*known = limit;
	return 0;
}

const struct command_option launch_options[] = {
	{ "detach", NULL, "leave it running, print its name", set_detach },
	{ "json", NULL, "with --detach: print one JSON object instead",
	  set_json },
	{ "label", "TEXT", "what to call it, up to 255 bytes", set_label },
	{ "record", "FILE", "write a record of it, before it runs",
	  set_record },
	{ "record-sync", NULL, "the record is on disk before it runs",
	  set_record_sync },
	{ "pin", "DIR", "keep it as DIR/LABEL, whoever is killed", set_pin },
	{ "cgroup", "DIR", "start it inside this cgroup2 directory",
	  set_cgroup },
	{ "caps", "TEXT", "its capabilities, as cap_from_text(3) has them",
	  set_caps },
	{ "cwd", "DIR", "its working directory", set_cwd },
	{ "env", "NAME=VALUE", "set this in its environment", set_env },
	{ "clear-env", NULL, "give it no environment but that of --env",
	  set_clear_env },
	{ "user", "UID[:GID]", "its user and group, with no further groups",
	  set_user },
	{ "no-new-privs", NULL, "it can gain no privileges by executing",
	  set_no_new_privs },
	{ "bound", NULL, "it is killed when pidtrack ends", set_bound },
	{ "fd", "CHILD=OURS", "give it our descriptor OURS, or null, as CHILD",
	  set_fd },
	{ "umask", "OCTAL", "its file mode creation mask", set_umask },
	{ "rlimit", "NAME=SOFT[:HARD]", "a limit, such as nofile=1024:4096",
	  set_rlimit },
	{ "pgroup", NULL, "a process group of its own", set_pgroup },
	{ "session", NULL, "a session of its own", set_session },
	{ 0 },
};
