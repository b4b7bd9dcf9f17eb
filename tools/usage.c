/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "usage.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "format.h"
#include "owned.h"
#include "proc.h"

#define SECOND 1000000U /* in microseconds */

#define CGROUP_SIZE sizeof(((struct usage_place *)NULL)->own)

/* ---- cgroups ---- */

/* The path of @pid's in the hierarchy.  Return: 0; -1, and "", for none. */
static int cgroup_of(pid_t pid, char ret_cgroup[CGROUP_SIZE])
{
	char text[4096], *line;

	ret_cgroup[0] = 0;
	if (proc_read(pid, "cgroup", text, sizeof(text)) < 0)
		return -1;
	/* after those of version 1, or alone */
	line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	if (!line)
		return -1;
	line = strstr(line, "0::") + 3;
	line[strcspn(line, "\n")] = 0;
	format_text(ret_cgroup, CGROUP_SIZE, "%s", line);
	return 0;
}

/* Whether that is a place that somebody made for @pid. */
static bool is_own(const struct usage_place *place, const char *cgroup,
		   pid_t parent)
{
	char other[CGROUP_SIZE];

	if (strcmp(cgroup, "/") == 0 || strncmp(cgroup, "/..", 3) == 0 ||
	    strcmp(cgroup, place->own) == 0)
		return false;
	return cgroup_of(parent, other) < 0 || strcmp(cgroup, other) != 0;
}

/* What follows @key in the first line that begins with it. */
static uint64_t read_number(const struct usage_place *place, const char *cgroup,
			    const char *name, const char *key)
{
	char path[sizeof(place->mount) + CGROUP_SIZE + 32], text[1024];
	uint64_t number;
	const char *at;

	format_text(path, sizeof(path), "%s%s/%s", place->mount, cgroup, name);
	if (proc_read_file(path, text, sizeof(text)) < 0)
		return USAGE_UNKNOWN;
	at = strstr(text, key);
	if (!at || sscanf(at + strlen(key), "%" SCNu64, &number) != 1)
		return USAGE_UNKNOWN;
	return number;
}

/* FNV-1a: two that are alike are as good as never different. */
static uint64_t hash(const char *text)
{
	uint64_t sum = 0xcbf29ce484222325;

	for (; *text; text++)
		sum = (sum ^ (unsigned char)*text) * 0x100000001b3;
	return sum ? sum : 1;
}

static void look_at_cgroup(const struct usage_place *place, pid_t pid,
			   pid_t parent, struct usage *usage)
{
	char cgroup[CGROUP_SIZE];

	if (!*place->mount || cgroup_of(pid, cgroup) < 0 ||
	    !is_own(place, cgroup, parent))
		return;
	usage->cgroup = hash(cgroup);
	usage->cpu[USAGE_OF_CGROUP] =
		read_number(place, cgroup, "cpu.stat", "usage_usec ");
	usage->memory[USAGE_OF_CGROUP] =
		read_number(place, cgroup, "memory.current", "");
}

/* The first that shows all of the hierarchy. */
static void find_mount(char *ret_mount, size_t size)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096], root[1024], at[512], type[64];

	ret_mount[0] = 0;
	while (file && !*ret_mount && fgets(line, sizeof(line), file)) {
		const char *dash = strstr(line, " - ");

		if (dash &&
		    sscanf(line, "%*s %*s %*s %1023s %511s", root, at) == 2 &&
		    sscanf(dash, " - %63s", type) == 1 &&
		    strcmp(type, "cgroup2") == 0 && strcmp(root, "/") == 0)
			format_text(ret_mount, size, "%s", at);
	}
	if (file)
		(void)fclose(file);
}

void usage_find(struct usage_place *ret_place)
{
	find_mount(ret_place->mount, sizeof(ret_place->mount));
	(void)cgroup_of(getpid(), ret_place->own);
}

/* ---- looks ---- */

uint64_t usage_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec / 1000;
}

void usage_look(const struct usage_place *place, pid_t pid,
		struct usage *ret_usage)
{
	struct proc_glance glance;

	*ret_usage = (struct usage){
		.at = usage_clock(),
		.cpu = { USAGE_UNKNOWN, USAGE_UNKNOWN },
		.memory = { USAGE_UNKNOWN, USAGE_UNKNOWN },
	};
	if (proc_glance(pid, &glance) < 0)
		return;
	ret_usage->cpu[USAGE_OF_PROCESS] =
		glance.cpu * (SECOND / (uint64_t)sysconf(_SC_CLK_TCK));
	ret_usage->memory[USAGE_OF_PROCESS] =
		glance.resident * (uint64_t)sysconf(_SC_PAGESIZE);
	look_at_cgroup(place, pid, glance.parent, ret_usage);
}

uint64_t usage_cpu(const struct usage *before, const struct usage *now,
		   enum usage_of of)
{
	uint64_t from = before->cpu[of], to = now->cpu[of];

	if (!before->at || now->at <= before->at || from == USAGE_UNKNOWN ||
	    to == USAGE_UNKNOWN || to < from)
		return USAGE_UNKNOWN;
	if (of == USAGE_OF_CGROUP && before->cgroup != now->cgroup)
		return USAGE_UNKNOWN;
	return (to - from) * 1000 / (now->at - before->at);
}
