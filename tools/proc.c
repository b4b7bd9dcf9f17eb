/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "proc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "format.h"

int proc_read_file(const char *path, char *ret_text, size_t size)
{
	FILE *file;
	size_t n;

	file = fopen(path, "re");
	if (!file)
		return -1;
	n = fread(ret_text, 1, size - 1, file);
	(void)fclose(file);
	ret_text[n] = 0;
	return n > 0 ? 0 : -1;
}

int proc_read(pid_t pid, const char *name, char *ret_text, size_t size)
{
	char path[64];

	format_text(path, sizeof(path), "/proc/%d/%s", pid, name);
	return proc_read_file(path, ret_text, size);
}

static void copy_command(const char *from, size_t n,
			 char ret_command[PROC_COMMAND_SIZE])
{
	if (n >= PROC_COMMAND_SIZE)
		n = PROC_COMMAND_SIZE - 1;
	for (size_t i = 0; i < n; i++) {
		ret_command[i] = from[i];
		if (from[i] < ' ' || from[i] > '~')
			ret_command[i] = '?';
	}
	ret_command[n] = 0;
}

int proc_glance(pid_t pid, struct proc_glance *ret_glance)
{
	char text[1024], *open, *close;
	uint64_t user, kernel;

	if (proc_read(pid, "stat", text, sizeof(text)) < 0)
		return -1;
	/* the command may itself hold parentheses and blanks */
	open = strchr(text, '(');
	close = strrchr(text, ')');
	if (!open || !close)
		return -1;

	copy_command(open + 1, (size_t)(close - open - 1), ret_glance->command);
	/* fields 3 to 24 */
	if (sscanf(close + 1,
		   "%*s %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64
		   " %" SCNu64 " %*s %*s %*s %*s %*s %*s %" SCNu64
		   " %*s %" SCNu64,
		   &ret_glance->parent, &user, &kernel, &ret_glance->start,
		   &ret_glance->resident) != 5)
		return -1;
	ret_glance->cpu = user + kernel;
	return 0;
}

uint64_t proc_age(uint64_t start)
{
	uint64_t began = start / (uint64_t)sysconf(_SC_CLK_TCK);
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec > began ? (uint64_t)now.tv_sec - began : 0;
}

pid_t proc_thread_owner(pid_t pid)
{
	char text[4096];
	const char *line;
	pid_t owner;

	if (proc_read(pid, "status", text, sizeof(text)) < 0)
		return 0;
	line = strstr(text, "\nTgid:");
	if (!line || sscanf(line, "\nTgid: %d", &owner) != 1)
		return 0;
	return owner == pid ? 0 : owner;
}
