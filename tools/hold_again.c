/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#include "hold_again.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "format.h"
#include "hold_request.h"
#include "number.h"
#include "owned.h"

/* The memfd's number, from one to the next; nobody else reads it. */
#define VARIABLE "PIDTRACK_HELD"
/* The pid stays ours in exec; a child of ours is not meant. */
#define FIRST_LINE "pidtrack-held1 %d\n"

static void file_closep(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

/* ---- handing over ---- */

static void write_all(FILE *file, const struct holding *holding)
{
	const struct held *held;

	(void)fprintf(file, FIRST_LINE "listener %d\n", getpid(),
		      holding->listener);
	for (size_t i = 0; i < holding->n_peers; i++)
		(void)fprintf(file, "peer %d\n", holding->peers[i]);
	for (held = holding->hold.first; held; held = held->next)
		(void)fprintf(file, "held %d %" PRIu64 " %s %s\n", held->fd,
			      held->serial, held->name,
			      held->payload ? held->payload : "");
}

static int write_memfd(FILE *file, const struct holding *holding)
{
	write_all(file, holding);
	if (fflush(file) != 0 || ferror(file))
		return errno > 0 ? -errno : -EIO;
	if (fcntl(fileno(file), F_ADD_SEALS,
		  F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	return 0;
}

int hold_again(const char *program, char *const *argv,
	       const struct holding *holding)
{
	CLEANUP(file_closep) FILE *file = NULL;
	char number[16];
	int fd, r;

	/* it stays open in exec, as does all that it names */
	fd = memfd_create("pidtrack-held", MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	file = fdopen(fd, "w");
	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	r = write_memfd(file, holding);
	if (r < 0)
		return r;
	format_text(number, sizeof(number), "%d", fd);
	if (setenv(VARIABLE, number, 1) < 0)
		return -ENOMEM;
	execv(program, argv);
	r = -errno;
	unsetenv(VARIABLE);
	return r;
}

/* ---- taking over ---- */

static bool parse_fd(const char *word, int *ret_fd)
{
	uint64_t number;

	if (!word ||
	    !number_parse(word, strlen(word), 10, INT32_MAX, &number) ||
	    fcntl((int)number, F_GETFD) < 0)
		return false;
	*ret_fd = (int)number;
	return true;
}

static int take_peer(struct holding *holding, char *rest)
{
	int fd;

	if (!parse_fd(strsep(&rest, " "), &fd) ||
	    holding->n_peers == HOLD_PEERS_MAX)
		return -EBADMSG;
	holding->peers[holding->n_peers++] = fd;
	return 0;
}

static int take_held(struct holding *holding, char *rest)
{
	const char *fd_word = strsep(&rest, " ");
	const char *serial_word = strsep(&rest, " ");
	const char *name = strsep(&rest, " ");
	uint64_t serial;
	int fd, r;

	if (!rest || !hold_name_is_good(name) ||
	    !number_parse(serial_word, strlen(serial_word), 10, UINT64_MAX,
			  &serial) ||
	    serial <= holding->hold.serial || !parse_fd(fd_word, &fd))
		return -EBADMSG;
	holding->hold.serial = serial - 1;
	r = hold_keep(&holding->hold, fd, name, *rest ? rest : NULL);
	return r == -ENOMEM ? r : 0;
}

static int take_line(struct holding *holding, char *line)
{
	char *rest = line;
	const char *word;

	line[strcspn(line, "\n")] = 0;
	word = strsep(&rest, " ");
	if (!rest)
		return -EBADMSG;
	if (strcmp(word, "listener") == 0)
		return parse_fd(rest, &holding->listener) ? 0 : -EBADMSG;
	if (strcmp(word, "peer") == 0)
		return take_peer(holding, rest);
	if (strcmp(word, "held") == 0)
		return take_held(holding, rest);
	return 0; /* of a later version */
}

static int take_all(struct holding *holding, FILE *file)
{
	CLEANUP(freep) char *line = NULL;
	char first[64];
	size_t size = 0;
	int r = 0;

	format_text(first, sizeof(first), FIRST_LINE, getpid());
	if (getline(&line, &size, file) < 0 || strcmp(line, first) != 0)
		return -EBADMSG;
	while (getline(&line, &size, file) >= 0) {
		int taken = take_line(holding, line);

		/* the others are to be had all the same */
		r = taken < 0 ? taken : r;
	}
	return r;
}

int hold_taken_over(struct holding *holding)
{
	const char *word = getenv(VARIABLE);
	CLEANUP(file_closep) FILE *file = NULL;
	size_t max = holding->hold.max;
	int fd, r;

	if (!word)
		return 0;
	if (!parse_fd(word, &fd) || fcntl(fd, F_GET_SEALS) < 0) {
		unsetenv(VARIABLE);
		return -EBADMSG;
	}
	unsetenv(VARIABLE);
	file = fdopen(fd, "r");
	if (!file)
		return -ENOMEM;
	(void)fseek(file, 0, SEEK_SET);
	/* what was held is, though there be less room now */
	holding->hold.max = SIZE_MAX;
	r = take_all(holding, file);
	holding->hold.max = max;
	if (r == 0 && holding->listener < 0)
		r = -EBADMSG;
	return r < 0 ? r : 1;
}
